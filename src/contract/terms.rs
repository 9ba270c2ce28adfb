//! The terms of a grant: what its sessions may do and how they are recorded, fixed when it is approved.
//!
//! Owns the question whether one grant may prolong a session that lives under another. It never knows of time: when
//! a grant admits is the grant's own matter.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::model::{Contract, Record};
use super::wanted::{Databases, TargetFacts};

/// What a session may do, and under which duties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantTerms {
    /// The target's name.
    pub target: String,
    /// The account, as the target spells it.
    pub account: String,
    /// Databases that may be opened.
    pub databases: Databases,
    /// What may be done there, in the adapter's words.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub allow: BTreeSet<String>,
    /// What the recording must hold and hide.
    pub record: Record,
    /// Seconds without traffic after which a session ends.
    #[serde(with = "super::seconds::optional", rename = "idle_seconds")]
    pub idle: Option<Duration>,
    /// Sessions live at once.
    pub sessions: Option<u32>,
}

impl GrantTerms {
    /// What this contract gives for this account on this target.
    #[must_use]
    pub fn of(contract: &Contract, target: &TargetFacts, account: &str) -> Self {
        Self {
            target: target.name.clone(),
            account: account.to_owned(),
            databases: contract.databases_on(target),
            allow: contract.what.allow_on(target.protocol),
            record: contract.record.clone(),
            idle: contract.end.idle,
            sessions: contract.end.sessions,
        }
    }

    /// Whether a session that lives under `other` would be within these terms too: it reaches nothing more, and
    /// honours every duty that these terms impose (recorded at least as fully, masked at least as much, cut at
    /// least as soon when idle, at most as many side by side). Only then may a grant with these terms prolong it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let reach = self.target == other.target
            && self.account == other.account
            && self.databases.contain(&other.databases)
            && other.allow.is_subset(&self.allow);
        let recorded = self.record.parameters <= other.record.parameters
            && self.record.results <= other.record.results
            && self.record.input <= other.record.input
            && self.record.mask.is_subset(&other.record.mask);
        reach && recorded && at_most(other.idle, self.idle) && at_most(other.sessions, self.sessions)
    }
}

/// Whether `value` keeps within `limit`, where `None` is "without limit".
fn at_most<T: Ord>(value: Option<T>, limit: Option<T>) -> bool {
    match (value, limit) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(value), Some(limit)) => value <= limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curfew_adapter::ParameterPolicy;

    fn terms() -> GrantTerms {
        GrantTerms {
            target: "orders".into(),
            account: "orders_read".into(),
            databases: Databases::Only(["orders".to_owned()].into()),
            allow: ["shell".to_owned()].into(),
            record: Record {
                parameters: ParameterPolicy::Types,
                mask: ["iban".to_owned()].into(),
                ..Record::default()
            },
            idle: Some(Duration::from_mins(15)),
            sessions: Some(5),
        }
    }

    #[test]
    fn equal_terms_contain_each_other() {
        assert!(terms().contains(&terms()));
    }

    #[test]
    fn each_wider_reach_or_heavier_duty_of_the_session_is_noticed() {
        type Change = fn(&mut GrantTerms);
        let changes: [(&str, Change); 10] = [
            ("other target", |session| session.target = "invoices".into()),
            ("account in other case", |session| session.account = "Orders_Read".into()),
            ("any database", |session| session.databases = Databases::Any),
            ("another database", |session| session.databases = Databases::Only(["hr".to_owned()].into())),
            ("allowed more", |session| session.allow = ["shell".to_owned(), "agent".to_owned()].into()),
            ("recorded less", |session| session.record.parameters = ParameterPolicy::None),
            ("masked less", |session| session.record.mask.clear()),
            ("idle for ever", |session| session.idle = None),
            ("idle for longer", |session| session.idle = Some(Duration::from_mins(16))),
            ("more sessions", |session| session.sessions = Some(6)),
        ];
        for (what, change) in changes {
            let mut session = terms();
            change(&mut session);
            assert!(!terms().contains(&session), "{what}");
        }
    }

    #[test]
    fn a_session_under_stricter_terms_is_contained() {
        let session = GrantTerms {
            databases: Databases::Only([].into()),
            record: Record {
                parameters: ParameterPolicy::Full,
                mask: ["iban".to_owned(), "card".to_owned()].into(),
                input: true,
                ..Record::default()
            },
            idle: Some(Duration::from_mins(1)),
            sessions: Some(1),
            ..terms()
        };
        assert!(terms().contains(&session));
    }
}
