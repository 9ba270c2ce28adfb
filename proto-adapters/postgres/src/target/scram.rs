//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS as the client speaks them (RFC 5802, RFC 7677): bytes in, bytes out.
//!
//! What a server says in it is a stranger's: a challenge that is malformed, or asks for absurd work, is refused.

use crate::binding::END_POINT;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use curfew_adapter::{random_bytes, scram_mac};
use data_encoding::BASE64;
use std::borrow::Cow;
use std::num::NonZeroU32;

/// Rounds that a server may ask for: 250 times Postgres' own default, and still less than a second.
const ROUNDS: u32 = 1_000_000;

/// The longest salt that is taken; Postgres makes 16 bytes.
const SALT: usize = 1024;

/// The longest nonce that is taken, ours included; Postgres makes 24 characters.
const NONCE: usize = 1024;

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
    /// A salt or a nonce of absurd length.
    #[error("the server's challenge is longer than any that makes sense")]
    TooLong,
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

/// What an exchange is bound to (RFC 5802, section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Nothing: we can't.
    Nothing,
    /// Nothing: we could, and the server does not offer it.
    NotOffered,
    /// The server's certificate, as its hash.
    EndPoint(Vec<u8>),
}

impl Bound {
    /// The beginning of the first message (`gs2-header`).
    fn header(&self) -> String {
        match self {
            Self::Nothing => "n,,".to_owned(),
            Self::NotOffered => "y,,".to_owned(),
            Self::EndPoint(_) => format!("p={END_POINT},,"),
        }
    }

    /// What the second message repeats of it (`cbind-input`), in base64.
    fn input(&self) -> String {
        let mut input = self.header().into_bytes();
        if let Self::EndPoint(hash) = self {
            input.extend_from_slice(hash);
        }
        BASE64.encode(&input)
    }
}

/// An exchange under way.
#[derive(Debug)]
pub struct Exchange {
    bound: Bound,
    nonce: String,
    /// What both have said, and the beginning of what is to be said, once the challenge is known.
    challenged: Option<Challenged>,
    expected: Option<[u8; LENGTH]>,
}

#[derive(Debug)]
struct Challenged {
    /// Our first message without its header, and the challenge, with a comma behind each.
    said: String,
    /// Our second message, without the proof.
    last: String,
}

impl Keys {
    /// The keys of `password` under `salt`. Takes a millisecond and more, on purpose.
    pub fn derive(password: &str, salt: &Salt) -> Self {
        let password = prepared(password);
        let mut salted = [0; LENGTH];
        pbkdf2::derive(PBKDF2_HMAC_SHA256, salt.rounds, &salt.bytes, password.as_bytes(), &mut salted);
        Self { client: scram_mac(&salted, b"Client Key"), server: scram_mac(&salted, b"Server Key") }
    }
}

impl Exchange {
    /// Begins one.
    pub fn begin(bound: Bound) -> Self {
        Self::with_nonce(bound, BASE64.encode(&random_bytes::<18>()))
    }

    const fn with_nonce(bound: Bound, nonce: String) -> Self {
        Self { bound, nonce, challenged: None, expected: None }
    }

