//! The contract language: parse, check, decide, explain.
//!
//! Owns what a contract means. All of it is pure but reading the files of a folder ([`ContractSet::load`]) and
//! watching them ([`Contracts`]); the clock and the people are passed in. It never touches the store or a session.

mod approvers;
mod decide;
mod explain;
mod files;
#[cfg(test)]
pub(crate) mod fixtures;
mod hours;
mod live;
mod model;
mod parse;
mod person;
pub mod seconds;
mod set;
mod terms;
mod wanted;
mod watch;

pub use approvers::{NotApprover, Parties, approvers, may_approve};
pub(crate) use decide::later_by;
pub use decide::{Decision, Reason, decide, may_ask};
pub use explain::{Explanation, Verdict, Why, explain};
pub use hours::{DayTime, Days, Hours, Open};
pub use live::{NoLonger, still_allowed};
pub use model::{
    AskRules, Contract, ContractHash, End, Extend, ExtendApproval, Named, Pin, Record, Stage, Targets,
    TicketRule, What, When, Who,
};
pub use person::{People, Person, PersonKey, fold_email};
pub use set::ContractSet;
pub use terms::GrantTerms;
pub use wanted::{Databases, TargetFacts, Wanted};
pub use watch::{Contracts, Reload};

/// SHA-256 in lower-case hex.
fn sha256_hex(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    data_encoding::HEXLOWER.encode(digest.as_ref())
}
