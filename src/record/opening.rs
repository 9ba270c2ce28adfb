//! The first event of every recording: whose session it is, and under which terms.
//!
//! Owns its shape, which docs/formats.md describes.

use curfew_adapter::{ParameterPolicy, RecordPolicy, ResultPolicy, SessionId, Terms};
use serde::{Deserialize, Serialize};

/// The `session` event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "session")]
pub struct Opening {
    /// The session's id.
    pub session: SessionId,
    /// The protocol's name.
    pub protocol: String,
    /// Who.
    pub identity: Who,
    /// Where the client connects from.
    pub client: String,
    /// The target's name.
    pub target: String,
    /// The target's address, or addresses with a comma between.
    pub address: String,
    /// The login used on the target.
    pub account: String,
    /// The database that was opened (Postgres).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The contract's name.
    pub contract: String,
    /// The request's id.
    pub request: String,
    /// The grant's id.
    pub grant: String,
    /// What is recorded, and how.
    pub record: Policy,
}

/// An identity, as it was when the session began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Its id.
    pub id: String,
    /// Its verified email.
    pub email: String,
    /// What to call it.
    pub name: String,
}

/// How the session is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How much of the parameters: full, types, none.
    pub parameters: ParameterPolicy,
    /// How much of what came back: none, full.
    #[serde(default)]
    pub results: ResultPolicy,
    /// Whether what was typed into terminals is there.
    #[serde(default)]
    pub input: bool,
    /// The contract's masks.
    pub mask: Vec<String>,
    /// Whether a recording that fails ends the session.
    pub strict: bool,
}

impl From<&RecordPolicy> for Policy {
    fn from(policy: &RecordPolicy) -> Self {
        Self {
            parameters: policy.parameters,
            results: policy.results,
            input: policy.input,
            mask: policy.mask.clone(),
            strict: policy.strict,
        }
    }
}

impl Opening {
    /// The opening of a session under these terms; `client` is the address that it comes from.
    #[must_use]
    pub fn new(session: SessionId, terms: &Terms, client: std::net::IpAddr) -> Self {
        Self {
            session,
            protocol: terms.target.protocol.to_string(),
            identity: Who {
                id: terms.identity.id.to_string(),
                email: terms.identity.email.clone(),
                name: terms.identity.name.clone(),
            },
            client: client.to_string(),
            target: terms.target.name.clone(),
            address: addresses(terms),
            account: terms.account.clone(),
            database: terms.database.clone(),
            contract: terms.contract.clone(),
            request: terms.request.to_string(),
            grant: terms.grant.to_string(),
            record: Policy::from(&terms.record),
        }
    }
}

/// Where the target is; all its places, where there are several: which one it will be is not known yet.
fn addresses(terms: &Terms) -> String {
    let places: Vec<_> = terms.target.addresses().map(ToString::to_string).collect();
    places.join(", ")
}
