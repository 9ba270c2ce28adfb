//! The recorder of one session: takes events down in memory, and says when it can't go on.
//!
//! Owns the session's buffer and its bound. Storage is the [writer](super::writer)'s: nothing here waits for a disk,
//! and an idle session holds no buffer and no timer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use curfew_adapter::{Clock, EndReason, Event, RecordError, RecordSink, SessionId};
use serde::Serialize;
use tokio::sync::{Notify, oneshot};

use super::chunk::{Chain, Events};
use super::encode::{self, Encoder};
use super::mask::Masker;
use super::queue::Queue;
use crate::audit::RecordingHead;

/// At this many bytes of events a chunk is written at once.
pub const CHUNK: usize = 128 * 1024;

/// Above this many unwritten bytes the session has to wait.
pub const MAX_BACKLOG: usize = 1024 * 1024;

/// A sealed recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Its chunks, events, and last digest.
    pub chain: Chain,
    /// Events that could not be written (best effort only).
    pub lost: u64,
}

/// Somebody who waits until all is written that was appended so far.
pub(super) type FlushReply = oneshot::Sender<Result<(), RecordError>>;

/// A seal that somebody waits for.
#[derive(Debug)]
pub(super) struct SealRequest {
    pub reason: EndReason,
    pub reply: oneshot::Sender<Result<Sealed, RecordError>>,
}

/// What changes while the session lives.
#[derive(Debug, Default)]
pub(super) struct State {
    pub events: Events,
    encoder: Encoder,
    /// When the first event was appended that is in no chunk yet.
    pub since: Option<Instant>,
    /// It stands in the writer's queue of those that wait.
    pub queued: bool,
    /// It stands in the queue of those to be written at once.
    pub urgent: bool,
    /// A task of the writer has it in hand.
    pub writing: bool,
    pub flushes: Vec<FlushReply>,
    pub seal: Option<SealRequest>,
    /// No event is taken any more: it is sealed, or about to be.
    pub over: bool,
    pub failed: bool,
    pub lost: u64,
    pub chain: Chain,
    wakers: Vec<Waker>,
}

impl State {
    /// Takes the events out; whoever waited for room has it now.
    pub fn take(&mut self) -> Events {
        self.since = None;
        self.urgent = false;
        self.wake();
        std::mem::take(&mut self.events)
    }

    pub fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

/// One session's recording while it is written. The recorder and the writer share it.
#[derive(Debug)]
pub(super) struct Live {
    pub session: SessionId,
    pub strict: bool,
    pub queue: Arc<Queue>,
    pub failure: Notify,
    clock: Clock,
    masker: Arc<Masker>,
    state: Mutex<State>,
    /// The backlog is full, or it has failed: who asks whether it can go on must look at the state.
    clogged: AtomicBool,
    me: Weak<Self>,
}

impl Live {
    pub fn new(
        session: SessionId,
        strict: bool,
        masker: Arc<Masker>,
        clock: Clock,
        queue: Arc<Queue>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            session,
            strict,
            queue,
            failure: Notify::new(),
            clock,
            masker,
            state: Mutex::default(),
            clogged: AtomicBool::new(false),
            me: me.clone(),
        })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it stands, for a checkpoint.
    pub fn head(&self) -> RecordingHead {
        let chain = self.state().chain;
        RecordingHead {
            session: self.session.to_string(),
            chunks: chain.chunks,
            head: chain.head,
            sealed: false,
        }
    }

    /// Appends what `write` writes, and tells the writer when it has to know.
    fn append(
        &self,
        write: impl FnOnce(&mut Encoder, i64, &mut Vec<u8>) -> serde_json::Result<()>,
    ) -> Result<(), RecordError> {
        let mut state = self.state();
        if state.over || (state.failed && self.strict) {
            return Err(RecordError);
        }
        let at = self.clock.wall().as_microsecond();
        let State { events, encoder, .. } = &mut *state;
        let before = events.lines.len();
        if let Err(error) = write(encoder, at, &mut events.lines) {
            tracing::error!(session = %self.session, %error, "an event could not be written as JSON");
            return Err(RecordError);
        }
        if events.count == 0 {
            events.from = at;
        }
        events.to = at;
        events.count += 1;
        self.queue.backlog_grew(events.lines.len() - before);
        if events.lines.len() >= MAX_BACKLOG {
            self.clogged.store(true, Ordering::Release);
        }
        if events.lines.len() >= CHUNK {
            self.hurry(&mut state);
        } else if state.since.is_none() {
            self.wait(&mut state);
        }
        Ok(())
    }

