//! A session's recording, as its adapter holds it.
//!
//! An adapter appends an event before it forwards the bytes that the event is about, and stops reading
//! while the recorder is not ready. Masking, encoding, sealing and storage are the core's.

use crate::Event;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The recording can't go on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the recording could not be written")]
pub struct RecordError;

/// Where events go; the core implements it.
pub trait RecordSink: Send + Sync {
    /// Takes one event down, in memory, without waiting.
    ///
    /// # Errors
    /// Where recording is strict and the recording failed. The session must end.
    fn append(&self, event: &Event<'_>) -> Result<(), RecordError>;

    /// Ready while there is room for more; wakes the task when there is again.
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), RecordError>>;
}

/// A session's recording, as its adapter holds it.
#[derive(Clone)]
pub struct Recorder(Arc<dyn RecordSink>);

impl Recorder {
    /// Writes to `sink`.
    pub fn new(sink: Arc<dyn RecordSink>) -> Self {
        Self(sink)
    }

    /// Takes one event down. Call it before the bytes are forwarded.
    ///
    /// # Errors
    /// Where the session must end because it can't be recorded.
    pub fn append(&self, event: &Event<'_>) -> Result<(), RecordError> {
        self.0.append(event)
    }

    /// Ready while there is room for more.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), RecordError>> {
        self.0.poll_ready(cx)
    }

    /// Waits until there is room for more.
    ///
    /// # Errors
    /// As [`Recorder::append`].
    pub async fn ready(&self) -> Result<(), RecordError> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}
