//! A request as it is kept and shown: plain values.
//!
//! Owns their shape. Nothing here decides: a record that says `approved` opens no grant.

use std::time::Duration;

use curfew_adapter::{GrantId, RequestId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contract::{PersonKey, Pin, seconds};

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Waits for its approvers.
    Pending,
    /// Enough people approved.
    Approved,
    /// An approver said no.
    Denied,
    /// The requester took it back.
    Cancelled,
    /// Nobody decided in time.
    Expired,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RequestKind {
    /// A new grant.
    Access,
    /// More time for a grant that runs.
    Extension {
        /// The grant.
        grant: GrantId,
    },
}

/// One person's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: PersonKey,
    /// For how long; never longer than was asked for.
    #[serde(with = "seconds", rename = "seconds")]
    pub duration: Duration,
    /// What they said to it.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// How a request left `pending`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// When.
    pub at: Timestamp,
    /// By whom; `None`: by the passing of time, or by a contract that needs no approval.
    pub by: Option<PersonKey>,
    /// Why, in their words.
    pub note: Option<String>,
}

/// Everything about a request, as the store keeps it and the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Its id.
    pub id: RequestId,
    /// A new grant, or more of one.
    #[serde(flatten)]
    pub kind: RequestKind,
    /// The version of the contract that it was made under.
    pub contract: Pin,
    /// Who asked. For an extension, who asked for the grant: they never decide about it either.
    pub requester: PersonKey,
    /// Who will have the access.
    pub beneficiary: PersonKey,
    /// The target's name.
    pub target: String,
    /// The account on it.
    pub account: String,
    /// For how long.
    #[serde(with = "seconds", rename = "seconds")]
    pub duration: Duration,
    /// From when on; `None`: from the approval on.
    pub starts_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// Under which ticket.
    pub ticket: Option<String>,
    /// When it was made.
    pub asked_at: Timestamp,
    /// When it lapses if nobody decides.
    pub expires_at: Timestamp,
    /// Who said yes so far; at most one entry for each person.
    pub approvals: Vec<Approval>,
    /// Where it stands.
    pub state: RequestState,
    /// How it came there, once decided.
    pub decided: Option<Decided>,
}
