//! SSH certificates (OpenSSH, PROTOCOL.certkeys): a host certificate for the gate, user certificates for clients and
//! for the gate's own sessions at targets. Keys leave this room only as text for the files that keep them.

use jiff::Timestamp;
use ssh_key::certificate::{Builder, CertType};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{Certificate, HashAlg, LineEnding, PrivateKey, PublicKey};

use crate::CertsError;
use crate::authority::BACKDATED;
use crate::client::is_signin_id;

/// The key id of a client's certificate begins so; the id of the sign-in follows.
const SIGNIN: &str = "curfew-signin-";
/// The one principal of a client's certificate. It is no account: a target that trusted the wrong authority would
/// still let nobody in by it.
const PRINCIPAL: &str = "curfew-signin";
/// Far more than any certificate that this authority makes.
const LINE_MAX: usize = 16 * 1024;

/// An Ed25519 key of the gate: an authority that signs certificates, or a host key.
pub struct SshKey(PrivateKey);

impl std::fmt::Debug for SshKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SshKey").field(&self.fingerprint()).finish()
    }
}

/// Whom a session's certificate is for, and what it lets them do at the target.
#[derive(Debug, Clone)]
pub struct SessionCertificate<'a> {
    /// The key to certify, made for the session: algorithm and base64.
    pub key: &'a str,
    /// What the target's log shows: the session and the person.
    pub key_id: &'a str,
    /// The one account that it opens.
    pub account: &'a str,
    /// The only address that it is good from.
    pub source: std::net::IpAddr,
    /// `permit-pty` and the like.
    pub extensions: &'a [&'static str],
    /// The end of the grant.
    pub not_after: Timestamp,
}

/// Which sign-in a client's certificate stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshIdentity {
    /// The serial number, 16 lower-case hexadecimal digits.
    pub serial: String,
    /// The id of the sign-in.
    pub signin: String,
}

/// Why an SSH certificate proves nothing. The texts may be shown to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshCertError {
    /// Signed by someone else, or by nobody.
    #[error("the SSH certificate was not signed by this gate")]
    Foreign,
    /// Signed by this authority, but not for clients.
    #[error("the SSH certificate was not made for clients of this gate")]
    WrongPurpose,
    /// Its time is over, or has not begun.
    #[error("the SSH certificate is not valid now: it is for {from} to {to}")]
    NotNow {
        /// The first second at which it is valid.
        from: Timestamp,
        /// The second from which on it is not.
        to: Timestamp,
    },
    /// Not a certificate.
    #[error("the SSH certificate can't be read")]
    Malformed,
}

impl SshKey {
    /// A fresh key.
    ///
    /// # Errors
    /// The machine has no randomness to give.
    pub fn generate() -> Result<Self, CertsError> {
        let pair = Ed25519Keypair::from_seed(&random::<32>()?);
        let key = PrivateKey::new(KeypairData::Ed25519(pair), "").map_err(in_key)?;
        Ok(Self(key))
    }

    /// The key kept in OpenSSH's form (PROTOCOL.key), not encrypted.
    ///
    /// # Errors
    /// It is something else, or not an Ed25519 key.
    pub fn load(pem: &str) -> Result<Self, CertsError> {
        let key = PrivateKey::from_openssh(pem).map_err(in_key)?;
        match key.key_data() {
            KeypairData::Ed25519(_) => Ok(Self(key)),
            _ => Err(CertsError::Key("it is not an Ed25519 key in the clear".to_owned())),
        }
    }

    /// The private key in OpenSSH's form. For the file that keeps it (mode 0600) and the adapter that uses it.
    ///
    /// # Errors
    /// It can't be encoded.
    pub fn private_pem(&self) -> Result<String, CertsError> {
        Ok(self.0.to_openssh(LineEnding::LF).map_err(in_key)?.to_string())
    }

    /// The public key as one line: algorithm and base64.
    ///
    /// # Errors
    /// It can't be encoded.
    pub fn public_line(&self) -> Result<String, CertsError> {
        self.0.public_key().to_openssh().map_err(in_key)
    }

    /// `SHA256:` and the hash of the public key, as ssh users know it.
    pub fn fingerprint(&self) -> String {
        self.0.public_key().fingerprint(HashAlg::Sha256).to_string()
    }

    /// A host certificate for the gate's host key under these names, as one line.
    ///
    /// # Errors
    /// The names or times don't fit.
    pub fn certify_host(
        &self,
        host: &Self,
        names: &[String],
        now: Timestamp,
        not_after: Timestamp,
    ) -> Result<String, CertsError> {
        let mut builder = self.builder(host.0.public_key(), CertType::Host, now, not_after)?;
        builder.key_id("curfew").map_err(in_contents)?;
        for name in names {
            builder.valid_principal(name.as_str()).map_err(in_contents)?;
        }
        self.sign(builder)
    }

