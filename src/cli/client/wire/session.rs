//! Sessions and their recordings, as the API tells them.

use jiff::Timestamp;
use serde::Deserialize;

use super::Who;

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
