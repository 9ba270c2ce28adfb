//! Keys and certificates that are the same in each run.

use curfew_adapter::CertificateAsk;
use jiff::Timestamp;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{Certificate, PrivateKey};

/// The gate's host key.
pub const GATE: u8 = 1;
/// The target's host key.
pub const TARGET: u8 = 2;
/// A person's key.
pub const ALICE: u8 = 3;
/// Curfew's authority.
pub const AUTHORITY: u8 = 9;

pub fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

pub fn pem(seed: u8) -> String {
    key(seed).to_openssh(LineEnding::LF).unwrap().to_string()
}

pub fn line(seed: u8) -> String {
    key(seed).public_key().to_openssh().unwrap()
}

/// Good from an hour ago for another `hours`.
pub fn builder(subject: &PrivateKey, kind: CertType, hours: i64) -> Builder {
    #[expect(clippy::disallowed_methods, reason = "sshd goes by the wall")]
    let now = Timestamp::now().as_second();
    let at = |offset: i64| u64::try_from(now + offset).unwrap();
    let key = subject.public_key().key_data().clone();
    let mut builder = Builder::new([7; 32], key, at(-7200), at(hours * 3600)).unwrap();
    builder.cert_type(kind).unwrap();
    builder.key_id("test").unwrap();
    builder
}

pub fn sign(builder: Builder) -> Certificate {
    builder.sign(&key(AUTHORITY)).unwrap()
}

pub fn host_certificate(seed: u8, names: &[&str]) -> String {
    let mut builder = builder(&key(seed), CertType::Host, 1);
    for name in names {
        builder.valid_principal(*name).unwrap();
    }
    sign(builder).to_openssh().unwrap()
}

/// The core's answer to a session that asks for a certificate.
pub fn user_certificate(ask: &CertificateAsk, account: &str) -> String {
    let subject = russh::keys::PublicKey::from_openssh(&ask.key).unwrap();
    #[expect(clippy::disallowed_methods, reason = "sshd goes by the wall")]
    let now = u64::try_from(Timestamp::now().as_second()).unwrap();
    let mut builder = Builder::new([8; 32], subject.key_data().clone(), now - 60, now + 3600).unwrap();
    builder.cert_type(CertType::User).unwrap();
    builder.valid_principal(account).unwrap();
    builder.critical_option("source-address", format!("{}/32", ask.source)).unwrap();
    for extension in &ask.extensions {
        builder.extension(*extension, "").unwrap();
    }
    sign(builder).to_openssh().unwrap()
}