    /// A user certificate for the key of a client that is signed in; `serial` is for whoever looks it up later.
    ///
    /// # Errors
    /// The key is none, or of a kind that is not accepted.
    pub fn certify_client(
        &self,
        key: &str,
        signin: &str,
        serial: u64,
        now: Timestamp,
        not_after: Timestamp,
    ) -> Result<String, CertsError> {
        if !is_signin_id(signin) {
            return Err(CertsError::Contents("the sign-in's id has characters that don't fit".to_owned()));
        }
        let mut builder = self.builder(&client_key(key)?, CertType::User, now, not_after)?;
        builder.serial(serial).map_err(in_contents)?;
        builder.key_id(format!("{SIGNIN}{signin}")).map_err(in_contents)?;
        builder.valid_principal(PRINCIPAL).map_err(in_contents)?;
        self.sign(builder)
    }

    /// A user certificate for one session at a target, as one line.
    ///
    /// # Errors
    /// The key is none, or the times don't fit.
    pub fn certify_session(
        &self,
        wanted: &SessionCertificate<'_>,
        now: Timestamp,
    ) -> Result<String, CertsError> {
        let mut builder = self.builder(&client_key(wanted.key)?, CertType::User, now, wanted.not_after)?;
        builder.serial(u64::from_be_bytes(random()?)).map_err(in_contents)?;
        builder.key_id(wanted.key_id).map_err(in_contents)?;
        builder.valid_principal(wanted.account).map_err(in_contents)?;
        // The form that sshd reads: a list of addresses in CIDR notation.
        let bits = if wanted.source.is_ipv4() { 32 } else { 128 };
        let source = format!("{}/{bits}", wanted.source);
        builder.critical_option("source-address", source.as_str()).map_err(in_contents)?;
        let mut extensions = wanted.extensions.to_vec();
        extensions.sort_unstable();
        for extension in extensions {
            builder.extension(extension, "").map_err(in_contents)?;
        }
        self.sign(builder)
    }

    /// Judges a client's certificate, whose key SSH has proved the client to hold. `line` is algorithm and base64.
    ///
    /// # Errors
    /// What is wrong with it. Whether its sign-in still lives is for the store to say.
    pub fn judge_client(&self, line: &str, now: Timestamp) -> Result<SshIdentity, SshCertError> {
        if line.len() > LINE_MAX {
            return Err(SshCertError::Malformed);
        }
        let certificate = Certificate::from_openssh(line).map_err(|_| SshCertError::Malformed)?;
        // The signature first: of a stranger's certificate nothing else is believed.
        if certificate.signature_key() != self.0.public_key().key_data()
            || certificate.verify_signature().is_err()
        {
            return Err(SshCertError::Foreign);
        }
        let signin = certificate.key_id().strip_prefix(SIGNIN).filter(|id| is_signin_id(id));
        let ours = certificate.cert_type() == CertType::User
            && certificate.valid_principals() == [PRINCIPAL]
            && certificate.critical_options().is_empty();
        let (Some(signin), true) = (signin, ours) else { return Err(SshCertError::WrongPurpose) };
        let instant = |seconds: u64| i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok());
        let from = instant(certificate.valid_after()).ok_or(SshCertError::Malformed)?;
        let to = instant(certificate.valid_before()).ok_or(SshCertError::Malformed)?;
        if now < from || now >= to {
            return Err(SshCertError::NotNow { from, to });
        }
        Ok(SshIdentity { serial: format!("{:016x}", certificate.serial()), signin: signin.to_owned() })
    }

    fn builder(
        &self,
        key: &PublicKey,
        kind: CertType,
        now: Timestamp,
        not_after: Timestamp,
    ) -> Result<Builder, CertsError> {
        let seconds = |at: Timestamp| {
            u64::try_from(at.as_second())
                .map_err(|_| CertsError::Contents("its times are before 1970".to_owned()))
        };
        let from =
            seconds(now.checked_sub(BACKDATED).map_err(|error| CertsError::Contents(error.to_string()))?)?;
        let nonce: [u8; 32] = random()?;
        let mut builder =
            Builder::new(nonce, key.key_data().clone(), from, seconds(not_after)?).map_err(in_contents)?;
        builder.cert_type(kind).map_err(in_contents)?;
        Ok(builder)
    }

    fn sign(&self, builder: Builder) -> Result<String, CertsError> {
        builder.sign(&self.0).and_then(|made| made.to_openssh()).map_err(in_contents)
    }
}

/// The fingerprint of a public key written as one line, `SHA256:…`.
///
/// # Errors
/// It is no public key.
pub fn ssh_fingerprint(line: &str) -> Result<String, CertsError> {
    let key = PublicKey::from_openssh(line).map_err(in_key)?;
    Ok(key.fingerprint(HashAlg::Sha256).to_string())
}

