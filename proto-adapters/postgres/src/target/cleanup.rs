//! What the session left on the target is stopped, not orphaned.
//!
//! First of all a CancelRequest goes out where something runs and nothing waits behind it: a cancel would only make way for
//! the next of a queue, so that backend is terminated instead. The connection is closed for writing and read
//! empty: when the backend exits, the target closes it, so the end of the stream is the proof. A backend
//! that is still there after half a second (a function may catch the cancel, queued statements may run
//! on) is terminated over a fresh connection of the same account. That a process id has not been given
//! to somebody else meanwhile is checked by its age: `backend_start` must lie at least as far back as
//! our session is old, by the target's clock, and the account must be ours.

use super::hosts::connect_again;
use super::{BackendKey, Failure, KeyCache};
use crate::codec::{backend, frontend, report};
use crate::target::wire::Wire;
use curfew_adapter::{BootTime, Session};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long a backend may take to go by itself.
const GRACE: Duration = Duration::from_millis(500);

/// When the connection is closed, gone or not. The core's guard shuts it down at two seconds.
const SOCKET: Duration = Duration::from_millis(1900);

/// When nothing more is tried.
const GIVE_UP: Duration = Duration::from_secs(3);

/// By how much the target's clock may have been slewed against ours during the session.
const SLACK: Duration = Duration::from_millis(250);

/// What is found at the end of a session.
#[derive(Clone, Debug)]
pub struct Found {
    /// What runs or is queued, where something is.
    pub outstanding: Option<String>,
    /// Whether more than one statement is queued: a cancel stops only the first.
    pub queued: bool,
    /// Whether the stream to the target is between messages, so that a Terminate fits.
    pub between_messages: bool,
    /// Whether the client's own Terminate has passed.
    pub told: bool,
}

/// Stops what a session left on its target.
#[derive(Debug)]
pub struct Stopper<'a> {
    session: &'a Session,
    key: Option<&'a BackendKey>,
    ready: BootTime,
    keys: &'a KeyCache,
}

impl<'a> Stopper<'a> {
    /// For the backend `key`, which was ready at `ready`.
    pub const fn new(
        session: &'a Session,
        key: Option<&'a BackendKey>,
        ready: BootTime,
        keys: &'a KeyCache,
    ) -> Self {
        Self { session, key, ready, keys }
    }

