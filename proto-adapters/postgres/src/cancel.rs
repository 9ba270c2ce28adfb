//! The cancel keys of all live sessions. A CancelRequest comes on a connection of its own, on any thread,
//! and finds the session by the key that the gate gave out; the target's own key never leaves the gate.

use crate::codec::startup::CancelKey;
use crate::limit::RateLimit;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use curfew_adapter::random_bytes;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

const SHARDS: usize = 16;

/// Cancels of one session that wait for the one under way. More are one with them.
const WAITING: usize = 4;

/// Told, by being dropped or sent, when the target knows.
pub type Told = oneshot::Sender<()>;

/// The bytes of a secret up to protocol 3.1, where a client can keep no more.
const SHORT: usize = 4;

/// The bytes of a secret from protocol 3.2 on, as many as Postgres 18 gives.
const LONG: usize = 32;

#[derive(Debug)]
struct Held {
    secret: Box<[u8]>,
    session: mpsc::Sender<Told>,
}

type Shard = Mutex<HashMap<i32, Held>>;

/// Every key that is alive.
#[derive(Debug, Default)]
pub struct CancelKeys {
    shards: [Shard; SHARDS],
    limit: RateLimit,
}

/// A session's key. It is dead when this is dropped.
#[derive(Debug)]
pub struct Registration {
    keys: Arc<CancelKeys>,
    key: CancelKey,
    requests: mpsc::Receiver<Told>,
}

impl CancelKeys {
    fn shard(&self, process: i32) -> Option<MutexGuard<'_, HashMap<i32, Held>>> {
        let shard = self.shards.get(process.cast_unsigned() as usize % SHARDS)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a key that nobody can guess, for a session that begins and speaks protocol 3 with this minor version.
    pub fn register(self: &Arc<Self>, minor: u16) -> Registration {
        let (session, requests) = mpsc::channel(WAITING);
        loop {
            // Process ids are positive.
            let process = (i32::from_be_bytes(random_bytes()) & i32::MAX).max(1);
            let secret: Box<[u8]> = match minor {
                0 | 1 => Box::new(random_bytes::<SHORT>()),
                _ => Box::new(random_bytes::<LONG>()),
            };
            let key = CancelKey { process, secret };
            let Some(mut shard) = self.shard(process) else { continue };
            if let Entry::Vacant(place) = shard.entry(process) {
                place.insert(Held { secret: key.secret.clone(), session });
                return Registration { keys: self.clone(), key, requests };
            }
        }
    }

    /// Tells the session of `key` to cancel what it runs. The answer resolves once the target knows;
    /// `None` where there is no such session, or `from` asks too often.
    pub fn cancel(&self, key: &CancelKey, from: IpAddr) -> Option<oneshot::Receiver<()>> {
        if !self.limit.admits(from) {
            return None;
        }
        let shard = self.shard(key.process)?;
        let held = shard.get(&key.process)?;
        verify_slices_are_equal(&held.secret, &key.secret).ok()?;
        let (told, answer) = oneshot::channel();
        held.session.try_send(told).ok()?;
        Some(answer)
    }
}

impl Registration {
    /// The key to give to the client.
    pub const fn key(&self) -> &CancelKey {
        &self.key
    }

    /// The requests to cancel, as they come.
    pub const fn requests(&mut self) -> &mut mpsc::Receiver<Told> {
        &mut self.requests
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(mut shard) = self.keys.shard(self.key.process) {
            shard.remove(&self.key.process);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn a_key_works_from_any_thread_until_its_session_ends() {
        let keys = Arc::new(CancelKeys::default());
        for (minor, length) in [(0, SHORT), (1, SHORT), (2, LONG)] {
            let mut session = keys.register(minor);
            let key = session.key().clone();
            assert_eq!(key.secret.len(), length);
            let (other, same) = (keys.clone(), key.clone());
            let answer = std::thread::spawn(move || other.cancel(&same, FROM)).join().unwrap().unwrap();
            session.requests().recv().await.unwrap().send(()).unwrap();
            answer.await.unwrap();
            drop(session);
            assert!(keys.cancel(&key, FROM).is_none());
        }
    }

    #[test]
    fn a_wrong_secret_finds_nothing() {
        let keys = Arc::new(CancelKeys::default());
        for (minor, length) in [(0, SHORT), (2, LONG)] {
            let session = keys.register(minor);
            for bit in 0..length * 8 {
                let mut key = session.key().clone();
                key.secret[bit / 8] ^= 1 << (bit % 8);
                let from = Ipv4Addr::from_bits(u32::try_from(bit).unwrap()).into();
                assert!(keys.cancel(&key, from).is_none());
            }
            // The beginning of a long key, and a key with something behind it, are other keys.
            for secret in [&session.key().secret[..SHORT - 1], &[&session.key().secret[..], b"x"].concat()] {
                let key = CancelKey { process: session.key().process, secret: secret.into() };
                assert!(keys.cancel(&key, Ipv4Addr::BROADCAST.into()).is_none());
            }
        }
    }

    #[test]
    fn guessing_is_limited_by_address() {
        let keys = Arc::new(CancelKeys::default());
        let mut session = keys.register(0);
        let key = session.key().clone();
        let guess = CancelKey { process: key.process, secret: [0; SHORT].into() };
        for _ in 0..1000 {
            keys.cancel(&guess, FROM);
        }
        assert!(keys.cancel(&key, FROM).is_none());
        assert!(keys.cancel(&key, Ipv4Addr::new(10, 0, 0, 1).into()).is_some());
        assert!(session.requests().try_recv().is_ok());
    }
}
