//! How a session ends: one reason, one instant, one sentence for the person.

use crate::BootTime;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Why a session ended. A session has exactly one, and there are no others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum EndReason { $($(#[$doc])* $name,)* }

        impl EndReason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word used in the API, the audit log, metrics and logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Reads the word back.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }
        }
    };
}

reasons! {
    /// The client closed the connection.
    ClientClosed = "client_closed",
    /// The target closed the connection.
    TargetClosed = "target_closed",
    /// The target could not be reached, or refused the account.
    TargetUnreachable = "target_unreachable",
    /// One side broke the protocol.
    ProtocolError = "protocol_error",
    /// The grant's time was up.
    Expired = "expired",
    /// The grant was revoked.
    Revoked = "revoked",
    /// The person returned the grant.
    Returned = "returned",
    /// An admin killed the session.
    Killed = "killed",
    /// Nothing happened for longer than the contract allows.
    Idle = "idle",
    /// The sign-in expired, or was signed out.
    SigninEnded = "signin_ended",
    /// The identity was disabled.
    IdentityDisabled = "identity_disabled",
    /// The contract as it stands now no longer allows it.
    NoLongerAllowed = "no_longer_allowed",
    /// The recording could not be written.
    RecordingFailed = "recording_failed",
    /// The node lost its store for longer than it may.
    StoreLost = "store_lost",
    /// The node was shut down in good order.
    Drained = "drained",
    /// The node died; said at its next start.
    Interrupted = "interrupted",
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a person is told: one sentence, what stands behind it, and what to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// What happened, and why: one sentence.
    pub message: String,
    /// More of it: which grant, who, when. May be empty.
    pub detail: String,
    /// What to do next, with the link. May be empty.
    pub hint: String,
}

/// The end of a lease.
#[derive(Clone, Debug)]
pub struct End {
    /// Why.
    pub reason: EndReason,
    /// When, on the clock that decides.
    pub at: BootTime,
    /// When, for people and logs.
    pub at_wall: Timestamp,
    /// What the person is told.
    pub notice: Arc<Notice>,
}