    /// The first message. The user's name is in the startup packet, and left out here.
    pub fn first(&self) -> String {
        format!("{}n=,r={}", self.bound.header(), self.nonce)
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
        if self.challenged.is_some() {
            return Err(Broken::Malformed);
        }
        // Printable, and no comma, which the split has seen to (RFC 5802, section 7, `printable`).
        if !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Broken::Malformed);
        }
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(Broken::Nonce);
        }
        if nonce.len() > NONCE || salt.len() > SALT / 3 * 4 {
            return Err(Broken::TooLong);
        }
        let bytes = BASE64.decode(salt.as_bytes()).map_err(|_| Broken::Malformed)?;
        let rounds: NonZeroU32 = rounds.parse().map_err(|_| Broken::Malformed)?;
        if rounds.get() > ROUNDS {
            return Err(Broken::Rounds);
        }
        self.challenged = Some(Challenged {
            said: format!("n=,r={},{text},", self.nonce),
            last: format!("c={},r={nonce}", self.bound.input()),
        });
        Ok(Salt { bytes, rounds })
    }

    /// The second message: the proof of knowing the secret that `keys` come from.
    ///
    /// # Errors
    /// There was no challenge.
    pub fn prove(&mut self, keys: &Keys) -> Result<String, Broken> {
        let Challenged { said, last } = self.challenged.as_ref().ok_or(Broken::Malformed)?;
        let all = format!("{said}{last}");
        let stored = digest(&SHA256, &keys.client);
        let signature = scram_mac(stored.as_ref(), all.as_bytes());
        let mut proof = keys.client;
        proof.iter_mut().zip(signature).for_each(|(key, signed)| *key ^= signed);
        self.expected = Some(scram_mac(&keys.server, all.as_bytes()));
        Ok(format!("{last},p={}", BASE64.encode(&proof)))
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

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn begun() -> Exchange {
        Exchange::with_nonce(Bound::Nothing, "rOprNGfwEbeRWgbNEkqO".to_owned())
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

    /// The same, bound to a certificate whose hash is 0, 1, 2… to 31, and unbound towards a server that offers nothing.
    #[test]
    fn a_bound_exchange_ends_in_the_known_proof() {
        let known = [
            (
                Bound::EndPoint((0..32).collect()),
                "p=tls-server-end-point,,n=,r=rOprNGfwEbeRWgbNEkqO",
                "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=Q8h71kjaoMzNI7dPksDrhRE/5mTUObF0fUHVIgBOWQg=",
                "v=ykwoqH8mLqO5AQCeuwwf6lsj9f8zyJZT/CcvAbN4Ssc=",
            ),
            (
                Bound::NotOffered,
                "y,,n=,r=rOprNGfwEbeRWgbNEkqO",
                "c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=VpuC5DGQa5ro9tXE9MnKs69NH1nxnuregZZcclqIGfM=",
                "v=FOmOj9BpTGwvnzwBtWQjBaPmVxT9I8IeHBOhcIPu3us=",
            ),
        ];
        for (bound, first, proof, verdict) in known {
            let mut exchange = Exchange::with_nonce(bound, "rOprNGfwEbeRWgbNEkqO".to_owned());
            assert_eq!(exchange.first(), first);
            let salt = exchange.challenge(CHALLENGE).unwrap();
            assert_eq!(exchange.prove(&Keys::derive("pencil", &salt)).unwrap(), proof);
            exchange.finish(verdict.as_bytes()).unwrap();
        }
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
        assert_eq!(refused(b"r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=2147483648"), Broken::Rounds);
        assert_eq!(refused(b"r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=-1"), Broken::Malformed);
        assert_eq!(refused(b"r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=99999999999"), Broken::Malformed);
        assert_eq!(refused(b"r=rOprNGfwEbeRWgbNEkqO\x07,s=AAAA,i=4096"), Broken::Malformed);
        assert_eq!(refused("r=rOprNGfwEbeRWgbNEkqO\u{e9},s=AAAA,i=4096".as_bytes()), Broken::Malformed);
        assert_eq!(refused(b"m=must,r=rOprNGfwEbeRWgbNEkqOx,s=AAAA,i=4096"), Broken::Malformed);
        let huge = "A".repeat(20_000);
        let salt = format!("r=rOprNGfwEbeRWgbNEkqOx,s={huge},i=4096");
        assert_eq!(refused(salt.as_bytes()), Broken::TooLong);
        let nonce = format!("r=rOprNGfwEbeRWgbNEkqO{huge},s=AAAA,i=4096");
        assert_eq!(refused(nonce.as_bytes()), Broken::TooLong);
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