/// A public key of a client: Ed25519, ECDSA, or RSA. What is weak among them, OpenSSH itself refuses to make.
fn client_key(line: &str) -> Result<PublicKey, CertsError> {
    let refused = |why: String| CertsError::Request(why);
    if line.len() > LINE_MAX {
        return Err(refused(format!("the key is longer than {LINE_MAX} bytes")));
    }
    let key = PublicKey::from_openssh(line).map_err(|_| refused("it is no SSH public key".to_owned()))?;
    match key.algorithm() {
        ssh_key::Algorithm::Ed25519
        | ssh_key::Algorithm::Ecdsa { .. }
        | ssh_key::Algorithm::SkEd25519
        | ssh_key::Algorithm::SkEcdsaSha2NistP256
        | ssh_key::Algorithm::Rsa { .. } => Ok(key),
        other => Err(refused(format!("keys of the kind {other} are not accepted"))),
    }
}

fn random<const N: usize>() -> Result<[u8; N], CertsError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| CertsError::Random)?;
    Ok(bytes)
}

fn in_key(error: ssh_key::Error) -> CertsError {
    CertsError::Key(error.to_string())
}

fn in_contents(error: ssh_key::Error) -> CertsError {
    CertsError::Contents(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn later(hours: i64) -> Timestamp {
        now() + SignedDuration::from_hours(hours)
    }

    fn session<'a>(key: &'a str) -> SessionCertificate<'a> {
        SessionCertificate {
            key,
            key_id: "session S of alice@example.com",
            account: "deploy",
            source: "127.0.0.1".parse().unwrap(),
            extensions: &["permit-pty", "permit-agent-forwarding"],
            not_after: later(1),
        }
    }

    #[test]
    fn a_key_comes_back_from_its_file_and_debug_shows_nothing_of_it() {
        let key = SshKey::generate().unwrap();
        let pem = key.private_pem().unwrap();
        let loaded = SshKey::load(&pem).unwrap();
        assert_eq!(loaded.fingerprint(), key.fingerprint());
        assert_eq!(ssh_fingerprint(&key.public_line().unwrap()).unwrap(), key.fingerprint());
        assert_eq!(format!("{key:?}"), format!("SshKey({:?})", key.fingerprint()));
        assert!(SshKey::load("nonsense").is_err());
    }

    #[test]
    fn a_clients_certificate_names_its_signin_while_it_is_valid() {
        let (authority, client) = (SshKey::generate().unwrap(), SshKey::generate().unwrap());
        let key = client.public_line().unwrap();
        let line = authority.certify_client(&key, "signin-1", 7, now(), later(1)).unwrap();
        let found = authority.judge_client(&line, now()).unwrap();
        assert_eq!(found, SshIdentity { serial: "0000000000000007".into(), signin: "signin-1".into() });
        assert!(matches!(authority.judge_client(&line, later(1)), Err(SshCertError::NotNow { .. })));
        assert!(matches!(authority.judge_client(&line, later(-1)), Err(SshCertError::NotNow { .. })));
        let other = SshKey::generate().unwrap();
        assert_eq!(other.judge_client(&line, now()), Err(SshCertError::Foreign));
        assert_eq!(authority.judge_client("ssh-ed25519 AAAA", now()), Err(SshCertError::Malformed));
    }

    #[test]
    fn certificates_for_targets_and_hosts_sign_nobody_in() {
        let (authority, key) = (SshKey::generate().unwrap(), SshKey::generate().unwrap());
        let line = key.public_line().unwrap();
        let for_target = authority.certify_session(&session(&line), now()).unwrap();
        assert_eq!(authority.judge_client(&for_target, now()), Err(SshCertError::WrongPurpose));
        let names = ["gate.example.com".to_owned()];
        let for_host = authority.certify_host(&key, &names, now(), later(1)).unwrap();
        assert_eq!(authority.judge_client(&for_host, now()), Err(SshCertError::WrongPurpose));
    }

    #[test]
    fn a_sessions_certificate_opens_one_account_from_one_address_until_the_grant_ends() {
        let (authority, key) = (SshKey::generate().unwrap(), SshKey::generate().unwrap());
        let line = key.public_line().unwrap();
        let made = authority.certify_session(&session(&line), now()).unwrap();
        let read = Certificate::from_openssh(&made).unwrap();
        assert_eq!(read.valid_principals(), ["deploy"]);
        assert_eq!(read.valid_before(), u64::try_from(later(1).as_second()).unwrap());
        let options: Vec<_> = read.critical_options().iter().collect();
        assert_eq!(options.len(), 1);
        assert_eq!(read.critical_options().get("source-address").unwrap(), "127.0.0.1/32");
        let names: Vec<_> = read.extensions().keys().map(String::as_str).collect();
        assert_eq!(names, ["permit-agent-forwarding", "permit-pty"]);
    }
}
