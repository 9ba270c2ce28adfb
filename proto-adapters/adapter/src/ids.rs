//! Names of things: short, random, safe in paths, URLs and logs.

use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Fresh random bytes from the operating system's generator.
///
/// # Panics
/// Only where the operating system has no randomness to give, which no caller can survive.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without randomness nothing here may go on")]
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

fn spell(prefix: &str, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(prefix.len() + 1 + bytes.len() * 2);
    text.push_str(prefix);
    text.push('_');
    text.push_str(&data_encoding::BASE32_NOPAD.encode(bytes).to_ascii_lowercase());
    text
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $bytes:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new one, that nobody can guess a second time.
            pub fn random() -> Self {
                Self(spell($prefix, &random_bytes::<$bytes>()))
            }

            /// Reads one back; `None` unless it has the prefix and only lower-case letters, digits behind it.
            pub fn parse(text: &str) -> Option<Self> {
                let rest = text.strip_prefix(concat!($prefix, "_"))?;
                let plain = rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
                (!rest.is_empty() && rest.len() <= 64 && plain).then(|| Self(text.to_owned()))
            }

            /// The text, `prefix_…`.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// A connection to a listener, from accept to close.
    ConnectionId = "con", 10;
    /// A session: one connection under one lease.
    SessionId = "ses", 10;
    /// A grant.
    GrantId = "gra", 10;
    /// A request.
    RequestId = "req", 10;
    /// An identity: issuer and subject.
    IdentityId = "ide", 10;
    /// A sign-in of an identity.
    SigninId = "sig", 10;
}

/// The id of a sign-in link: 128 random bits, and the only thing that the link's holder knows. It is
/// a secret of sorts, so `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LinkId(String);

impl LinkId {
    /// A new one of 128 random bits.
    pub fn random() -> Self {
        Self(data_encoding::BASE32_NOPAD.encode(&random_bytes::<16>()).to_ascii_lowercase())
    }

    /// Reads one back from a URL's path; `None` where it could not be one.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        (text.len() == 26 && plain).then(|| Self(text.to_owned()))
    }

    /// The text as it stands in the link.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkId(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_a_path_never_does() {
        let id = SessionId::random();
        assert_eq!(SessionId::parse(id.as_str()), Some(id.clone()));
        for hostile in ["ses_../x", "ses_", "gra_abc", "ses_ABC", "../etc", "ses_a/b", ""] {
            assert_eq!(SessionId::parse(hostile), None, "{hostile}");
        }
        assert_eq!(LinkId::random().as_str().len(), 26);
    }
}
