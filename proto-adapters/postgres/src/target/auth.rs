//! The account proves itself to the target: SCRAM-SHA-256, and nothing that shows the secret.

use super::wire::Wire;
use crate::codec::{Cursor, backend, frontend, report};
use curfew_adapter::Secret;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
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
    Scram(io::Error),
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
pub async fn prove(wire: &mut Wire, secret: &Secret) -> Result<(), Unproved> {
    let mut scram = None::<ScramSha256>;
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
        match (kind, scram.as_mut()) {
            // Ok; a server that breaks off an exchange half-way has not proved to know the secret.
            (0, None) => return Ok(()),
            (3, None) => return Err(Unproved::Method("the password in the clear")),
            (5, None) => return Err(Unproved::Method("MD5")),
            (10, None) => {
                if !offers_scram(body) {
                    return Err(Unproved::Method("another SASL mechanism"));
                }
                let password = secret.reveal().as_bytes();
                let first = ScramSha256::new(password, ChannelBinding::unsupported());
                frontend::sasl_initial(&mut out, SCRAM_SHA_256, first.message());
                scram = Some(first);
            }
            (11, Some(exchange)) => {
                exchange.update(body.rest()).map_err(Unproved::Scram)?;
                frontend::sasl(&mut out, exchange.message());
            }
            (12, Some(exchange)) => {
                exchange.finish(body.rest()).map_err(Unproved::Scram)?;
                scram = None;
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
        if name == SCRAM_SHA_256.as_bytes() {
            return true;
        }
    }
    false
}
