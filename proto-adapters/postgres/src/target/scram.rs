//! SCRAM-SHA-256 as the client speaks it (RFC 5802, RFC 7677): bytes in, bytes out. No channel binding.
//!
//! What a server says in it is a stranger's: a challenge that is malformed, or asks for absurd work, is refused.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use curfew_adapter::random_bytes;
use data_encoding::BASE64;
use std::borrow::Cow;
use std::num::NonZeroU32;

/// The mechanism's name.
pub const MECHANISM: &str = "SCRAM-SHA-256";

/// Rounds that a server may ask for: 250 times Postgres' own default, and still less than a second.
const ROUNDS: u32 = 1_000_000;

/// "No channel binding, and none is known of", as both messages say it.
const HEADER: &str = "n,,";

/// Length of the keys, and of everything that is made with them.
const LENGTH: usize = 32;

/// Why an exchange can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The server's message is not one.
    #[error("the server's message is malformed")]
    Malformed,
    /// The nonce that came back is not an answer to ours.
    #[error("the server did not answer to this exchange")]
    Nonce,
    /// More rounds than anybody needs.
    #[error("the server asks for more than a million rounds")]
    Rounds,
    /// The server says that it failed.
    #[error("the server refused the proof")]
    Refused,
    /// The server has not proved that it knows the secret.
    #[error("the server does not know the secret")]
    Impostor,
}

/// What a password is turned into under one salt. As good as the password for that account, so never shown.
#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq, Eq))]
pub struct Keys {
    client: [u8; LENGTH],
    server: [u8; LENGTH],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// How the server wants a password hardened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salt {
    /// The salt.
    pub bytes: Vec<u8>,
    /// How often.
    pub rounds: NonZeroU32,
}

/// An exchange under way.
#[derive(Debug)]
pub struct Exchange {
    nonce: String,
    /// Everything that both have said, once the challenge is known.
    said: String,
    expected: Option<[u8; LENGTH]>,
}

impl Keys {
    /// The keys of `password` under `salt`. Takes a millisecond and more, on purpose.
    pub fn derive(password: &str, salt: &Salt) -> Self {
        let password = prepared(password);
        let mut salted = [0; LENGTH];
        pbkdf2::derive(PBKDF2_HMAC_SHA256, salt.rounds, &salt.bytes, password.as_bytes(), &mut salted);
        Self { client: mac(&salted, b"Client Key"), server: mac(&salted, b"Server Key") }
    }
}

impl Exchange {
    /// Begins one.
    pub fn begin() -> Self {
        Self::with_nonce(BASE64.encode(&random_bytes::<18>()))
    }

    const fn with_nonce(nonce: String) -> Self {
        Self { nonce, said: String::new(), expected: None }
    }

    /// The first message. The user's name is in the startup packet, and left out here.
    pub fn first(&self) -> String {
        format!("{HEADER}n=,r={}", self.nonce)
    }

    /// Reads the server's challenge.
    ///
    /// # Errors
    /// It is malformed, or not an answer to the first message.
    pub fn challenge(&mut self, challenge: &[u8]) -> Result<Salt, Broken> {
        let text = std::str::from_utf8(challenge).map_err(|_| Broken::Malformed)?;
        let mut parts = text.split(',');
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        let (nonce, salt, rounds) = match (part("r="), part("s="), part("i=")) {
            (Some(nonce), Some(salt), Some(rounds)) => (nonce, salt, rounds),
            _ => return Err(Broken::Malformed),
        };
        if !self.said.is_empty() {
            return Err(Broken::Malformed);
        }
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(Broken::Nonce);
        }
        let bytes = BASE64.decode(salt.as_bytes()).map_err(|_| Broken::Malformed)?;
        let rounds: NonZeroU32 = rounds.parse().map_err(|_| Broken::Malformed)?;
        if rounds.get() > ROUNDS {
            return Err(Broken::Rounds);
        }
        let bound = BASE64.encode(HEADER.as_bytes());
        self.said = format!("n=,r={},{text},c={bound},r={nonce}", self.nonce);
        Ok(Salt { bytes, rounds })
    }

    /// The second message: the proof of knowing the secret that `keys` come from.
    ///
    /// # Errors
    /// There was no challenge.
    pub fn prove(&mut self, keys: &Keys) -> Result<String, Broken> {
        let (_, last) = self.said.split_once(",c=").ok_or(Broken::Malformed)?;
        let stored = digest(&SHA256, &keys.client);
        let signature = mac(stored.as_ref(), self.said.as_bytes());
        let mut proof = keys.client;
        proof.iter_mut().zip(signature).for_each(|(key, signed)| *key ^= signed);
        self.expected = Some(mac(&keys.server, self.said.as_bytes()));
        Ok(format!("c={last},p={}", BASE64.encode(&proof)))
    }

    /// Checks that the server knows the secret too.
    ///
    /// # Errors
    /// It does not.
    pub fn finish(self, verdict: &[u8]) -> Result<(), Broken> {
        if verdict.starts_with(b"e=") {
            return Err(Broken::Refused);
        }
        let (Some(expected), Some(signature)) = (self.expected, verdict.strip_prefix(b"v=")) else {
            return Err(Broken::Malformed);
        };
        let signature = BASE64.decode(signature).map_err(|_| Broken::Malformed)?;
        verify_slices_are_equal(&expected, &signature).map_err(|_| Broken::Impostor)
    }
}

