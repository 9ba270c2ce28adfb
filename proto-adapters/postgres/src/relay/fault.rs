//! What stops a session from inside its relay.

use curfew_adapter::RecordError;

/// Something that can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client broke the protocol.
    Client(&'static str),
    /// The target broke the protocol.
    Target(&'static str),
    /// The client sends more of something than can be recorded.
    TooMuch(&'static str),
    /// The recording failed.
    Recording,
}

impl From<RecordError> for Fault {
    fn from(_: RecordError) -> Self {
        Self::Recording
    }
}

impl From<crate::codec::Malformed> for Fault {
    fn from(malformed: crate::codec::Malformed) -> Self {
        Self::Client(malformed.0)
    }
}
