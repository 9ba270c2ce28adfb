//! What a server keeps of a secret that clients prove by SCRAM-SHA-256 (RFC 5802, RFC 7677): enough to check a proof, and
//! not enough to make one.

use crate::{Secret, random_bytes};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use data_encoding::BASE64;
use std::fmt;
use std::num::NonZeroU32;

/// The mechanism's name.
pub const SCRAM: &str = "SCRAM-SHA-256";

/// The name of the mechanism that is bound to the TLS connection.
pub const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// What the names of connection credentials begin with, and no account's name may.
pub const CREDENTIAL: &str = "c-";

/// Rounds of hardening: the fewest that clients take (RFC 7677, section 4). The secrets have 256 random bits, which need
/// none.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).unwrap();

/// Length of the keys, and of everything that is made with them.
const LENGTH: usize = 32;

/// A secret, as a server knows it. `Debug` shows nothing: with it one could pass for the server.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    rounds: NonZeroU32,
    salt: [u8; 16],
    /// The hash of the client's key.
    stored: [u8; LENGTH],
    /// With which the server proves that it knows the secret too.
    server: [u8; LENGTH],
}

impl ScramVerifier {
    /// Of a secret of printable ASCII, with a salt of its own. Takes a millisecond and more, on purpose.
    pub fn of(secret: &Secret) -> Self {
        let salt = random_bytes();
        let mut salted = [0; LENGTH];
        pbkdf2::derive(PBKDF2_HMAC_SHA256, ROUNDS, &salt, secret.reveal().as_bytes(), &mut salted);
        let client = scram_mac(&salted, b"Client Key");
        Self { rounds: ROUNDS, salt, stored: hash(&client), server: scram_mac(&salted, b"Server Key") }
    }

    /// Of a secret that nobody has: for a name that is not known, and the same for that name each time. `key` makes it
    /// unforeseeable.
    pub fn decoy(key: &[u8; LENGTH], name: &str) -> Self {
        let made = |what: &str| scram_mac(key, format!("{what}\0{name}").as_bytes());
        let mut salt = [0; 16];
        salt.iter_mut().zip(made("salt")).for_each(|(byte, made)| *byte = made);
        Self { rounds: ROUNDS, salt, stored: made("stored"), server: made("server") }
    }

    /// The salt.
    pub const fn salt(&self) -> &[u8; 16] {
        &self.salt
    }

    /// How often the secret is hardened.
    pub const fn rounds(&self) -> NonZeroU32 {
        self.rounds
    }

    /// Checks a client's proof of knowing the secret, made over `said` (`AuthMessage`); answers with the server's own.
    pub fn check(&self, said: &[u8], proof: &[u8]) -> Option<[u8; LENGTH]> {
        let mut client: [u8; LENGTH] = proof.try_into().ok()?;
        let signature = scram_mac(&self.stored, said);
        client.iter_mut().zip(signature).for_each(|(byte, signed)| *byte ^= signed);
        verify_slices_are_equal(&hash(&client), &self.stored).ok()?;
        Some(scram_mac(&self.server, said))
    }

    /// As Postgres writes one (`pg_authid.rolpassword`): `SCRAM-SHA-256$ROUNDS:SALT$STORED:SERVER`.
    pub fn to_text(&self) -> String {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored, &self.server].map(|key| BASE64.encode(key));
        format!("{SCRAM}${}:{salt}${stored}:{server}", self.rounds)
    }

    /// Reads one back.
    pub fn parse(text: &str) -> Option<Self> {
        let (hardened, keys) = text.strip_prefix(SCRAM)?.strip_prefix('$')?.split_once('$')?;
        let ((rounds, salt), (stored, server)) = (hardened.split_once(':')?, keys.split_once(':')?);
        let bytes = |text: &str| BASE64.decode(text.as_bytes()).ok();
        Some(Self {
            rounds: rounds.parse().ok()?,
            salt: bytes(salt)?.try_into().ok()?,
            stored: bytes(stored)?.try_into().ok()?,
            server: bytes(server)?.try_into().ok()?,
        })
    }
}

impl fmt::Debug for ScramVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramVerifier(…)")
    }
}

/// HMAC-SHA-256, the arithmetic of both sides.
pub fn scram_mac(key: &[u8], text: &[u8]) -> [u8; LENGTH] {
    let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), text);
    let mut bytes = [0; LENGTH];
    bytes.iter_mut().zip(tag.as_ref()).for_each(|(byte, tag)| *byte = *tag);
    bytes
}

fn hash(key: &[u8; LENGTH]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes.iter_mut().zip(digest(&SHA256, key).as_ref()).for_each(|(byte, hashed)| *byte = *hashed);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677, section 3, with the user name that it has there.
    #[test]
    fn the_known_proof_is_good_and_no_other() {
        let salt: [u8; 16] = BASE64.decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let mut salted = [0; LENGTH];
        pbkdf2::derive(PBKDF2_HMAC_SHA256, ROUNDS, &salt, b"pencil", &mut salted);
        let stored = hash(&scram_mac(&salted, b"Client Key"));
        let verifier =
            ScramVerifier { rounds: ROUNDS, salt, stored, server: scram_mac(&salted, b"Server Key") };
        let said = b"n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let mut proof = BASE64.decode(b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let answer = verifier.check(said, &proof).unwrap();
        assert_eq!(BASE64.encode(&answer), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(verifier.check(&said[1..], &proof), None);
        proof[0] ^= 1;
        assert_eq!(verifier.check(said, &proof), None);
        assert_eq!(verifier.check(said, &[]), None);
    }

    #[test]
    fn it_is_read_back_as_written_and_never_shown() {
        let verifier = ScramVerifier::of(&Secret::new("secret".to_owned()));
        let text = verifier.to_text();
        assert_eq!(ScramVerifier::parse(&text).unwrap(), verifier);
        assert!(text.starts_with("SCRAM-SHA-256$4096:"), "{text}");
        assert_eq!(format!("{verifier:?}"), "ScramVerifier(…)");
        for wrong in ["", "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA", "md5", &text[1..], &text[..text.len() - 4]] {
            assert!(ScramVerifier::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_decoy_is_the_same_each_time_and_another_for_each_name_and_key() {
        let made = |key: u8, name: &str| ScramVerifier::decoy(&[key; LENGTH], name);
        assert_eq!(made(1, "c-a"), made(1, "c-a"));
        assert_ne!(made(1, "c-a").salt(), made(1, "c-b").salt());
        assert_ne!(made(1, "c-a").salt(), made(2, "c-a").salt());
    }
}