    /// Has the writer come when the first of its events has waited long enough.
    pub fn wait(&self, state: &mut State) {
        let since = *state.since.get_or_insert_with(Instant::now);
        if !state.queued
            && let Some(me) = self.me.upgrade()
        {
            state.queued = true;
            self.queue.later(since, me);
        }
    }

    /// Has the writer come at once.
    fn hurry(&self, state: &mut State) {
        if !state.urgent
            && let Some(me) = self.me.upgrade()
        {
            state.urgent = self.queue.now(me);
            if !state.urgent {
                // The writer has stopped: nothing is stored any more, and nobody may wait for it.
                state.flushes.clear();
                state.seal = None;
                self.fail(state);
            }
        }
    }

    /// Something could not be stored. Who waits for `failure` is yet to be told.
    pub fn fail(&self, state: &mut State) {
        state.failed = true;
        self.clogged.store(true, Ordering::Release);
        state.wake();
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), RecordError>> {
        if !self.clogged.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        let mut state = self.state();
        if state.failed && self.strict {
            return Poll::Ready(Err(RecordError));
        }
        if state.events.lines.len() < MAX_BACKLOG || state.over {
            self.clogged.store(false, Ordering::Release);
            return Poll::Ready(Ok(()));
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// The recorder of a session, as the core holds it; the adapter holds it as a [`RecordSink`].
#[derive(Clone, Debug)]
pub struct SessionRecorder {
    live: Arc<Live>,
}

impl SessionRecorder {
    pub(super) fn new(live: Arc<Live>) -> Self {
        Self { live }
    }

    /// Appends an event of the core's own: the first one, which says whose session it is.
    pub(super) fn open<E: Serialize>(&self, event: &E) -> Result<(), RecordError> {
        self.live.append(|_, at, out| encode::line(at, event, out))
    }

    /// Waits until all that was appended so far is stored.
    ///
    /// # Errors
    /// It could not be, and recording is strict.
    pub async fn flush(&self) -> Result<(), RecordError> {
        let (reply, done) = oneshot::channel();
        {
            let mut state = self.live.state();
            if state.over {
                return Err(RecordError);
            }
            state.flushes.push(reply);
            self.live.hurry(&mut state);
        }
        done.await.unwrap_or(Err(RecordError))
    }

    /// Writes what is left, then the seal. No event is taken any more.
    ///
    /// # Errors
    /// The seal could not be stored, or there is one: the next start of the gate seals what it finds.
    pub async fn seal(&self, reason: EndReason) -> Result<Sealed, RecordError> {
        let (reply, done) = oneshot::channel();
        {
            let mut state = self.live.state();
            if state.over {
                return Err(RecordError);
            }
            state.over = true;
            state.wake();
            state.seal = Some(SealRequest { reason, reply });
            self.live.hurry(&mut state);
        }
        done.await.unwrap_or(Err(RecordError))
    }

    /// Waits until the recording has failed; where recording is strict, the session must end then.
    pub async fn failed(&self) {
        let mut failure = std::pin::pin!(self.live.failure.notified());
        loop {
            failure.as_mut().enable();
            if self.live.state().failed {
                return;
            }
            failure.as_mut().await;
            failure.set(self.live.failure.notified());
        }
    }
}

impl RecordSink for SessionRecorder {
    fn append(&self, event: &Event<'_>) -> Result<(), RecordError> {
        self.live.append(|encoder, at, out| encoder.event(&self.live.masker, at, event, out))
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), RecordError>> {
        self.live.poll_ready(cx)
    }
}
