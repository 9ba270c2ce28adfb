//! Every contract's answer to one question, with its reasons: for "why can't I get in?".
//!
//! Owns the whole answer as data and as aligned text. Pure. It shows contracts, groups and emails of approvers:
//! whoever calls it decides who may read that.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::approvers::{Parties, approvers};
use super::decide::{Decision, Reason, decide};
use super::hours::Open;
use super::model::Contract;
use super::person::{People, Person};
use super::set::ContractSet;
use super::wanted::Wanted;
use crate::toml_doc::show_duration;

/// What each contract says to one person about one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The person, by email where there is one.
    pub who: String,
    /// The target.
    pub target: String,
    /// The account, where the question was about one.
    pub account: Option<String>,
    /// The database, where the question was about one.
    pub database: Option<String>,
    /// The instant that the question was about.
    pub at: Timestamp,
    /// One for each contract in force: those that match come first, then by name.
    pub contracts: Vec<Verdict>,
}

/// What one contract says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The contract's name.
    pub contract: String,
    /// The version, in full.
    pub version: String,
    /// Whether it gives what was asked for.
    pub matches: bool,
    /// All reasons why it does not.
    pub reasons: Vec<Why>,
    /// Accounts that it offers on its targets.
    pub accounts: BTreeSet<String>,
    /// Seconds granted where a request names no duration.
    pub default_seconds: u64,
    /// Seconds granted at most.
    pub max_seconds: u64,
    /// The close of the hours that are open at that instant.
    pub open_until: Option<Timestamp>,
    /// How many distinct people must approve; 0: granted at once.
    pub approvals: usize,
    /// Who could approve now, among the people known; never the person who asks.
    pub approvers: Vec<String>,
}

/// A reason, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// For programs.
    #[serde(flatten)]
    pub reason: Reason,
    /// For people: a clause without a full stop.
    pub text: String,
}

/// Asks every contract of `set` whether it gives `person` what is `wanted` at the instant `at`, and who among
/// `people` could approve it now.
#[must_use]
pub fn explain(
    set: &ContractSet,
    people: &People,
    person: &Person,
    wanted: &Wanted<'_>,
    at: Timestamp,
) -> Explanation {
    let mut contracts: Vec<_> =
        set.iter().map(|contract| verdict(contract, people, person, wanted, at)).collect();
    contracts.sort_by_key(|verdict| !verdict.matches);
    Explanation {
        who: person.name().to_owned(),
        target: wanted.target.name.clone(),
        account: wanted.account.map(str::to_owned),
        database: wanted.database.map(str::to_owned),
        at,
        contracts,
    }
}

fn verdict(
    contract: &Contract,
    people: &People,
    person: &Person,
    wanted: &Wanted<'_>,
    at: Timestamp,
) -> Verdict {
    let reasons = match decide(contract, person, wanted, at) {
        Decision::Match => Vec::new(),
        Decision::Mismatch(reasons) => reasons,
    };
    let parties = Parties { requester: &person.key, beneficiary: &person.key };
    Verdict {
        contract: contract.name.clone(),
        version: contract.hash().to_string(),
        matches: reasons.is_empty(),
        reasons: reasons.into_iter().map(|reason| Why { text: reason.to_string(), reason }).collect(),
        accounts: contract.what.accounts.clone(),
        default_seconds: contract.when.default.as_secs(),
        max_seconds: contract.when.max.as_secs(),
        open_until: match contract.hours_at(at) {
            Open::Until(closes) => Some(closes),
            Open::Always | Open::Closed { .. } => None,
        },
        approvals: contract.approve.as_ref().map_or(0, |stage| stage.count),
        approvers: approvers(contract, people, parties)
            .into_iter()
            .map(|person| person.name().to_owned())
            .collect(),
    }
}

/// Aligned text for a terminal.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.who, self.target)?;
        if let Some(database) = &self.database {
            write!(f, "/{database}")?;
        }
        if let Some(account) = &self.account {
            write!(f, " as {account}")?;
        }
        writeln!(f, " at {:.0}", self.at)?;
        if self.contracts.is_empty() {
            return writeln!(f, "  no contract is in force");
        }
        let width =
            self.contracts.iter().map(|verdict| verdict.contract.chars().count()).max().unwrap_or_default();
        for verdict in &self.contracts {
            let mut first = format!("  {:<3}  {:<width$}", verdict.answer(), verdict.contract);
            for line in verdict.lines() {
                writeln!(f, "{first}  {line}")?;
                first.clear();
                write!(first, "{:<1$}", "", width + 7)?;
            }
        }
        Ok(())
    }
}

impl Verdict {
    fn answer(&self) -> &'static str {
        if self.matches { "yes" } else { "no" }
    }

    fn lines(&self) -> Vec<String> {
        if !self.matches {
            return self.reasons.iter().map(|why| why.text.clone()).collect();
        }
        let time = |seconds| show_duration(std::time::Duration::from_secs(seconds));
        let hours = self.open_until.map_or_else(String::new, |closes| format!(", until {closes:.0} at most"));
        let mut lines =
            vec![format!("for {}, {} at most{hours}", time(self.default_seconds), time(self.max_seconds))];
        let accounts: Vec<_> = self.accounts.iter().map(String::as_str).collect();
        lines.push(format!("as {}", accounts.join(", ")));
        lines.push(match (self.approvals, self.approvers.as_slice()) {
            (0, _) => "granted at once".to_owned(),
            (need, []) => format!("needs {}: nobody known could give it now", approvals(need)),
            (need, names) if names.len() < need => {
                format!("needs {}: only {} could approve now", approvals(need), names.join(", "))
            }
            (need, names) => format!("needs {}: {} could approve now", approvals(need), names.join(", ")),
        });
        lines
    }
}

fn approvals(need: usize) -> String {
    if need == 1 { "1 approval".to_owned() } else { format!("{need} approvals") }
}

#[cfg(test)]
mod tests;
