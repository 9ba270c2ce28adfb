//! What happened inside a session, as the adapter tells it.
//!
//! An adapter appends an event before it forwards the bytes that the event is about, and stops reading
//! while the recorder is not ready. Masking, encoding, sealing and storage are the core's.

use serde::Serialize;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

/// One thing that happened. `n` numbers the statements of a session from 1; times are added by the core.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event<'a> {
    /// A statement was prepared: its text, once, under a number that executions refer to.
    Prepare {
        /// The number, from 1 in each session.
        prepared: u64,
        /// The name that the client gave it; empty for the unnamed one.
        name: &'a str,
        /// The SQL; invalid UTF-8 replaced.
        text: &'a str,
    },
    /// A statement goes to the target. Either `text`, or `prepared` with its parameters.
    Statement {
        /// Its number in the session.
        n: u64,
        /// The SQL of a simple query.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
        /// Which `Prepare` it executes.
        #[serde(skip_serializing_if = "Option::is_none")]
        prepared: Option<u64>,
        /// Its parameters, as the contract allows.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        parameters: &'a [Parameter<'a>],
    },
    /// A statement came to its end.
    Result {
        /// The statement's number.
        n: u64,
        /// The command tag (`SELECT 3`); empty where there was an error.
        #[serde(skip_serializing_if = "str::is_empty")]
        tag: &'a str,
        /// Rows sent to the client.
        rows: u64,
        /// Bytes of those rows, and of COPY data from the target.
        bytes: u64,
        /// Bytes of COPY data from the client.
        #[serde(skip_serializing_if = "is_zero")]
        copy_in: u64,
        /// From the statement's forwarding to the last byte of its result, in microseconds.
        micros: u64,
        /// The SQLSTATE of an error.
        #[serde(skip_serializing_if = "Option::is_none")]
        sqlstate: Option<&'a str>,
        /// The message of an error.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    },
    /// The client asked for a running statement to be cancelled.
    Cancel,
    /// The client was told that the end is near.
    Countdown {
        /// What remained, in seconds.
        remaining: u64,
    },
    /// What the client was told at the end.
    Goodbye {
        /// The sentence.
        message: &'a str,
    },
}

/// A parameter of a prepared statement.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter<'a> {
    /// SQL NULL.
    Null,
    /// Its text.
    Text(&'a str),
    /// A binary value of a common type, decoded.
    Integer(i64),
    /// A binary value of a common type, decoded.
    Float(f64),
    /// A binary value of a common type, decoded.
    Boolean(bool),
    /// A binary value of another type, in hex.
    Hex(Hex<'a>),
    /// Only its length in bytes, because the contract records types alone.
    Length(usize),
}

/// Bytes that are written in hex.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

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
