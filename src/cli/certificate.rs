//! The client certificate that plain psql signs in with.
//!
//! Owns the key, which is made here and never leaves this machine, and the renewal: the same key, a new certificate,
//! so that the pair on disk always fits.

use curfew_adapter::Secret;
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde::Serialize;

use super::CliError;
use super::client::{Client, Saved, wire};

/// A certificate that ends sooner than this is renewed before it is used.
pub const SOON: SignedDuration = SignedDuration::from_mins(5);

#[derive(Serialize)]
struct Ask {
    csr: String,
}

/// Makes a key and gets a certificate for it.
///
/// # Errors
/// Refused, not reached, or not saved.
pub async fn begin(client: &Client, saved: &Saved) -> Result<Timestamp, CliError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| cannot(&error))?;
    let until = certify(client, saved, &key).await;
    // The key last: where the old certificate stays, so does its key.
    if until.is_ok() {
        saved.save_key(&Secret::new(key.serialize_pem()))?;
    }
    until
}

/// Renews the certificate where it is gone or ends soon; says when the one on disk ends.
///
/// # Errors
/// Refused, not reached, or not saved.
pub async fn keep(client: &Client, saved: &Saved, now: Timestamp) -> Result<Timestamp, CliError> {
    let ends = saved.about().and_then(|about| about.certificate_ends_at);
    let key = saved.key().filter(|_| saved.certificate_path().exists());
    match (key, ends) {
        (Some(_), Some(ends)) if ends.duration_since(now) > SOON => Ok(ends),
        (Some(key), _) => match KeyPair::from_pem(key.reveal()) {
            Ok(key) => certify(client, saved, &key).await,
            Err(_) => begin(client, saved).await,
        },
        (None, _) => begin(client, saved).await,
    }
}

async fn certify(client: &Client, saved: &Saved, key: &KeyPair) -> Result<Timestamp, CliError> {
    let request = CertificateParams::default().serialize_request(key).and_then(|request| request.pem());
    let ask = Ask { csr: request.map_err(|error| cannot(&error))? };
    let answer: wire::Certificate = client.create(&["certificates"], &ask).await?.read()?;
    saved.save_certificate(&answer.certificate)?;
    if let Some(mut about) = saved.about() {
        about.certificate_ends_at = Some(answer.expires_at);
        saved.save_about(&about)?;
    }
    Ok(answer.expires_at)
}

fn cannot(error: &rcgen::Error) -> CliError {
    CliError::failed(format!("a key for the client certificate can't be made: {error}"))
}
