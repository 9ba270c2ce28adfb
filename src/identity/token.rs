//! Tokens: 256 random bits that stand for a sign-in.
//!
//! Owns their making, their spelling and their hash. The store keeps only the hash; the text is seen once, by whoever
//! it was made for.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use curfew_adapter::{Secret, random_bytes};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

/// Where a token is good. Each kind is refused in the place of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// In a browser's cookie.
    Browser,
    /// In `Authorization: Bearer`, by `curfew` and scripts.
    Api,
    /// In the sign-in of a Postgres client, and nowhere else.
    Postgres,
}

impl TokenKind {
    /// As the store spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Api => "api",
            Self::Postgres => "postgres",
        }
    }

    /// In front of every token of the kind, so that scanners for leaked secrets can tell them.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Browser => "cfwb_",
            Self::Api => "cfwa_",
            Self::Postgres => "cfwp_",
        }
    }
}

/// The SHA-256 of a secret, in hexadecimal: what the store may know of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Hashed(String);

impl Hashed {
    /// Of any secret with enough randomness in it to need no salt.
    pub fn of(secret: &str) -> Self {
        Self(HEXLOWER.encode(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref()))
    }

    /// Reads one back from the store.
    pub fn parse(text: &str) -> Option<Self> {
        let hexadecimal = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hexadecimal.then(|| Self(text.to_owned()))
    }

    /// 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hashed(…)")
    }
}

/// A token.
#[derive(Clone, Debug)]
pub struct Token {
    kind: TokenKind,
    text: Secret,
}

impl Token {
    /// A new one.
    pub fn random(kind: TokenKind) -> Self {
        Self { kind, text: Secret::new(format!("{}{}", kind.prefix(), random_text())) }
    }

    /// Reads one of `kind`; `None` for anything that could not be one, another kind included.
    pub fn parse(text: &str, kind: TokenKind) -> Option<Self> {
        let rest = text.strip_prefix(kind.prefix())?;
        let known = BASE64URL_NOPAD.decode(rest.as_bytes()).is_ok_and(|bytes| bytes.len() == 32);
        known.then(|| Self { kind, text: Secret::new(text.to_owned()) })
    }

    /// Where it is good.
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The text, for the cookie or the answer to the client, and for nothing else.
    pub fn reveal(&self) -> &str {
        self.text.reveal()
    }

    /// What the store knows of it.
    pub fn hashed(&self) -> Hashed {
        Hashed::of(self.reveal())
    }
}

/// 256 random bits as text: for tokens, states, nonces and codes.
pub fn random_text() -> String {
    BASE64URL_NOPAD.encode(&random_bytes::<32>())
}

/// Six random digits, to be shown at one place and typed at another.
pub(super) fn six_digits() -> String {
    format!("{:06}", u64::from_be_bytes(random_bytes()) % 1_000_000)
}

/// Whether what was typed is what was shown. Compared in constant time.
pub(super) fn same_digits(shown: &str, typed: &str) -> bool {
    verify_slices_are_equal(shown.as_bytes(), typed.trim().as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teleport_13_4_0_one_kind_of_token_is_not_the_other() {
        let kinds = [TokenKind::Browser, TokenKind::Api, TokenKind::Postgres];
        for (made, read) in kinds.iter().flat_map(|made| kinds.map(|read| (*made, read))) {
            let token = Token::random(made);
            assert_eq!(Token::parse(token.reveal(), read).is_some(), made == read, "{made:?} {read:?}");
        }
        let token = Token::random(TokenKind::Browser);
        for wrong in ["", "cfwb_", "cfwb_AAAA", &token.reveal()[1..], &format!("{}A", token.reveal())] {
            assert!(Token::parse(wrong, TokenKind::Browser).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_never_printed() {
        let token = Token::random(TokenKind::Api);
        assert!(!format!("{token:?} {:?}", token.hashed()).contains(&token.reveal()[5..]));
    }
}
