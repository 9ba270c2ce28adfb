//! The way out: no new sessions, time for those that live, and then the cut.

use crate::session::{Parts, supervise};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

/// How long after the drain's end sessions may take to say goodbye and to be written down.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The requests to end, SIGTERM and Ctrl-C. Listened to from the start on, so that a second one is not lost on the
/// way from the first to the drain.
#[derive(Debug)]
pub struct Ends {
    term: Signal,
    int: Signal,
}

impl Ends {
    /// Begins to listen.
    ///
    /// # Errors
    /// Where the system takes no handlers.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    /// Resolves when the process is asked to end, once for each time.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

/// Lets live sessions run for `patience`, with their countdown, and then cuts them. A second signal does
/// not wait.
pub async fn drain(parts: &Arc<Parts>, patience: Duration, ends: &mut Ends) {
    let until = parts.clock.wall().checked_add(patience).unwrap_or(jiff::Timestamp::MAX);
    parts.start_drain(until);
    let live = parts.registry.all().len();
    info!(live, until = %until, "draining: no new session, and those that live may run on");
    supervise::judge_all(parts, |_| true, parts.clock.boot()).await;
    tokio::select! {
        () = parts.registry.empty() => return,
        () = tokio::time::sleep(patience) => {}
        () = ends.asked() => {
            parts.start_drain(parts.clock.wall());
            supervise::judge_all(parts, |_| true, parts.clock.boot()).await;
        }
    }
    if tokio::time::timeout(LAST_WORDS, parts.registry.empty()).await.is_err() {
        warn!(
            "sessions were still live when the node stopped; they are closed as interrupted at its next start"
        );
    }
}
