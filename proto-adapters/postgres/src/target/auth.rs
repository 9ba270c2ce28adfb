//! The account proves itself to the target: SCRAM-SHA-256, and nothing that shows the secret.

use super::keys::KeyCache;
use super::scram::{Broken, Exchange, MECHANISM};
use super::wire::Wire;
use crate::codec::{Cursor, backend, frontend, report};
use curfew_adapter::Secret;
use std::io;

/// Why the account is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Unproved {
    /// The target's own words, which are about it and may be shown.
    #[error("it says: {0}")]
    Said(String),
    /// A way of proving that gives the secret away or is broken.
    #[error("it asks for {0}, and only SCRAM-SHA-256 is spoken here (pg_hba.conf: scram-sha-256)")]
    Method(&'static str),
    /// The exchange failed: a wrong secret, or a server that does not know it.
    #[error("SCRAM failed: {0}")]
    Scram(#[from] Broken),
    /// Something else than authentication.
    #[error("it breaks the Postgres protocol")]
    Protocol,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

/// Runs the exchange up to AuthenticationOk.
///
/// # Errors
/// Where the target does not let the account in.
pub async fn prove(wire: &mut Wire, secret: &Secret, keys: &KeyCache) -> Result<(), Unproved> {
    let mut scram = None::<Exchange>;
    loop {
        let (tag, body) = wire.message().await?;
        match tag {
            backend::AUTHENTICATION => {}
            backend::ERROR => return Err(Unproved::Said(report::read(body).message.into_owned())),
            backend::NOTICE | backend::NEGOTIATE => continue,
            _ => return Err(Unproved::Protocol),
        }
        let mut body = Cursor::new(body);
        // The numbers are those of the Postgres manual, 55.7, Authentication….
        let kind = body.int32().map_err(|_| Unproved::Protocol)?;
        let mut out = Vec::new();
        match (kind, scram.take()) {
            // Ok; a server that breaks off an exchange half-way has not proved to know the secret.
            (0, None) => return Ok(()),
            (3, None) => return Err(Unproved::Method("the password in the clear")),
            (5, None) => return Err(Unproved::Method("MD5")),
            (10, None) => {
                if !offers_scram(body) {
                    return Err(Unproved::Method("another SASL mechanism"));
                }
                let exchange = Exchange::begin();
                frontend::sasl_initial(&mut out, MECHANISM, exchange.first().as_bytes());
                scram = Some(exchange);
            }
            (11, Some(mut exchange)) => {
                let salt = exchange.challenge(body.rest())?;
                let proof = exchange.prove(&keys.keys(secret, salt).await)?;
                frontend::sasl(&mut out, proof.as_bytes());
                scram = Some(exchange);
            }
            (12, Some(exchange)) => {
                exchange.finish(body.rest())?;
                continue;
            }
            (2 | 6..=9, None) => return Err(Unproved::Method("a method that is not spoken here")),
            _ => return Err(Unproved::Protocol),
        }
        wire.send(&out).await?;
    }
}

fn offers_scram(mut mechanisms: Cursor<'_>) -> bool {
    while let Ok(name) = mechanisms.string() {
        if name == MECHANISM.as_bytes() {
            return true;
        }
    }
    false
}
