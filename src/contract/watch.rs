//! The contracts in force, and their replacement when the folder changes or SIGHUP arrives.
//!
//! Owns "the set as it stands". A bad set is refused whole, and the last good one stays. It never ends a session:
//! whoever listens to [`Contracts::changes`] asks the new set again.
//!
//! The folder is read each second and compared by content: that sees what change notices of the system miss (links
//! swapped behind files, network file systems), and a folder of contracts is small. A change is taken up once two
//! readings, a second apart, agree: an editor that writes in place shows half a file for a moment, and half a
//! contract may parse, without the approvals that were to follow.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::broadcast;
use tokio::time::MissedTickBehavior;

use crate::toml_doc::Problems;

use super::files::Snapshot;
use super::set::ContractSet;

/// How often the folder is read.
pub const POLL: Duration = Duration::from_secs(1);
/// Outcomes kept for a listener that lags. One that lags more misses some, and reads the current set.
const KEPT: usize = 16;

/// The contracts in force.
#[derive(Debug)]
pub struct Contracts {
    folder: PathBuf,
    current: ArcSwap<ContractSet>,
    seen: Mutex<Seen>,
    changes: broadcast::Sender<Reload>,
}

/// What the watcher has read so far.
#[derive(Debug)]
struct Seen {
    /// What the last attempt to load was made of, good or bad: it is not tried twice.
    tried: Result<Snapshot, Problems>,
    /// Something else, read once: to be tried when it is read again.
    candidate: Option<Result<Snapshot, Problems>>,
}

/// What came of an attempt to replace the set; for the audit log and the operator's.
#[derive(Debug, Clone)]
pub enum Reload {
    /// Another set is in force.
    Replaced {
        /// The set before.
        before: Arc<ContractSet>,
        /// The set now.
        now: Arc<ContractSet>,
    },
    /// The files say what they said before.
    Unchanged,
    /// The files are wrong; the set before stays in force.
    Refused {
        /// Every error.
        errors: Arc<Problems>,
    },
}

impl Contracts {
    /// Loads the folder. Blocks on files: for the start, before there is anything to hold up.
    ///
    /// # Errors
    /// Every error in every file.
    pub fn open(folder: &Path) -> Result<Arc<Self>, Problems> {
        let (read, set) = load(folder);
        Ok(Arc::new(Self {
            folder: folder.to_owned(),
            current: ArcSwap::new(Arc::new(set?)),
            seen: Mutex::new(Seen { tried: read, candidate: None }),
            changes: broadcast::Sender::new(KEPT),
        }))
    }

    /// The set in force.
    #[must_use]
    pub fn current(&self) -> Arc<ContractSet> {
        self.current.load_full()
    }

    /// Told about each replacement and each refusal, not about readings that changed nothing.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Reload> {
        self.changes.subscribe()
    }

    /// Loads the folder now, as SIGHUP asks. Blocks on files.
    pub fn reload(&self) -> Reload {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.take_up(&mut seen)
    }

    /// Reads the folder, and takes up what is new in it if the reading before found the same. Blocks on files.
    pub fn poll(&self) -> Reload {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let read = Snapshot::once(&self.folder).map_err(|unreadable| unreadable.problems());
        if read == seen.tried {
            seen.candidate = None;
            return Reload::Unchanged;
        }
        if seen.candidate.as_ref() == Some(&read) {
            return self.take_up(&mut seen);
        }
        seen.candidate = Some(read);
        Reload::Unchanged
    }

    fn take_up(&self, seen: &mut Seen) -> Reload {
        let (read, set) = load(&self.folder);
        seen.tried = read;
        seen.candidate = None;
        let before = self.current.load_full();
        let outcome = match set {
            Err(errors) => Reload::Refused { errors: Arc::new(errors) },
            Ok(set) if set.version() == before.version() => return Reload::Unchanged,
            Ok(set) => {
                let now = Arc::new(set);
                self.current.store(Arc::clone(&now));
                Reload::Replaced { before, now }
            }
        };
        // Nobody listening is fine: the set is in force all the same.
        let _ = self.changes.send(outcome.clone());
        outcome
    }

    /// Watches the folder and SIGHUP until dropped. Runs in a task of its owner.
    ///
    /// # Errors
    /// Where the signal can't be listened to.
    pub async fn watch(self: Arc<Self>) -> std::io::Result<()> {
        let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                _ = hangup.recv() => true,
                _ = ticks.tick() => false,
            };
            let contracts = Arc::clone(&self);
            let reading =
                tokio::task::spawn_blocking(
                    move || if asked { contracts.reload() } else { contracts.poll() },
                );
            match reading.await {
                Ok(Reload::Replaced { now, .. }) => {
                    tracing::info!(contracts = now.len(), "contracts replaced")
                }
                Ok(Reload::Refused { errors }) => {
                    tracing::error!(%errors, "contracts refused: the last good ones stay in force");
                }
                Ok(Reload::Unchanged) if asked => tracing::info!("contracts are as they were"),
                Ok(Reload::Unchanged) => {}
                Err(error) => tracing::error!(%error, "contracts could not be read"),
            }
        }
    }
}

fn load(folder: &Path) -> (Result<Snapshot, Problems>, Result<ContractSet, Problems>) {
    match Snapshot::settled(folder) {
        Ok(snapshot) => {
            let set = ContractSet::of(&snapshot);
            (Ok(snapshot), set)
        }
        Err(unreadable) => (Err(unreadable.problems()), Err(unreadable.problems())),
    }
}

#[cfg(test)]
mod tests;
