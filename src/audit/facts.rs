//! What the events of the audit log are made of, apart from their own fields: actors, outcomes, and how a session ended.
//!
//! As in `event.rs`, what was once released keeps its name and its fields.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::event::{AuditEvent, What};

/// Who made something happen. A role or a group is not an actor: a person is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Actor {
    /// Curfew itself: a deadline that passed, a reload, a start.
    Curfew,
    /// Somebody who is not signed in, or not yet.
    Stranger {
        /// Where from, when it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
    },
    /// A signed-in person or service.
    Identity {
        /// The identity's id.
        identity: String,
        /// Its verified email, for reading; the id is what counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        /// Where from, when it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
    },
    /// Whoever has a shell on the gate's host and ran a command there.
    Host {
        /// The operating system's name for the user.
        user: String,
    },
}

impl Actor {
    /// An event that this actor caused.
    #[must_use]
    pub fn did(self, what: What) -> AuditEvent {
        AuditEvent { what, actor: self }
    }
}

/// How a request was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestOutcome {
    /// Approved: there is a grant.
    Approved,
    /// Denied by an approver.
    Denied,
    /// Taken back by whoever asked.
    Cancelled,
    /// Nobody decided in time.
    Expired,
}

/// How a grant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantOutcome {
    /// Its time was over.
    Expired,
    /// Taken away.
    Revoked,
    /// Given back.
    Returned,
}

/// A contract, as a set names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractVersion {
    /// Its name.
    pub name: String,
    /// The digest of its file, as the contract engine writes it.
    pub version: String,
}

/// How the end of a session was carried out, when Curfew ended it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// From the end to the last session byte, in microseconds.
    pub latency_us: u64,
    /// How long the goodbye took, in microseconds; none when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodbye_us: Option<u64>,
    /// Why there was no goodbye.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_goodbye: Option<String>,
    /// What was running or half sent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outstanding: Option<String>,
    /// What was done about the target's work, and how it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_work: Option<String>,
}

/// The recording of an ended session, as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Chunks in it.
    pub chunks: u64,
    /// Events in it.
    pub events: u64,
    /// Events that could not be written (best effort only).
    pub lost: u64,
    /// The digest of the last chunk.
    pub head: Digest,
}
