//! The shapes of the API's answers, as far as commands show them.
//!
//! Owns the client's reading of docs/openapi.json: what it does not know it skips, so that an older client can talk to
//! a newer gate. Never used to answer anything.

use jiff::Timestamp;
use serde::Deserialize;

/// A person or service, as others see it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Who {
    /// The identity's id.
    #[serde(default, alias = "id")]
    pub identity: String,
    /// Verified, where there is one.
    #[serde(default)]
    pub email: Option<String>,
    /// As the provider tells it.
    #[serde(default)]
    pub name: Option<String>,
}

impl Who {
    /// The email, else the name, else the id.
    pub fn shown(&self) -> &str {
        self.email.as_deref().or(self.name.as_deref()).unwrap_or(&self.identity)
    }
}

/// `GET whoami`.
#[derive(Debug, Deserialize)]
pub struct Whoami {
    /// Who.
    pub identity: Who,
    /// Roles in Curfew.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The sign-in that asks.
    pub signin: WhoamiSignin,
}

/// The sign-in of [`Whoami`].
#[derive(Debug, Deserialize)]
pub struct WhoamiSignin {
    /// Its id.
    pub id: String,
    /// How.
    #[serde(default)]
    pub method: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

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

/// A session.
#[derive(Debug, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Under which grant.
    #[serde(default)]
    pub grant: Option<String>,
    /// From which request.
    #[serde(default)]
    pub request: Option<String>,
    /// Whose.
    #[serde(default)]
    pub identity: Who,
    /// To where.
    pub target: String,
    /// Over what.
    #[serde(default)]
    pub protocol: String,
    /// As whom.
    pub account: String,
    /// In which database.
    #[serde(default)]
    pub database: Option<String>,
    /// Under which contract.
    #[serde(default)]
    pub contract: Option<String>,
    /// From where.
    #[serde(default)]
    pub client_address: Option<String>,
    /// With what.
    #[serde(default)]
    pub program: Option<String>,
    /// Since when.
    pub started_at: Timestamp,
    /// Until when.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    #[serde(default)]
    pub end_reason: Option<String>,
    /// More about its end.
    #[serde(default)]
    pub end_detail: Option<String>,
    /// How it was cut, where it was.
    #[serde(default)]
    pub cut: Option<Cut>,
    /// From the client.
    #[serde(default)]
    pub bytes_in: u64,
    /// To the client.
    #[serde(default)]
    pub bytes_out: u64,
    /// Whether it runs.
    #[serde(default)]
    pub live: bool,
    /// Its recording.
    #[serde(default)]
    pub recording: Option<Recording>,
}

/// How a session was cut.
#[derive(Debug, Deserialize)]
pub struct Cut {
    /// From the end to the last byte, in microseconds.
    #[serde(default)]
    pub latency_us: Option<u64>,
    /// Why the client got no goodbye.
    #[serde(default)]
    pub no_goodbye: Option<String>,
    /// What was running or half sent.
    #[serde(default)]
    pub outstanding: Option<String>,
    /// What became of the target's work.
    #[serde(default)]
    pub target_work: Option<String>,
}

/// The state of a recording.
#[derive(Debug, Deserialize)]
pub struct Recording {
    /// How many chunks.
    #[serde(default)]
    pub chunks: u64,
    /// How many events.
    #[serde(default)]
    pub events: u64,
    /// Whether nothing can be added any more.
    #[serde(default)]
    pub sealed: bool,
}

/// An item of `GET signins`.
#[derive(Debug, Deserialize)]
pub struct Signin {
    /// Its id.
    pub id: String,
    /// Whose.
    #[serde(default)]
    pub identity: Who,
    /// How.
    #[serde(default)]
    pub method: String,
    /// From where.
    #[serde(default)]
    pub address: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// When it was ended before that.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// Whether it is the one that asks.
    #[serde(default)]
    pub current: bool,
}

/// An item of `GET identities`.
#[derive(Debug, Deserialize)]
pub struct Identity {
    /// Its id.
    pub id: String,
    /// Verified, where there is one.
    #[serde(default)]
    pub email: Option<String>,
    /// As the provider tells it.
    #[serde(default)]
    pub name: Option<String>,
    /// `user` or `service`.
    #[serde(default)]
    pub kind: String,
    /// As the provider told at the last sign-in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether an admin shut it out.
    #[serde(default)]
    pub disabled: bool,
    /// When it last signed in.
    #[serde(default)]
    pub last_signin_at: Option<Timestamp>,
}

/// `GET gate`.
#[derive(Debug, Deserialize)]
pub struct Gate {
    /// Where its protocols listen.
    #[serde(default)]
    pub listeners: Vec<Listener>,
}

/// Where a protocol listens.
#[derive(Debug, Deserialize)]
pub struct Listener {
    /// Which protocol.
    pub protocol: String,
    /// `host:port`, as clients reach it.
    pub address: String,
}

/// `POST certificates`.
#[derive(Debug, Deserialize)]
pub struct Certificate {
    /// In PEM.
    pub certificate: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// `GET ca`.
#[derive(Debug, Deserialize)]
pub struct Authority {
    /// In PEM.
    pub certificate: String,
}

/// `GET keys`: what seals and checkpoints are signed with.
#[derive(Debug, Deserialize)]
pub struct PublicKey {
    /// In PEM.
    pub pem: String,
}
