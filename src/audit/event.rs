//! The events of the audit log, one variant for each kind.
//!
//! Owns their names and fields. A kind, once released, keeps its name and its fields; new ones may be added, by
//! adding a variant here. Never put a secret, a token or a statement's text into one.

use curfew_adapter::EndReason;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
pub use super::facts::{Actor, ContractVersion, Cut, GrantOutcome, Recorded, RequestOutcome};

/// One event: what happened, and who made it happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// What happened.
    #[serde(flatten)]
    pub what: What,
    /// Who made it happen.
    pub actor: Actor,
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
    /// A credential was made for a sign-in: whoever knows its secret connects with it from now on.
    #[serde(rename = "credential.made")]
    CredentialMade {
        /// The sign-in's id.
        signin: String,
        /// The credential's name.
        credential: String,
        /// The one target that it is good for.
        target: String,
        /// The one account there.
        account: String,
        /// When the sign-in, and the credential with it, ends by itself.
        until: Timestamp,
    },
    /// A credential was taken away from a sign-in.
    #[serde(rename = "credential.removed")]
    CredentialRemoved {
        /// The sign-in's id.
        signin: String,
        /// Whose it was.
        identity: String,
        /// The credential's name.
        credential: String,
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
