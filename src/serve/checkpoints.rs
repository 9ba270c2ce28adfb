//! Signs checkpoints and sends them off the audit chain: every minute, and once more at the end.

use crate::audit::checkpoint::{Checkpoint, Sink};
use crate::audit::sign::SigningKey;
use crate::metrics::Metrics;
use crate::record::Writer;
use crate::store::Store;
use curfew_adapter::BootTime;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

/// Makes checkpoints.
pub struct Checkpoints {
    /// Whose chain.
    pub store: Store,
    /// Whose recordings.
    pub recordings: Writer,
    /// Signs them.
    pub key: Arc<SigningKey>,
    /// Where they go.
    pub sink: Arc<Mutex<Sink>>,
    /// Counts.
    pub metrics: Metrics,
}

impl Checkpoints {
    /// Writes one every `every`, until `stop`; then a last one.
    pub async fn run(mut self, every: Duration, mut stop: watch::Receiver<bool>) {
        let mut due = interval(every);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut written = self.store.clock().boot();
        loop {
            let last = tokio::select! {
                _ = due.tick() => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            match self.write().await {
                Ok(at) => written = at,
                Err(cause) => error!(%cause, "a checkpoint could not be written"),
            }
            let age = self.store.clock().boot().since(written).as_secs();
            self.metrics.checkpoint_age.set(i64::try_from(age).unwrap_or(i64::MAX));
            if last {
                return;
            }
        }
    }

    async fn write(&mut self) -> io::Result<BootTime> {
        // The recordings first: a chunk that is written meanwhile belongs to the next checkpoint.
        let heads = self.recordings.heads();
        let head = self.store.audit_head().await.map_err(io::Error::other)?;
        let (at, node) = (self.store.clock().wall(), self.store.node().to_owned());
        let line = Checkpoint::new(at, &node, head, heads.clone()).sign(&self.key)?;
        // A file is written and synced: not on a thread that serves others.
        let sink = self.sink.clone();
        tokio::task::spawn_blocking(move || lock(&sink).append(&line)).await.map_err(io::Error::other)??;
        self.recordings.checkpointed(&heads);
        Ok(self.store.clock().boot())
    }
}

fn lock(sink: &Mutex<Sink>) -> MutexGuard<'_, Sink> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}
