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

#[derive(Debug)]
struct Held {
    secret: [u8; 4],
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

    /// Makes a key that nobody can guess, for a session that begins.
    pub fn register(self: &Arc<Self>) -> Registration {
        let (session, requests) = mpsc::channel(WAITING);
        loop {
            // Process ids are positive.
            let process = (i32::from_be_bytes(random_bytes()) & i32::MAX).max(1);
            let key = CancelKey { process, secret: random_bytes() };
            let Some(mut shard) = self.shard(process) else { continue };
            if let Entry::Vacant(place) = shard.entry(process) {
                place.insert(Held { secret: key.secret, session });
                return Registration { keys: self.clone(), key, requests };
            }
        }
    }

    /// Tells the session of `key` to cancel what it runs. The answer resolves once the target knows;
    /// `None` where there is no such session, or `from` asks too often.
    pub fn cancel(&self, key: CancelKey, from: IpAddr) -> Option<oneshot::Receiver<()>> {
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
    pub const fn key(&self) -> CancelKey {
        self.key
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
        let mut session = keys.register();
        let key = session.key();
        let other = keys.clone();
        let answer = std::thread::spawn(move || other.cancel(key, FROM)).join().unwrap().unwrap();
        session.requests().recv().await.unwrap().send(()).unwrap();
        answer.await.unwrap();
        drop(session);
        assert!(keys.cancel(key, FROM).is_none());
    }

    #[test]
    fn a_wrong_secret_finds_nothing() {
        let keys = Arc::new(CancelKeys::default());
        let session = keys.register();
        for bit in 0..32 {
            let mut key = session.key();
            key.secret[bit / 8] ^= 1 << (bit % 8);
            let from = Ipv4Addr::from_bits(u32::try_from(bit).unwrap()).into();
            assert!(keys.cancel(key, from).is_none());
        }
    }

    #[test]
    fn guessing_is_limited_by_address() {
        let keys = Arc::new(CancelKeys::default());
        let mut session = keys.register();
        let key = session.key();
        let guess = CancelKey { process: key.process, secret: [0; 4] };
        for _ in 0..1000 {
            keys.cancel(guess, FROM);
        }
        assert!(keys.cancel(key, FROM).is_none());
        assert!(keys.cancel(key, Ipv4Addr::new(10, 0, 0, 1).into()).is_some());
        assert!(session.requests().try_recv().is_ok());
    }
}
