//! The account proves itself to the target: SCRAM-SHA-256, bound to the target's certificate where both can, and MD5
//! only where the target's entry says so. Nothing that shows the secret.

use super::keys::KeyCache;
use super::scram::{Bound, Broken, Exchange};
use super::wire::Wire;
use crate::codec::startup::{LOWEST, major, minor};
use crate::codec::{Cursor, backend, frontend, report};
use curfew_adapter::{PasswordProof, SCRAM, SCRAM_PLUS, Secret};
use data_encoding::HEXLOWER;
use md5::{Digest, Md5};
use std::io;

/// Why the account is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Unproved {
    /// The target's own words, which are about it and may be shown; and its SQLSTATE, where it gave one.
    #[error("it says: {0}")]
    Said(String, String),
    /// A way of proving that gives the secret away or is broken.
    #[error("it asks for {0}, and only SCRAM-SHA-256 is spoken here (pg_hba.conf: scram-sha-256)")]
    Method(&'static str),
    /// Less than the entry of the target demands.
    #[error("{0}, and its entry demands SCRAM-SHA-256-PLUS (auth)")]
    Unbound(&'static str),
    /// A password is asked for, and the account has none.
    #[error("it asks for a password, and the account signs in by certificate (pg_hba.conf: cert)")]
    NoPassword,
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

/// Who proves what, and how.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The account.
    pub account: &'a str,
    /// Its password; none where it signs in by certificate.
    pub secret: Option<&'a Secret>,
    /// The weakest proof that may be given.
    pub weakest: PasswordProof,
    /// What the connection can be bound to.
    pub channel: &'a Channel,
    /// The minor version of the protocol that was asked for.
    pub minor: u16,
}

/// What an exchange can be bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Nothing: there is no TLS, or its certificate can't be hashed.
    Nothing,
    /// The certificate that the server has shown, as its hash.
    EndPoint(Vec<u8>),
}