/// SASLprep (RFC 4013); a password that it does not take is used as it is, as Postgres does it.
fn prepared(password: &str) -> Cow<'_, str> {
    stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password))
}

fn mac(key: &[u8], text: &[u8]) -> [u8; LENGTH] {
    let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), text);
    let mut bytes = [0; LENGTH];
    bytes.iter_mut().zip(tag.as_ref()).for_each(|(byte, tag)| *byte = *tag);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn begun() -> Exchange {
        Exchange::with_nonce("rOprNGfwEbeRWgbNEkqO".to_owned())
    }

    /// The salt, nonces and password of RFC 7677, section 3, with an empty user name as in Postgres; the proofs were
    /// computed with Python's hashlib.
    #[test]
    fn an_exchange_ends_in_the_known_proof() {
        let mut exchange = begun();
        assert_eq!(exchange.first(), "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
        let salt = exchange.challenge(CHALLENGE).unwrap();
        let proof = exchange.prove(&Keys::derive("pencil", &salt)).unwrap();
        assert_eq!(
            proof,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=qvT2SWdEH5Q06albL+hjSYuUhCG7VndFyzIb7CK4n9k="
        );
        exchange.finish(b"v=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg=").unwrap();
    }

    #[test]
    fn a_server_that_does_not_know_the_secret_is_found_out() {
        let mut exchange = begun();
        let salt = exchange.challenge(CHALLENGE).unwrap();
        exchange.prove(&Keys::derive("another", &salt)).unwrap();
        let verdict = b"v=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg=";
        assert_eq!(exchange.finish(verdict), Err(Broken::Impostor));
        assert_eq!(begun().finish(verdict), Err(Broken::Malformed));
        assert_eq!(begun().finish(b"e=invalid-proof"), Err(Broken::Refused));
    }

    #[test]
    fn challenges_that_make_no_sense_are_refused() {
        let refused = |challenge: &[u8]| begun().challenge(challenge).unwrap_err();
        assert_eq!(refused(b""), Broken::Malformed);
        assert_eq!(refused(b"r=rOprNGfwEbeRWgbNEkqO,s=AAAA,i=4096"), Broken::Nonce);
        assert_eq!(refused(b"r=another,s=AAAA,i=4096"), Broken::Nonce);
        assert_eq!(refused(b"r=rOprNGfwEbeRWgbNEkqOx,s=!,i=4096"), Broken::Malformed);
        assert_eq!(refused(b"r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=0"), Broken::Malformed);
        assert_eq!(refused(b"r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=4294967295"), Broken::Rounds);
        assert_eq!(refused(b"\xff"), Broken::Malformed);
        let mut exchange = begun();
        exchange.challenge(CHALLENGE).unwrap();
        assert_eq!(exchange.challenge(CHALLENGE), Err(Broken::Malformed));
    }

    #[test]
    fn passwords_are_prepared_as_postgres_does() {
        // RFC 4013, section 3: a soft hyphen vanishes, a fullwidth letter becomes a plain one, and what is forbidden
        // stays as it is.
        assert_eq!(prepared("I\u{ad}X"), "IX");
        assert_eq!(prepared("\u{2168}"), "IX");
        assert_eq!(prepared("a\u{7}b"), "a\u{7}b");
    }
}
