//! Watches SFTP (draft-ietf-secsh-filexfer-02, version 3, and OpenSSH's extensions) on one channel.
//!
//! Owns what is said of files in the recording, and the rule of `sftp:read`. It has no socket and no clock: the relay
//! gives it the bytes of both directions as they come, in any pieces, and gets back those that go on.
//!
//! # How it is used
//!
//! One [`Watch`] for each channel on which the target has accepted the subsystem `sftp`:
//!
//! - Bytes from the client go through [`Watch::client`], bytes from the target through [`Watch::target`], from the first
//!   one. What comes out by [`Outlet::to_target`] and [`Outlet::to_client`] is sent in that order, and nothing else is.
//!   Both methods may send to the client: refusals of requests are answered here, between two packets of the target's.
//! - [`Watch::client`] may leave bytes in `input`: too much is unanswered. Keep them, read no more from the client, and
//!   give them again after the next call of [`Watch::target`].
//! - [`Outlet::record`] is called before the bytes that the event is about come out. Answers to the client need
//!   backpressure as all bytes do: a client that sends requests and reads no answers must not be read from.
//! - After an error the channel has to be closed, in both directions. Whatever came out before is whole packets or parts
//!   of them, and may be sent or not.
//! - However the channel ends, [`Watch::finish`] comes last, and records what was cut short.
//!
//! # What is recorded
//!
//! One [`Event::File`] for each operation, when its answer comes: `list` when a directory is opened, `get` and `put`
//! when a file is closed, `remove`, `rename`, `mkdir`, `rmdir`, `symlink`, `hardlink`, `copy`, `truncate`, `chmod`,
//! `chown`, `utimes` (`setstat` for several of these at once) and `extended`, whose path is the name of an extension
//! that is not known here. For a symlink, `path` is what it points at and `to` is the link. The contents of files pass
//! by reference and are hashed on their way; nothing of them is kept.
//!
//! [`Event::File`]: curfew_adapter::Event::File

mod files;
mod request;
mod scan;
mod sides;
mod state;
mod wire;

use bytes::Bytes;
use curfew_adapter::{Event, RecordError};
use scan::Scanner;
use sides::{Answers, Requests};
use state::State;

#[cfg(test)]
mod tests;

/// What the contract lets a client do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `sftp`: everything.
    ReadWrite,
    /// `sftp:read`: requests that may change anything are answered with PERMISSION_DENIED, and the target never sees them.
    ReadOnly,
}

/// Where the bytes and the events of a channel go.
pub trait Outlet {
    /// Takes bytes for the target.
    fn to_target(&mut self, bytes: Bytes);

    /// Takes bytes for the client.
    fn to_client(&mut self, bytes: Bytes);

    /// Takes an event down.
    ///
    /// # Errors
    /// Where the session must end because it can't be recorded.
    fn record(&mut self, event: &Event<'_>) -> Result<(), RecordError>;
}

/// Why a channel has to end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SftpFault {
    /// The client sent what no client may send.
    #[error("the client broke the SFTP protocol: {0}")]
    Client(&'static str),
    /// The target sent what no target may send.
    #[error("the target broke the SFTP protocol: {0}")]
    Target(&'static str),
    /// The recording can't go on.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// What is known of one channel.
pub struct Watch {
    state: State,
    from_client: Scanner,
    from_target: Scanner,
}

impl Watch {
    /// Watches the channel with this number in the recording.
    pub fn new(ch: u32, access: Access) -> Self {
        Self {
            state: State::new(ch, access),
            from_client: Scanner::default(),
            from_target: Scanner::default(),
        }
    }

    /// Takes bytes from the client. What it leaves in `input` is to be given again after [`Watch::target`].
    ///
    /// # Errors
    /// The channel has to end.
    pub fn client(&mut self, input: &mut Bytes, out: &mut impl Outlet) -> Result<(), SftpFault> {
        loop {
            let taken = self.from_client.take(input, &mut Requests { state: &mut self.state, out });
            self.interject(out);
            // What had no room may have it now that answers of our own are on their way.
            if taken.is_err() || input.is_empty() || !self.state.has_room() {
                return taken;
            }
        }
    }

    /// Takes bytes from the target, all of them.
    ///
    /// # Errors
    /// The channel has to end.
    pub fn target(&mut self, mut input: Bytes, out: &mut impl Outlet) -> Result<(), SftpFault> {
        self.from_target.take(&mut input, &mut Answers { state: &mut self.state, out })?;
        self.interject(out);
        Ok(())
    }

    /// Records what was begun and will not come to its end.
    ///
    /// # Errors
    /// Where it can't be recorded.
    pub fn finish(&mut self, out: &mut impl Outlet) -> Result<(), RecordError> {
        Answers { state: &mut self.state, out }.finish()
    }

    /// Whether a packet was cut short if this is the end of the client's bytes, or of the target's.
    pub const fn in_packet(&self) -> bool {
        self.from_client.in_packet() || self.from_target.in_packet()
    }

    /// Sends the answers of our own, unless the client is getting a packet of the target's.
    fn interject(&mut self, out: &mut impl Outlet) {
        use scan::Side as _;
        let between = self.from_target.between_packets();
        let mut answers = Answers { state: &mut self.state, out };
        if between && answers.interjects() {
            answers.interject();
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