/// Runs the exchange up to AuthenticationOk; says how the password was proved, if it was.
///
/// # Errors
/// Where the target does not let the account in.
pub async fn prove(
    wire: &mut Wire,
    claim: Claim<'_>,
    keys: &KeyCache,
) -> Result<Option<PasswordProof>, Unproved> {
    let mut scram = None::<Exchange>;
    let mut proved = None;
    loop {
        let (tag, body) = wire.message().await?;
        match tag {
            backend::AUTHENTICATION => {}
            backend::ERROR => {
                let told = report::read(body);
                return Err(Unproved::Said(told.message.into_owned(), told.code.into_owned()));
            }
            backend::NOTICE => continue,
            backend::NEGOTIATE => {
                negotiated(body, claim.minor)?;
                continue;
            }
            _ => return Err(Unproved::Protocol),
        }
        let mut body = Cursor::new(body);
        // The numbers are those of the Postgres manual, 55.7, Authentication….
        let kind = body.int32().map_err(|_| Unproved::Protocol)?;
        let mut out = Vec::new();
        match (kind, scram.take()) {
            // Ok; a server that breaks off an exchange half-way has not proved to know the secret.
            (0, None) if claim.weakest == PasswordProof::ScramPlus && proved.is_none() => {
                return Err(Unproved::Unbound("it lets the account in without a proof"));
            }
            (0, None) => return Ok(proved),
            (3, None) => return Err(Unproved::Method("the password in the clear")),
            (5, None) if claim.weakest == PasswordProof::Md5 => {
                let salt = body.take(4).map_err(|_| Unproved::Protocol)?;
                let secret = claim.secret.ok_or(Unproved::NoPassword)?;
                frontend::password(&mut out, &md5_answer(claim.account, secret, salt));
                proved = Some(PasswordProof::Md5);
            }
            (5, None) => return Err(Unproved::Method("MD5")),
            (10, None) => {
                claim.secret.ok_or(Unproved::NoPassword)?;
                let (mechanism, how) = choose(body, claim)?;
                proved = Some(match how {
                    Bound::EndPoint(_) => PasswordProof::ScramPlus,
                    Bound::Nothing | Bound::NotOffered => PasswordProof::Scram,
                });
                let exchange = Exchange::begin(how);
                frontend::sasl_initial(&mut out, mechanism, exchange.first().as_bytes());
                scram = Some(exchange);
            }
            (11, Some(mut exchange)) => {
                let salt = exchange.challenge(body.rest())?;
                let secret = claim.secret.ok_or(Unproved::NoPassword)?;
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

/// The mechanism to use of those that the server offers, and what it is bound to. The bound one wherever there is one.
fn choose(mut offered: Cursor<'_>, claim: Claim<'_>) -> Result<(&'static str, Bound), Unproved> {
    let (mut plain, mut plus) = (false, false);
    while let Ok(name) = offered.string() {
        plain |= name == SCRAM.as_bytes();
        plus |= name == SCRAM_PLUS.as_bytes();
    }
    match claim.channel {
        Channel::EndPoint(hash) if plus => Ok((SCRAM_PLUS, Bound::EndPoint(hash.clone()))),
        _ if claim.weakest == PasswordProof::ScramPlus => Err(Unproved::Unbound(match claim.channel {
            Channel::Nothing => "the connection has no certificate to bind to",
            Channel::EndPoint(_) => "it offers no channel binding",
        })),
        // A server that could, and hears that we believe it can't, knows of somebody in between who took the offer out.
        Channel::EndPoint(_) if plain => Ok((SCRAM, Bound::NotOffered)),
        Channel::Nothing if plain => Ok((SCRAM, Bound::Nothing)),
        _ => Err(Unproved::Method("another SASL mechanism")),
    }
}

/// NegotiateProtocolVersion: the server speaks an older minor version than was asked for. Nothing else can be meant, for
/// no options were asked for.
fn negotiated(body: &[u8], asked: u16) -> Result<(), Unproved> {
    let mut body = Cursor::new(body);
    let (version, unknown) = (body.int32(), body.int32());
    match (version, unknown) {
        (Ok(version), Ok(0)) if major(version) == LOWEST.0 && minor(version) < asked => Ok(()),
        _ => Err(Unproved::Protocol),
    }
}

/// `md5` and md5(md5(password + account) + salt), each in hexadecimal (Postgres manual, 55.2.1).
fn md5_answer(account: &str, secret: &Secret, salt: &[u8]) -> String {
    let hex = |parts: [&[u8]; 2]| {
        let [first, second] = parts;
        HEXLOWER.encode(&Md5::new().chain_update(first).chain_update(second).finalize())
    };
    let stored = hex([secret.reveal().as_bytes(), account.as_bytes()]);
    format!("md5{}", hex([stored.as_bytes(), salt]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's hashlib.
    #[test]
    fn the_answer_to_md5_is_the_known_one() {
        let answer = md5_answer("orders_read", &Secret::new("pencil".to_owned()), &[1, 2, 3, 4]);
        assert_eq!(answer, "md57f6075784c8ff61ad4166be6896169d6");
    }

    fn chosen(
        offered: &[u8],
        channel: Channel,
        weakest: PasswordProof,
    ) -> Result<(&'static str, Bound), String> {
        let claim = Claim { account: "a", secret: None, weakest, channel: &channel, minor: 0 };
        choose(Cursor::new(offered), claim).map_err(|error| error.to_string())
    }

    #[test]
    fn the_bound_mechanism_is_chosen_wherever_there_is_one() {
        use PasswordProof::{Md5, Scram, ScramPlus};
        let end_point = || Channel::EndPoint(vec![7]);
        let (both, plain) = (b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0", b"SCRAM-SHA-256\0\0");
        for weakest in [Md5, Scram, ScramPlus] {
            assert_eq!(chosen(both, end_point(), weakest), Ok((SCRAM_PLUS, Bound::EndPoint(vec![7]))));
        }
        assert_eq!(chosen(plain, end_point(), Scram), Ok((SCRAM, Bound::NotOffered)));
        assert_eq!(chosen(both, Channel::Nothing, Scram), Ok((SCRAM, Bound::Nothing)));
        assert!(chosen(plain, end_point(), ScramPlus).unwrap_err().contains("no channel binding"));
        assert!(chosen(both, Channel::Nothing, ScramPlus).unwrap_err().contains("no certificate"));
        assert!(chosen(b"OAUTHBEARER\0\0", end_point(), Scram).unwrap_err().contains("another SASL"));
        assert!(chosen(b"SCRAM-SHA-256-PLUS\0\0", Channel::Nothing, Scram).is_err());
    }

    #[test]
    fn only_an_older_version_can_be_negotiated() {
        let told = |version: i32, unknown: i32| {
            negotiated(&[version.to_be_bytes(), unknown.to_be_bytes()].concat(), 2).is_ok()
        };
        assert!(told(3 << 16, 0) && told(3 << 16 | 1, 0));
        assert!(!told(3 << 16 | 2, 0) && !told(2 << 16, 0) && !told(4 << 16, 0) && !told(3 << 16, 1));
        assert!(negotiated(&[0, 3, 0, 0, 0, 0, 0, 0], 0).is_err(), "3.0 was asked for, and is no news");
        assert!(negotiated(&[0, 3], 2).is_err());
    }
}
