//! Targets, requests and grants, as the API tells them.

use jiff::Timestamp;
use serde::Deserialize;

use super::Who;

/// An item of `GET targets`.
#[derive(Debug, Deserialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub protocol: String,
    /// The accounts that may be reached or asked for.
    #[serde(default)]
    pub accounts: Vec<TargetAccount>,
}

/// An account of a [`Target`].
#[derive(Debug, Deserialize)]
pub struct TargetAccount {
    /// Its name on the target.
    pub name: String,
    /// The contracts under which one may ask.
    #[serde(default)]
    pub contracts: Vec<Offer>,
    /// The active grant that already opens it.
    #[serde(default)]
    pub grant: Option<String>,
}

/// What a contract offers.
#[derive(Debug, Deserialize)]
pub struct Offer {
    /// The contract's name.
    pub name: String,
    /// Seconds, at most.
    #[serde(default)]
    pub max_seconds: u64,
    /// Whether somebody must approve.
    #[serde(default)]
    pub needs_approval: bool,
    /// Whether a reason must be given.
    #[serde(default)]
    pub reason_required: bool,
    /// What a ticket must look like, where one must be given.
    #[serde(default)]
    pub ticket: Option<String>,
}

/// A request.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: String,
    /// `access` or `extension`.
    #[serde(default)]
    pub kind: String,
    /// pending, approved, denied, cancelled or expired.
    pub state: String,
    /// Under which contract.
    #[serde(default)]
    pub contract: String,
    /// What is asked for.
    pub target: String,
    /// What it speaks.
    #[serde(default)]
    pub protocol: String,
    /// As whom.
    pub account: String,
    /// Who asks.
    #[serde(default)]
    pub requester: Who,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Its ticket.
    #[serde(default)]
    pub ticket: Option<String>,
    /// For how long.
    #[serde(default)]
    pub duration_seconds: u64,
    /// When it is to start, if not at once.
    #[serde(default)]
    pub starts_at: Option<Timestamp>,
    /// When it was asked.
    pub created_at: Timestamp,
    /// When it lapses if nobody decides.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When it was decided.
    #[serde(default)]
    pub decided_at: Option<Timestamp>,
    /// From where it was asked.
    #[serde(default)]
    pub address: Option<String>,
    /// Who said what.
    #[serde(default)]
    pub votes: Vec<Vote>,
    /// How many approvals it takes.
    #[serde(default)]
    pub approvals_needed: u64,
    /// How many there are.
    #[serde(default)]
    pub approvals: u64,
    /// The approval that this answers had been counted before.
    #[serde(default)]
    pub counted_before: bool,
    /// Who could decide it.
    #[serde(default)]
    pub approvers: Vec<String>,
    /// Its page.
    #[serde(default)]
    pub url: String,
    /// The grant that it became.
    #[serde(default)]
    pub grant_id: Option<String>,
}

/// One approver's word on a request.
#[derive(Debug, Deserialize)]
pub struct Vote {
    /// Whose.
    #[serde(default)]
    pub email: Option<String>,
    /// What.
    pub verdict: String,
    /// The shorter duration that was allowed.
    #[serde(default)]
    pub duration_seconds: Option<u64>,
    /// What was said with it.
    #[serde(default)]
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A grant.
#[derive(Debug, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// The request that it came from.
    #[serde(default)]
    pub request: String,
    /// scheduled, active, expired, revoked or returned.
    pub state: String,
    /// Under which contract.
    #[serde(default)]
    pub contract: String,
    /// What it opens.
    pub target: String,
    /// As whom.
    pub account: String,
    /// Who holds it.
    #[serde(default)]
    pub holder: Who,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// When it was ended before that.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// By whom.
    #[serde(default)]
    pub ended_by: Option<serde_json::Value>,
    /// What was said with it.
    #[serde(default)]
    pub end_note: Option<String>,
    /// How often it was extended.
    #[serde(default)]
    pub extensions: u64,
    /// How often it may still be.
    #[serde(default)]
    pub extensions_left: u64,
    /// Sessions under it, right now.
    #[serde(default)]
    pub sessions_live: u64,
    /// Its page.
    #[serde(default)]
    pub url: String,
}
