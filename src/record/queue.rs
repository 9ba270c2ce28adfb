//! The sessions that have something to write, in the order in which it is due.
//!
//! Owns when a session's turn comes, and the counts of what waits and what failed. A session stands in it only
//! while it has something to write.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::recorder::Live;

/// How long an event may wait in memory. What is lost to `kill -9` is this and the time of one write.
const DELAY: Duration = Duration::from_millis(500);

/// Sessions that are due this much later are written along.
const SLACK: Duration = Duration::from_millis(50);

/// The sessions that have something to write.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
    backlog: AtomicI64,
    errors: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    /// In the order of their first unwritten events.
    later: VecDeque<(Instant, Arc<Live>)>,
    now: VecDeque<Arc<Live>>,
    /// The writer is to end once nothing waits.
    stopping: bool,
    /// The writer has ended.
    stopped: bool,
}

/// A session whose turn has come.
pub(super) struct Due {
    pub live: Arc<Live>,
    /// It comes from the queue of those that wait.
    pub waited: bool,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be written [`DELAY`] after this instant.
    pub fn later(&self, since: Instant, live: Arc<Live>) {
        let mut waiting = self.waiting();
        if waiting.stopped {
            return;
        }
        let place = waiting.later.partition_point(|(other, _)| *other <= since);
        waiting.later.insert(place, (since, live));
        drop(waiting);
        if place == 0 {
            self.changed.notify_one();
        }
    }

    /// To be written at once; false when the writer has ended.
    pub fn now(&self, live: Arc<Live>) -> bool {
        let mut waiting = self.waiting();
        if waiting.stopped {
            return false;
        }
        waiting.now.push_back(live);
        drop(waiting);
        self.changed.notify_one();
        true
    }

    pub fn backlog_grew(&self, bytes: usize) {
        self.backlog.fetch_add(i64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    pub fn backlog_shrank(&self, bytes: usize) {
        self.backlog.fetch_sub(i64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    /// Bytes of events that are in memory only.
    pub fn backlog(&self) -> i64 {
        self.backlog.load(Ordering::Relaxed)
    }

    /// A write failed.
    pub fn erred(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes that failed since the start.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Waits until a session comes that is due before all others.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// From now on all that waits is due.
    pub fn begin_stop(&self) {
        self.waiting().stopping = true;
        self.changed.notify_one();
    }

    /// Takes out what is due at `now`, and says when the next one is; none when there is none.
    pub fn due(&self, now: Instant, out: &mut Vec<Due>) -> Option<Instant> {
        let mut waiting = self.waiting();
        out.extend(waiting.now.drain(..).map(|live| Due { live, waited: false }));
        while let Some((since, _)) = waiting.later.front() {
            if !waiting.stopping && *since + DELAY > now + SLACK {
                return Some(*since + DELAY);
            }
            out.extend(waiting.later.pop_front().map(|(_, live)| Due { live, waited: true }));
        }
        None
    }

    /// Whether the writer may end now, since nothing waits; then nothing can wait any more.
    pub fn stop(&self) -> bool {
        let mut waiting = self.waiting();
        waiting.stopped = waiting.stopping && waiting.now.is_empty() && waiting.later.is_empty();
        waiting.stopped
    }
}
