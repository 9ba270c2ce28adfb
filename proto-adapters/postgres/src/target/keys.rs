//! The keys that passwords were turned into, so that signing in to a target costs that work once, not once for each
//! connection.
//!
//! Holds keys and never passwords. They are found by a digest under a key of this process, so that a password that was
//! changed is another entry.

use super::scram::{Keys, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use curfew_adapter::{Secret, random_bytes};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Entries that are held; past it, all are forgotten and made anew.
const HELD: usize = 1024;

/// What an entry is found by.
type Digest = [u8; 32];

/// Keys of the accounts of all targets.
pub struct KeyCache {
    secret: hmac::Key,
    held: Mutex<HashMap<Digest, Keys>>,
}

impl KeyCache {
    /// The keys of `password` under `salt`. Where they must be made, that is done on another thread than this one,
    /// which serves others too.
    pub async fn keys(&self, password: &Secret, salt: Salt) -> Keys {
        let digest = self.digest(password, &salt);
        if let Some(keys) = self.held().get(&digest) {
            return keys.clone();
        }
        let derive = {
            let (password, salt) = (password.clone(), salt.clone());
            move || Keys::derive(password.reveal(), &salt)
        };
        let keys = match tokio::task::spawn_blocking(derive).await {
            Ok(keys) => keys,
            // The runtime is being shut down.
            Err(_) => Keys::derive(password.reveal(), &salt),
        };
        let mut held = self.held();
        if held.len() >= HELD {
            held.clear();
        }
        held.insert(digest, keys.clone());
        keys
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Digest, Keys>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn digest(&self, password: &Secret, salt: &Salt) -> Digest {
        let mut context = hmac::Context::with_key(&self.secret);
        // The length first, so that no two pairs read alike.
        context.update(&(salt.bytes.len() as u64).to_be_bytes());
        context.update(&salt.bytes);
        context.update(&salt.rounds.get().to_be_bytes());
        context.update(password.reveal().as_bytes());
        let mut digest = Digest::default();
        digest.iter_mut().zip(context.sign().as_ref()).for_each(|(byte, tag)| *byte = *tag);
        digest
    }
}

impl Default for KeyCache {
    fn default() -> Self {
        Self { secret: hmac::Key::new(HMAC_SHA256, &random_bytes::<32>()), held: Mutex::default() }
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCache(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salt(byte: u8) -> Salt {
        Salt { bytes: vec![byte; 16], rounds: std::num::NonZeroU32::MIN }
    }

    #[tokio::test]
    async fn keys_are_made_once_for_each_password_and_salt() {
        let cache = KeyCache::default();
        let secret = |text: &str| Secret::new(text.to_owned());
        let first = cache.keys(&secret("one"), salt(1)).await;
        assert_eq!(first, cache.keys(&secret("one"), salt(1)).await);
        assert_eq!(cache.held().len(), 1);
        assert_ne!(first, cache.keys(&secret("changed"), salt(1)).await);
        assert_ne!(first, cache.keys(&secret("one"), salt(2)).await);
        assert_eq!(cache.held().len(), 3);
    }

    #[tokio::test]
    async fn what_is_held_is_bounded_and_never_shown() {
        let cache = KeyCache::default();
        for n in 0..=HELD {
            cache.keys(&Secret::new(n.to_string()), salt(0)).await;
        }
        assert_eq!(cache.held().len(), 1);
        assert_eq!(format!("{cache:?}"), "KeyCache(…)");
    }
}
