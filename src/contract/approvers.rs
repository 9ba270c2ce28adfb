//! Who may decide a request under a contract.
//!
//! Owns that rule: named by the contract's stage now, a human, and neither the requester nor the person it is for.
//! It never counts; that is the request's.

use std::fmt;

use curfew_adapter::IdentityKind;
use serde::Serialize;

use super::model::Contract;
use super::person::{People, Person, PersonKey};

/// The two people whom a request is about; often one and the same.
#[derive(Debug, Clone, Copy)]
pub struct Parties<'a> {
    /// Who asked.
    pub requester: &'a PersonKey,
    /// Who will have the access.
    pub beneficiary: &'a PersonKey,
}

/// Why a person may not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotApprover {
    /// They asked.
    Requester,
    /// It is for them.
    Beneficiary,
    /// A program.
    Service,
    /// Not, or no longer, among those whom the contract names.
    NotNamed,
    /// The contract grants at once: there is nothing to decide.
    NoApproval,
}

impl fmt::Display for NotApprover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requester => "nobody decides their own request: ask another approver",
            Self::Beneficiary => "nobody decides a request that is for them: ask another approver",
            Self::Service => "a service can't decide a request: an approver must be a person",
            Self::NotNamed => "the contract does not name you as an approver: ask one of those it names",
            Self::NoApproval => "the contract needs no approval: there is nothing to decide",
        })
    }
}

/// Whether `person`, with the groups they have now, may decide a request between these parties.
///
/// # Errors
/// The reason why not.
pub fn may_approve(contract: &Contract, person: &Person, parties: Parties<'_>) -> Result<(), NotApprover> {
    if person.key == *parties.requester {
        return Err(NotApprover::Requester);
    }
    if person.key == *parties.beneficiary {
        return Err(NotApprover::Beneficiary);
    }
    if person.kind == IdentityKind::Service {
        return Err(NotApprover::Service);
    }
    let stage = contract.approve.as_ref().ok_or(NotApprover::NoApproval)?;
    if stage.from.include(person) { Ok(()) } else { Err(NotApprover::NotNamed) }
}

/// Those among `people` who may decide a request between these parties now, each once, ordered by key.
pub fn approvers<'p>(contract: &Contract, people: &'p People, parties: Parties<'_>) -> Vec<&'p Person> {
    people.iter().filter(|person| may_approve(contract, person, parties).is_ok()).collect()
}
