//! What somebody wants to reach: a target as the configuration describes it, an account, a database.
//!
//! Owns these facts as values. It never holds an address or a secret: a decision needs neither.

use std::collections::{BTreeMap, BTreeSet};

use curfew_adapter::Protocol;
use serde::{Deserialize, Serialize};

/// What a contract may know of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// The name in the configuration, compared exactly.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Labels of the target's entry.
    pub labels: BTreeMap<String, String>,
    /// Databases of the target's entry.
    pub databases: Databases,
}

/// Which databases of a target are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Databases {
    /// Every one: neither the contract nor the target's entry names any, or the protocol has none.
    Any,
    /// These only, compared exactly.
    Only(BTreeSet<String>),
}

impl Databases {
    /// Whether this database is among them.
    #[must_use]
    pub fn allow(&self, database: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(names) => names.contains(database),
        }
    }

    /// Whether every database of `other` is among them.
    #[must_use]
    pub fn contain(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Only(_), Self::Any) => false,
            (Self::Only(mine), Self::Only(theirs)) => theirs.is_subset(mine),
        }
    }

    /// Those in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, rest) | (rest, Self::Any) => rest.clone(),
            (Self::Only(mine), Self::Only(theirs)) => {
                Self::Only(mine.intersection(theirs).cloned().collect())
            }
        }
    }
}

/// One question to a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The target as it is configured now.
    pub target: &'a TargetFacts,
    /// The account on it; `None` asks about any that the contract offers.
    pub account: Option<&'a str>,
    /// The database; `None` where no particular one is meant (a request is for all that the contract offers).
    pub database: Option<&'a str>,
}
