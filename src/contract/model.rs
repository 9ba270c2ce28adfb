//! A contract, checked: what the file said, as types.
//!
//! Owns the shape and the reading of its limits. A [`Contract`] exists only as the result of
//! [`Contract::parse`](super::Contract::parse), so that none is in force that was never checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use curfew_adapter::{ParameterPolicy, Protocol, RecordPolicy, ResultPolicy};
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::hours::Hours;

/// SHA-256 of a contract's file, in lower-case hex: its version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContractHash(String);

impl ContractHash {
    /// The version of this text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(super::sha256_hex(text.as_bytes()))
    }

    /// Reads one back, as the store kept it; `None` unless it has 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (text.len() == 64 && hex).then(|| Self(text.to_owned()))
    }

    /// 64 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for ContractHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The contract that a request was made under, by name and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The contract's name.
    pub name: String,
    /// The version of its text.
    pub hash: ContractHash,
}

/// One contract, as its file says.
#[derive(Debug, Clone)]
pub struct Contract {
    /// Unique in the set.
    pub name: String,
    /// What it is for, in the owner's words; may be empty.
    pub description: String,
    /// `[who]`: who may ask.
    pub who: Who,
    /// `[what]`: for what.
    pub what: What,
    /// `[when]`: for how long, in which hours.
    pub when: When,
    /// `[ask]`: what a request must bring.
    pub ask: AskRules,
    /// `[[approve]]`: who decides; `None` grants at once.
    pub approve: Option<Stage>,
    /// `[end]`: how access ends before its time, or a little after it.
    pub end: End,
    /// `[record]`: what a recording holds.
    pub record: Record,
    pub(super) text: Arc<str>,
    pub(super) hash: ContractHash,
}

impl Contract {
    /// The text of the file, to be kept with each request that pins this version.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The version.
    #[must_use]
    pub fn hash(&self) -> &ContractHash {
        &self.hash
    }

    /// Name and version, as a request pins them.
    #[must_use]
    pub fn pin(&self) -> Pin {
        Pin { name: self.name.clone(), hash: self.hash.clone() }
    }
}

/// `[who]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Members of any of these groups …
    pub groups: BTreeSet<String>,
    /// … and the holders of these emails, lower-cased …
    pub users: BTreeSet<String>,
    /// … but none of these.
    pub except: Named,
}

/// People, by group or by email.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Groups, compared exactly.
    pub groups: BTreeSet<String>,
    /// Emails, lower-cased.
    pub users: BTreeSet<String>,
}

/// `[what]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct What {
    /// Which targets.
    pub targets: Targets,
    /// Accounts on them, compared exactly.
    pub accounts: BTreeSet<String>,
    /// Databases; `None`: those of the target's entry.
    pub databases: Option<BTreeSet<String>>,
    /// What may be done there, in the words of the target's adapter; `None`: the adapter's default.
    pub allow: Option<BTreeSet<String>>,
}

impl What {
    /// What may be done on a target that speaks `protocol`.
    #[must_use]
    pub fn allow_on(&self, protocol: Protocol) -> BTreeSet<String> {
        let words = crate::adapters::words(protocol);
        match (&self.allow, words) {
            (_, None) => BTreeSet::new(),
            (None, Some(words)) => words.default.iter().map(|word| (*word).to_owned()).collect(),
            (Some(allow), Some(words)) => {
                allow.iter().filter(|word| (words.check)(word).is_ok()).cloned().collect()
            }
        }
    }
}

/// `targets = { names }` or `targets = { protocol, labels }`: a target must fit every part that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// Any of these names.
    pub names: Option<BTreeSet<String>>,
    /// This protocol.
    pub protocol: Option<Protocol>,
    /// All of these labels.
    pub labels: BTreeMap<String, String>,
}

/// `[when]`
#[derive(Debug, Clone, PartialEq)]
pub struct When {
    /// What a request gets that names no duration.
    pub default: Duration,
    /// The longest a grant may last, extensions apart.
    pub max: Duration,
    /// Windows outside of which there is no access; `None`: at any hour.
    pub hours: Option<Hours>,
}

/// `[ask]`
#[derive(Debug, Clone)]
pub struct AskRules {
    /// Whether a request must say why.
    pub reason_required: bool,
    /// What a ticket must look like, as a whole; present means that one is required.
    pub ticket: Option<TicketRule>,
    /// How long a request that nobody decides stays open.
    pub expires: Duration,
}

/// The pattern of a ticket.
#[derive(Debug, Clone)]
pub struct TicketRule {
    /// As the file says.
    pub pattern: String,
    pub(super) whole: Regex,
}

impl TicketRule {
    /// Whether the whole of this text is such a ticket.
    #[must_use]
    pub fn matches(&self, ticket: &str) -> bool {
        self.whole.is_match(ticket)
    }
}

/// `[[approve]]`: one round of approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Who may decide.
    pub from: Named,
    /// How many distinct people it takes; at least 1.
    pub count: usize,
}

impl Stage {
    /// Whom a request waits for, in words: `group sre-leads`, `bob@example.com`.
    #[must_use]
    pub fn waits_for(&self) -> Vec<String> {
        let groups = self.from.groups.iter().map(|group| format!("group {group}"));
        groups.chain(self.from.users.iter().cloned()).collect()
    }
}

/// `[end]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// A session with no message from either side for so long ends.
    pub idle: Option<Duration>,
    /// Sessions live at once under one grant.
    pub sessions: Option<u32>,
    /// Whether and how a grant may be prolonged; `None`: it may not.
    pub extend: Option<Extend>,
}

/// `extend = { max, by, approval }`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extend {
    /// How often; at least 1.
    pub max: u32,
    /// By how much each time.
    pub by: Duration,
    /// Who decides.
    pub approval: ExtendApproval,
}

/// Who decides on an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtendApproval {
    /// The same approvers as for the grant.
    Again,
    /// Nobody: it is there for the asking.
    None,
}

/// `[record]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// How much of a statement's parameters is kept.
    pub parameters: ParameterPolicy,
    /// How much of what comes back is kept.
    #[serde(default)]
    pub results: ResultPolicy,
    /// Whether what is typed into terminals is kept.
    #[serde(default)]
    pub input: bool,
    /// Patterns of what to mask wherever text is recorded, in the syntax of the regex crate; each is valid.
    pub mask: BTreeSet<String>,
}

impl Record {
    /// As an adapter is told. Strict: where it can't be recorded, the session ends.
    #[must_use]
    pub fn policy(&self) -> RecordPolicy {
        RecordPolicy {
            parameters: self.parameters,
            results: self.results,
            input: self.input,
            mask: self.mask.iter().cloned().collect(),
            strict: true,
        }
    }
}
