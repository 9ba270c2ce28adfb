//! Does this contract give this person this account on this target at this instant?
//!
//! Owns that question, and all the reasons for a no: every one, so that `explain` can show them together. Pure: the
//! clock is passed in. It never looks at grants or approvals.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use curfew_adapter::{IdentityKind, Protocol};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hours::Open;
use super::model::{Contract, Named};
use super::person::Person;
use super::wanted::{Databases, TargetFacts, Wanted};

/// The answer of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// It gives what is wanted, once its approvers agree.
    Match,
    /// It does not, for all of these reasons; never empty.
    Mismatch(Vec<Reason>),
}

impl Decision {
    /// Whether the contract gives what is wanted.
    #[must_use]
    pub fn is_match(&self) -> bool {
        matches!(self, Self::Match)
    }

    fn from_reasons(reasons: Vec<Reason>) -> Self {
        if reasons.is_empty() { Self::Match } else { Self::Mismatch(reasons) }
    }
}

/// One reason why a contract does not give what is wanted. `Display` is a clause for people, without a full stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// In none of the groups, and not named.
    NotNamed {
        /// Groups that would do.
        groups: BTreeSet<String>,
    },
    /// Left out by `except`.
    Excepted {
        /// The email or group that is left out.
        by: String,
    },
    /// A service: this contract is for people.
    Service,
    /// The target's name is not among those of the contract.
    OtherTarget {
        /// The names.
        names: BTreeSet<String>,
    },
    /// The target speaks another protocol.
    OtherProtocol {
        /// The contract's.
        wants: Protocol,
        /// The target's.
        has: Protocol,
    },
    /// A label is absent or different.
    OtherLabel {
        /// The label's key.
        label: String,
        /// The contract's value.
        wants: String,
        /// The target's.
        has: Option<String>,
    },
    /// The contract does not offer this account.
    OtherAccount {
        /// Those that it offers.
        offers: BTreeSet<String>,
    },
    /// The contract, or the target's entry, does not offer this database.
    OtherDatabase {
        /// Those that are offered.
        offers: BTreeSet<String>,
    },
    /// Outside the contract's hours.
    Closed {
        /// The hours, `Mon-Fri 08:00-20:00 Europe/Berlin`.
        hours: String,
        /// When they open next.
        opens: Option<Timestamp>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNamed { groups } if groups.is_empty() => f.write_str("it names other people"),
            Self::NotNamed { groups } => write!(f, "it is for members of {}", list(groups)),
            Self::Excepted { by } => write!(f, "it leaves out {by}"),
            Self::Service => f.write_str("it is for people, not for services"),
            Self::OtherTarget { names } => write!(f, "it is for the target {}", list(names)),
            Self::OtherProtocol { wants, has } => write!(f, "it is for {wants}, and the target speaks {has}"),
            Self::OtherLabel { label, wants, has: Some(has) } => {
                write!(f, "it is for targets with {label}={wants}, and this one has {label}={has}")
            }
            Self::OtherLabel { label, wants, has: None } => {
                write!(f, "it is for targets with {label}={wants}, and this one has no {label}")
            }
            Self::OtherAccount { offers } => write!(f, "it offers the account {}", list(offers)),
            Self::OtherDatabase { offers } if offers.is_empty() => f.write_str("it offers no database there"),
            Self::OtherDatabase { offers } => write!(f, "it offers the database {}", list(offers)),
            Self::Closed { hours, opens: Some(opens) } => {
                write!(f, "its hours are {hours}, open again at {opens:.0}")
            }
            Self::Closed { hours, opens: None } => {
                write!(f, "its hours are {hours}, and they don't come again")
            }
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn list(names: &BTreeSet<String>) -> String {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    match names.split_last() {
        None => "nobody".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Whether `contract` gives `person` what is `wanted`, were they to connect at `now`. A live session is asked again
/// under the contract as pinned and under the contract as it stands.
pub fn decide(contract: &Contract, person: &Person, wanted: &Wanted<'_>, now: Timestamp) -> Decision {
    let mut reasons = standing_reasons(contract, person, wanted);
    reasons.extend(closed_at(contract, now));
    Decision::from_reasons(reasons)
}

/// Whether `contract` lets `person` ask for what is `wanted`, hours apart: outside of them one may still ask for
/// access that starts later.
pub fn may_ask(contract: &Contract, person: &Person, wanted: &Wanted<'_>) -> Decision {
    Decision::from_reasons(standing_reasons(contract, person, wanted))
}

fn standing_reasons(contract: &Contract, person: &Person, wanted: &Wanted<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    who(contract, person, &mut reasons);
    which_target(contract, wanted.target, &mut reasons);
    if wanted.account.is_some_and(|account| !contract.what.accounts.contains(account)) {
        reasons.push(Reason::OtherAccount { offers: contract.what.accounts.clone() });
    }
    if let (Some(database), Databases::Only(offers)) = (wanted.database, contract.databases_on(wanted.target))
        && !offers.contains(database)
    {
        reasons.push(Reason::OtherDatabase { offers });
    }
    reasons
}

fn who(contract: &Contract, person: &Person, reasons: &mut Vec<Reason>) {
    let who = &contract.who;
    if person.kind == IdentityKind::Service {
        reasons.push(Reason::Service);
    } else if person.groups.is_disjoint(&who.groups) && person.emails.is_disjoint(&who.users) {
        reasons.push(Reason::NotNamed { groups: who.groups.clone() });
    }
    let left_out = person.emails.intersection(&who.except.users);
    reasons.extend(
        left_out
            .chain(person.groups.intersection(&who.except.groups))
            .map(|by| Reason::Excepted { by: by.clone() }),
    );
}

fn which_target(contract: &Contract, target: &TargetFacts, reasons: &mut Vec<Reason>) {
    let wants = &contract.what.targets;
    if let Some(names) = &wants.names
        && !names.contains(&target.name)
    {
        reasons.push(Reason::OtherTarget { names: names.clone() });
    }
    if let Some(protocol) = wants.protocol
        && protocol != target.protocol
    {
        reasons.push(Reason::OtherProtocol { wants: protocol, has: target.protocol });
    }
    for (label, wants) in &wants.labels {
        let has = target.labels.get(label);
        if has != Some(wants) {
            reasons.push(Reason::OtherLabel {
                label: label.clone(),
                wants: wants.clone(),
                has: has.cloned(),
            });
        }
    }
}

fn closed_at(contract: &Contract, now: Timestamp) -> Option<Reason> {
    let hours = contract.when.hours.as_ref()?;
    match hours.at(now) {
        Open::Closed { opens } => Some(Reason::Closed { hours: hours.to_string(), opens }),
        Open::Always | Open::Until(_) => None,
    }
}

impl Named {
    /// Whether this person is one of them. A program is nobody here.
    #[must_use]
    pub fn include(&self, person: &Person) -> bool {
        person.kind == IdentityKind::User
            && !(self.groups.is_disjoint(&person.groups) && self.users.is_disjoint(&person.emails))
    }
}

impl Contract {
    /// Whether this contract is about this target, whoever asks and for whichever account.
    #[must_use]
    pub fn is_about(&self, target: &TargetFacts) -> bool {
        let mut reasons = Vec::new();
        which_target(self, target, &mut reasons);
        reasons.is_empty()
    }

    /// The databases that this contract gives on this target.
    #[must_use]
    pub fn databases_on(&self, target: &TargetFacts) -> Databases {
        match &self.what.databases {
            Some(names) => Databases::Only(names.clone()).and(&target.databases),
            None => target.databases.clone(),
        }
    }

    /// What the contract's hours say about `now`; [`Open::Always`] where it has none.
    #[must_use]
    pub fn hours_at(&self, now: Timestamp) -> Open {
        self.when.hours.as_ref().map_or(Open::Always, |hours| hours.at(now))
    }

    /// When the hours that are open at `now` close. `None`: they are closed already, or never close
    /// ([`Contract::hours_at`] tells these apart).
    #[must_use]
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self.hours_at(now) {
            Open::Until(closes) => Some(closes),
            Open::Always | Open::Closed { .. } => None,
        }
    }

    /// The latest end of access that starts at `start` and was asked for `duration`: not beyond the contract's
    /// longest, nor beyond the close of its hours. `None`: `start` is outside the hours.
    #[must_use]
    pub fn latest_end(&self, start: Timestamp, duration: Duration) -> Option<Timestamp> {
        let by_duration = later_by(start, duration.min(self.when.max));
        match self.hours_at(start) {
            Open::Always => Some(by_duration),
            Open::Until(closes) => Some(by_duration.min(closes)),
            Open::Closed { .. } => None,
        }
    }
}

/// `at` plus `duration`, or the end of time, whichever comes first.
pub(crate) fn later_by(at: Timestamp, duration: Duration) -> Timestamp {
    at.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