    /// Does it, within three seconds; says what was done and how it went. The connection is closed
    /// within two.
    pub async fn stop<S>(&self, mut stream: S, found: &Found) -> String
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let began = Instant::now();
        let grace = if found.queued { Duration::ZERO } else { GRACE };
        let (gone, terminated) = {
            let (gone_sender, gone) = tokio::sync::watch::channel(false);
            let watching = async {
                let gone = timeout_at(began + SOCKET, see_off(&mut stream, found)).await == Ok(true);
                drop(stream);
                gone_sender.send_replace(gone);
                gone
            };
            let acting = self.act(found, began, grace, gone);
            tokio::join!(watching, acting)
        };
        let cancelled = match (&found.outstanding, found.queued) {
            (Some(_), false) => "cancel requested",
            (Some(_), true) => "not cancelled, for the queue would have run on",
            (None, _) => "nothing ran",
        };
        match (terminated, gone) {
            (None, true) => format!("{cancelled}; the backend exited"),
            (None, false) => format!("{cancelled}; the backend was not seen to exit"),
            (Some(Ok(true)), _) => format!("{cancelled}; the backend was terminated"),
            (Some(Ok(false)), _) => format!("{cancelled}; the backend was gone when it was to be terminated"),
            (Some(Err(why)), true) => format!("{cancelled}; the backend exited late (terminating: {why})"),
            (Some(Err(why)), false) => format!("{cancelled}; the backend could not be terminated: {why}"),
        }
    }

    /// Cancels, and terminates if the backend has not gone when `grace` is over.
    async fn act(
        &self,
        found: &Found,
        began: Instant,
        grace: Duration,
        mut gone: tokio::sync::watch::Receiver<bool>,
    ) -> Option<Result<bool, String>> {
        let key = self.key?;
        let cancelling = async {
            let cancelling =
                async { key.cancel(self.session.dial_for_cleanup(key.place.address).await?).await };
            match timeout_at(began + GIVE_UP, cancelling).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the target could not be told to cancel"),
                Err(_) => tracing::warn!("the target did not take a cancel in time"),
            }
        };
        let terminating = async {
            tokio::select! {
                biased;
                _ = gone.wait_for(|gone| *gone) => return None,
                () = sleep_until(began + grace) => {}
            }
            match timeout_at(began + GIVE_UP, self.terminate(key)).await {
                Ok(done) => Some(done.map_err(|failure| failure.cause)),
                Err(_) => Some(Err("no answer within 3 seconds".to_owned())),
            }
        };
        if found.queued {
            let terminated = terminating.await;
            // Better the first of the queue than nothing.
            if matches!(terminated, Some(Err(_))) {
                cancelling.await;
            }
            return terminated;
        }
        if found.outstanding.is_none() {
            return terminating.await;
        }
        tokio::join!(cancelling, terminating).1
    }

    /// `true` where there was a backend to terminate.
    async fn terminate(&self, key: &BackendKey) -> Result<bool, Failure> {
        let failed =
            |why: &dyn std::fmt::Display| Failure::unreachable(&self.session.terms().target.name, why);
        // Nobody but the catalog says what the names in the query mean.
        let settings = [("search_path", "pg_catalog"), ("application_name", "curfew")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let target = connect_again(self.session, &key.place, &settings, self.keys).await?;
        let mut wire = Wire::new(target.stream);
        let age = self.session.clock().boot().since(self.ready).saturating_sub(SLACK);
        let mut out = Vec::new();
        frontend::write_query(&mut out, &terminate_query(key.process, age));
        frontend::terminate(&mut out);
        wire.send(&out).await.map_err(|e| failed(&e))?;
        let mut found = false;
        loop {
            let (tag, body) = wire.message().await.map_err(|e| failed(&e))?;
            match tag {
                backend::DATA_ROW => found = true,
                backend::ERROR => return Err(failed(&report::read(body).message)),
                backend::READY => return Ok(found),
                _ => {}
            }
        }
    }
}

/// Ours is at least as old as our session; a process that was given the same number later is younger.
fn terminate_query(process: i32, age: Duration) -> String {
    format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
         WHERE pid = {process} AND usename = session_user \
         AND backend_start <= pg_catalog.clock_timestamp() - interval '{} milliseconds'",
        age.as_millis()
    )
}

/// Says goodbye where that fits, closes our side, and reads until the target has closed its own: `true`.
/// `false` where our own guard came first.
async fn see_off<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, found: &Found) -> bool {
    let closing = async {
        if found.between_messages && !found.told {
            let mut out = Vec::new();
            frontend::terminate(&mut out);
            stream.write_all(&out).await?;
            stream.flush().await?;
        }
        stream.shutdown().await
    };
    // A target that reads nothing must not keep us from reading: its backend would never get to its end.
    let closed = tokio::time::timeout(Duration::from_millis(200), closing).await;
    tracing::trace!(?closed, "the connection to the target is closed for writing");
    let mut sink = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut sink).await {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::ConnectionAborted,
        }
    }
}

/// The quick goodbye to a backend that runs nothing: it goes by itself.
pub async fn take_leave<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, found: &Found) {
    let closing = async {
        if found.between_messages && !found.told {
            let mut out = Vec::new();
            frontend::terminate(&mut out);
            stream.write_all(&out).await?;
        }
        stream.flush().await?;
        stream.shutdown().await
    };
    let closed = tokio::time::timeout(GRACE, closing).await;
    tracing::trace!(?closed, "the connection to the target is closed");
}
