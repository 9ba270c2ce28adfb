//! The events of the audit log, one variant for each kind.
//!
//! Owns their names and fields. A kind, once released, keeps its name and its fields; new ones may be added, by
//! adding a variant here. Never put a secret, a token or a statement's text into one.

use std::net::IpAddr;

use curfew_adapter::EndReason;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// One event: what happened, and who made it happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// What happened.
    #[serde(flatten)]
    pub what: What,
    /// Who made it happen.
    pub actor: Actor,
}

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

/// What happened. Durations are in seconds unless the name says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum What {
    /// The gate started.
    #[serde(rename = "node.started")]
    NodeStarted {
        /// Curfew's version.
        version: String,
        /// The digest of the configuration file.
        config: Digest,
    },
    /// The gate stopped in order.
    #[serde(rename = "node.stopped")]
    NodeStopped,

    /// Somebody asked for access.
    #[serde(rename = "request.created")]
    RequestCreated {
        /// The request's id.
        request: String,
        /// The contract's name.
        contract: String,
        /// The contract's version, pinned from here on.
        version: String,
        /// What is asked for.
        target: String,
        /// As which account.
        account: String,
        /// For how long.
        duration: u64,
        /// From when; none: from approval.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        starts: Option<Timestamp>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The ticket.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ticket: Option<String>,
    },
    /// An approver said yes; it may take several.
    #[serde(rename = "request.approval")]
    RequestApproval {
        /// The request's id.
        request: String,
        /// Approvals by distinct persons now.
        approvals: u32,
        /// Approvals that are due.
        needed: u32,
        /// The duration, if the approver shortened it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shortened: Option<u64>,
        /// What the approver wrote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A request left `pending`.
    #[serde(rename = "request.decided")]
    RequestDecided {
        /// The request's id.
        request: String,
        /// How.
        outcome: RequestOutcome,
        /// The grant that it made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant: Option<String>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },

    /// A grant's time began.
    #[serde(rename = "grant.activated")]
    GrantActivated {
        /// The grant's id.
        grant: String,
        /// The request that made it.
        request: String,
        /// When it ends.
        until: Timestamp,
    },
    /// A grant was made longer.
    #[serde(rename = "grant.extended")]
    GrantExtended {
        /// The grant's id.
        grant: String,
        /// When it ended before.
        was: Timestamp,
        /// When it ends now.
        until: Timestamp,
    },
    /// A grant is over.
    #[serde(rename = "grant.ended")]
    GrantEnded {
        /// The grant's id.
        grant: String,
        /// How.
        outcome: GrantOutcome,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },

    /// Somebody signed in.
    #[serde(rename = "signin.started")]
    SigninStarted {
        /// The sign-in's id.
        signin: String,
        /// The provider's name.
        provider: String,
        /// How: `link`, `loopback`, `device`, `certificate`.
        method: String,
        /// When it ends by itself.
        until: Timestamp,
    },
    /// A sign-in was refused.
    #[serde(rename = "signin.refused")]
    SigninRefused {
        /// How it was tried.
        method: String,
        /// Why it was refused.
        why: String,
    },
    /// A sign-in is over.
    #[serde(rename = "signin.ended")]
    SigninEnded {
        /// The sign-in's id.
        signin: String,
        /// Why: `logout`, `expired`, `revoked`, `identity_disabled`.
        why: String,
    },
    /// A key was bound to a sign-in: its holder is signed in by it from now on.
    #[serde(rename = "key.bound")]
    KeyBound {
        /// The sign-in's id.
        signin: String,
        /// `SHA256:…`
        fingerprint: String,
        /// When the sign-in, and the key with it, ends by itself.
        until: Timestamp,
    },
    /// A key was taken away from a sign-in.
    #[serde(rename = "key.removed")]
    KeyRemoved {
        /// The sign-in's id.
        signin: String,
        /// Whose it was.
        identity: String,
        /// `SHA256:…`
        fingerprint: String,
    },
    /// A provider asserted what its entry does not let it assert.
    #[serde(rename = "signin.claims_dropped")]
    ClaimsDropped {
        /// The provider's name.
        provider: String,
        /// The identity's id.
        identity: String,
        /// What was dropped: `email a@example.org`, `group admins`.
        dropped: Vec<String>,
    },

    /// An identity may no longer do anything.
    #[serde(rename = "identity.disabled")]
    IdentityDisabled {
        /// The identity's id.
        identity: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A disabled identity may again.
    #[serde(rename = "identity.enabled")]
    IdentityEnabled {
        /// The identity's id.
        identity: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },

    /// A connection got no session.
    #[serde(rename = "session.refused")]
    SessionRefused {
        /// What it asked for, when it got as far.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
        /// As which account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
        /// Why it was refused.
        why: String,
    },
    /// A session began; nothing had reached the target yet.
    #[serde(rename = "session.started")]
    SessionStarted {
        /// The session's id, its recording's too.
        session: String,
        /// The protocol's name.
        protocol: String,
        /// What is reached.
        target: String,
        /// As which account.
        account: String,
        /// The contract's name.
        contract: String,
        /// The request's id.
        request: String,
        /// The grant's id.
        grant: String,
    },
    /// A session is over.
    #[serde(rename = "session.ended")]
    SessionEnded {
        /// The session's id.
        session: String,
        /// Its one end reason.
        reason: EndReason,
        /// More about it, for reading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// How Curfew ended it; none when it ended by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cut: Option<Cut>,
        /// Bytes from the client to the target.
        bytes_in: u64,
        /// Bytes from the target to the client.
        bytes_out: u64,
        /// The recording; none when it could not be sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recording: Option<Recorded>,
    },
    /// Somebody ended a session and barred its identity, target and account for a while.
    #[serde(rename = "session.killed")]
    SessionKilled {
        /// The session's id.
        session: String,
        /// Until when they are barred.
        barred_until: Timestamp,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },

    /// A set of contracts came into force.
    #[serde(rename = "contracts.loaded")]
    ContractsLoaded {
        /// All contracts of the set.
        contracts: Vec<ContractVersion>,
    },
    /// A set of contracts was refused whole; the one before stays in force.
    #[serde(rename = "contracts.refused")]
    ContractsRefused {
        /// What is wrong with it.
        errors: Vec<String>,
    },

    /// Somebody read a recording.
    #[serde(rename = "recording.read")]
    RecordingRead {
        /// The session's id.
        session: String,
        /// How: `show`, `watch`, `export`, `verify`, `search`.
        how: String,
    },
    /// Somebody searched the recordings.
    #[serde(rename = "recordings.searched")]
    RecordingsSearched {
        /// For what.
        text: String,
        /// Only in sessions to this target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
        /// Only in sessions of this person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        who: Option<String>,
        /// Only what happened at this moment or later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// Somebody read the audit log as a whole.
    #[serde(rename = "audit.read")]
    AuditRead {
        /// How: `tail`, `export`, `verify`.
        how: String,
    },
}
