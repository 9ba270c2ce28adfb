//! Ed25519 signatures (RFC 8032) over seals and checkpoints, and the one envelope that both are written in.
//!
//! Owns the key file, the key ids and the envelope. A private key never leaves [`SigningKey`] except as the PEM
//! text of [`SigningKey::generate`], which `curfew init` writes to a file of mode 0600.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// What a signature is for; a seal never passes as a checkpoint, nor the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// The seal of a recording.
    Seal,
    /// A checkpoint of the audit log.
    Checkpoint,
}

impl Domain {
    fn prefix(self) -> &'static str {
        match self {
            Self::Seal => "curfew seal v1\n",
            Self::Checkpoint => "curfew checkpoint v1\n",
        }
    }

    fn message(self, payload: &str) -> Vec<u8> {
        [self.prefix().as_bytes(), payload.as_bytes()].concat()
    }
}

/// The first 16 hex digits of the SHA-256 of a raw public key (32 bytes): enough to find the key, not to trust it.
fn key_id(raw_public: &[u8]) -> String {
    Digest::of(raw_public).to_string().chars().take(16).collect()
}

/// A signed payload, as one line of JSON. The payload is text within the text, so that a reader checks the very
/// bytes that were signed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    payload: String,
    key: String,
    signature: String,
}

/// The version of every payload.
const VERSION: u32 = 1;

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// Why a key file was refused.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no PEM block of the kind that is due.
    #[error("there is no PEM block `{0}` in it")]
    NotPem(&'static str),
    /// The block does not hold an Ed25519 key.
    #[error("it does not hold an Ed25519 key")]
    NotEd25519,
    /// The library could not make or encode a key.
    #[error("no key could be made")]
    Generate,
}

/// The key that signs; its Debug shows the id only.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    id: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    fn new(pair: Ed25519KeyPair) -> Self {
        let id = key_id(pair.public_key().as_ref());
        Self { pair, id }
    }

    /// A fresh key and its private PEM text (PKCS #8, RFC 8410).
    pub fn generate() -> Result<(Self, String), KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Generate)?;
        let der = pair.to_pkcs8v1().map_err(|_| KeyError::Generate)?;
        let pem = pem_text(PRIVATE, der.as_ref());
        Ok((Self::new(pair), pem))
    }

    /// Reads the private PEM text that [`SigningKey::generate`] gave, or that `openssl genpkey` wrote.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = pem_bytes(PRIVATE, pem)?;
        Ed25519KeyPair::from_pkcs8(&der).map(Self::new).map_err(|_| KeyError::NotEd25519)
    }

    /// The id under which signatures name this key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half as PEM (SubjectPublicKeyInfo, RFC 8410): what a verifier is given.
    pub fn public_pem(&self) -> Result<String, KeyError> {
        let der = self.pair.public_key().as_der().map_err(|_| KeyError::Generate)?;
        Ok(pem_text(PUBLIC, der.as_ref()))
    }

    /// The public half, for verifying at once.
    #[must_use]
    pub fn public(&self) -> PublicKeys {
        PublicKeys { keys: vec![(self.id.clone(), self.pair.public_key().as_ref().to_vec())] }
    }

    /// The line, without its newline, that holds and signs this payload.
    pub fn seal<T: Serialize>(&self, domain: Domain, payload: &T) -> serde_json::Result<String> {
        let payload = serde_json::to_string(payload)?;
        let signature = BASE64.encode(self.pair.sign(&domain.message(&payload)).as_ref());
        serde_json::to_string(&Envelope { payload, key: self.id.clone(), signature })
    }
}

/// Why a signed line was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not an envelope, not written as one is written, or its payload is not of the kind that is due.
    #[error("it is not a signed line of this format")]
    Malformed,
    /// Signed by a key that was not given.
    #[error("it names the key {0}, which is none of the keys given")]
    UnknownKey(String),
    /// The signature is not this key's over this payload.
    #[error("its signature is wrong")]
    BadSignature,
}

/// The keys that a verifier trusts: the one in use, and those before it.
#[derive(Debug, Clone, Default)]
pub struct PublicKeys {
    keys: Vec<(String, Vec<u8>)>,
}

impl PublicKeys {
    /// Reads every `PUBLIC KEY` block of a PEM text; there must be one at least.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        let mut rest = pem;
        while let Some((der, after)) = next_pem(PUBLIC, rest) {
            let raw = der.strip_prefix(SPKI_ED25519).filter(|raw| raw.len() == 32);
            let raw = raw.ok_or(KeyError::NotEd25519)?;
            keys.push((key_id(raw), raw.to_vec()));
            rest = after;
        }
        if keys.is_empty() { Err(KeyError::NotPem(PUBLIC)) } else { Ok(Self { keys }) }
    }

    /// Adds another's keys to these.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.keys.extend(others.keys);
        self
    }

    /// Checks a signed line and reads its payload. The line has to be, byte for byte, what writing the envelope
    /// anew gives: no byte of it is without meaning.
    pub fn open<T: for<'de> Deserialize<'de>>(
        &self,
        domain: Domain,
        line: &[u8],
    ) -> Result<T, EnvelopeError> {
        let envelope: Envelope = serde_json::from_slice(line).map_err(|_| EnvelopeError::Malformed)?;
        let again = serde_json::to_vec(&envelope).map_err(|_| EnvelopeError::Malformed)?;
        if again != line {
            return Err(EnvelopeError::Malformed);
        }
        let signature = BASE64.decode(envelope.signature.as_bytes()).map_err(|_| EnvelopeError::Malformed)?;
        let (_, key) = self
            .keys
            .iter()
            .find(|(id, _)| *id == envelope.key)
            .ok_or_else(|| EnvelopeError::UnknownKey(envelope.key.clone()))?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&domain.message(&envelope.payload), &signature)
            .map_err(|_| EnvelopeError::BadSignature)?;
        let Version { v: VERSION } =
            serde_json::from_str(&envelope.payload).map_err(|_| EnvelopeError::Malformed)?
        else {
            return Err(EnvelopeError::Malformed);
        };
        serde_json::from_str(&envelope.payload).map_err(|_| EnvelopeError::Malformed)
    }
}

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// The DER of a SubjectPublicKeyInfo up to the key itself (RFC 8410, section 4).
const SPKI_ED25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// RFC 7468.
fn pem_text(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let encoded = BASE64.encode(der);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// The bytes of the next block of this label, and the text after it.
fn next_pem<'a>(label: &str, text: &'a str) -> Option<(Vec<u8>, &'a str)> {
    let (_, text) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, after) = text.split_once(&format!("-----END {label}-----"))?;
    let encoded: String = body.split_ascii_whitespace().collect();
    Some((BASE64.decode(encoded.as_bytes()).ok()?, after))
}

fn pem_bytes(label: &'static str, text: &str) -> Result<Vec<u8>, KeyError> {
    next_pem(label, text).map(|(der, _)| der).ok_or(KeyError::NotPem(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        v: u32,
        text: String,
    }

    fn note(text: &str) -> Note {
        Note { v: 1, text: text.to_owned() }
    }

    #[test]
    fn a_key_survives_its_file_and_its_debug_is_empty() {
        let (key, pem) = SigningKey::generate().unwrap();
        let again = SigningKey::from_pem(&pem).unwrap();
        assert_eq!(key.id(), again.id());
        assert_eq!(key.id().len(), 16);
        let shown = format!("{key:?}");
        assert!(shown.contains(key.id()) && shown.len() < 60, "{shown}");

        let written = note("say \"hé\"\n");
        let line = key.seal(Domain::Seal, &written).unwrap();
        let public = PublicKeys::from_pem(&again.public_pem().unwrap()).unwrap();
        assert_eq!(public.open::<Note>(Domain::Seal, line.as_bytes()), Ok(written));
        let newer = key.seal(Domain::Seal, &Note { v: 2, text: String::new() }).unwrap();
        assert_eq!(public.open::<Note>(Domain::Seal, newer.as_bytes()), Err(EnvelopeError::Malformed));
    }

    #[test]
    fn a_seal_is_no_checkpoint_and_another_key_is_none_of_ours() {
        let (key, _) = SigningKey::generate().unwrap();
        let (other, _) = SigningKey::generate().unwrap();
        let line = key.seal(Domain::Seal, &note("")).unwrap();
        let wrong = key.public().open::<Note>(Domain::Checkpoint, line.as_bytes());
        assert_eq!(wrong, Err(EnvelopeError::BadSignature));
        let unknown = other.public().open::<Note>(Domain::Seal, line.as_bytes());
        assert_eq!(unknown, Err(EnvelopeError::UnknownKey(key.id().to_owned())));
        let both = other.public().and(key.public());
        assert!(both.open::<Note>(Domain::Seal, line.as_bytes()).is_ok());
    }

    /// Every bit of every byte: spaces, escapes and the spare bits of base64 included.
    #[test]
    fn a_changed_bit_anywhere_in_a_signed_line_is_refused() {
        let (key, _) = SigningKey::generate().unwrap();
        let line = key.seal(Domain::Seal, &note("a\u{1f}b")).unwrap().into_bytes();
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut changed = line.clone();
                changed[at] ^= 1 << bit;
                assert!(key.public().open::<Note>(Domain::Seal, &changed).is_err(), "byte {at}, bit {bit}");
            }
        }
        let spaced = String::from_utf8(line).unwrap().replace("\",\"", "\", \"");
        assert_eq!(key.public().open::<Note>(Domain::Seal, spaced.as_bytes()), Err(EnvelopeError::Malformed));
    }

    #[test]
    fn other_files_are_refused_with_the_reason() {
        assert!(matches!(SigningKey::from_pem("hello"), Err(KeyError::NotPem("PRIVATE KEY"))));
        let (key, private) = SigningKey::generate().unwrap();
        assert!(matches!(PublicKeys::from_pem(&private), Err(KeyError::NotPem("PUBLIC KEY"))));
        let public = key.public_pem().unwrap();
        assert!(matches!(SigningKey::from_pem(&public), Err(KeyError::NotPem("PRIVATE KEY"))));
    }
}
