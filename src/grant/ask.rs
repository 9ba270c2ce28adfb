//! What a request must bring: checked against its contract before there is a request.
//!
//! Owns the checks of an ask: person, target, account, duration, start, reason, ticket. It never decides about
//! approvals.

use std::time::Duration;

use curfew_adapter::RequestId;
use jiff::Timestamp;

use crate::contract::{Contract, Decision, Open, PersonKey, Reason, Wanted, later_by, may_ask};

use crate::toml_doc::show_duration;

use super::grant::{Grant, GrantState};
use super::record::{RequestKind, RequestRecord, RequestState};
use super::refused::{GrantRefused, Refused, join, opens_again};
use super::request::{Facts, lapses};

/// The shortest grant: less than ten seconds is a slip of the keyboard.
pub const SHORTEST: Duration = Duration::from_secs(10);
/// How far ahead a start may be scheduled: people change teams, and an approval should not outlive its reasons.
pub const FURTHEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest reason, in characters.
pub const REASON_MAX: usize = 2_000;
/// The longest ticket, in characters.
pub const TICKET_MAX: usize = 200;

/// An ask for a new grant.
#[derive(Debug, Clone)]
pub struct AskAccess<'a> {
    /// The id that the request will have.
    pub id: RequestId,
    /// Who asks.
    pub requester: &'a PersonKey,
    /// Who will have the access; often the same.
    pub beneficiary: &'a PersonKey,
    /// The account.
    pub account: &'a str,
    /// For how long; `None`: the contract's default.
    pub duration: Option<Duration>,
    /// From when on; `None`, or not in the future: from the approval on.
    pub starts_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<&'a str>,
    /// Under which ticket.
    pub ticket: Option<&'a str>,
}

/// An ask for more time.
#[derive(Debug, Clone)]
pub struct AskExtension<'a> {
    /// The id that the request will have.
    pub id: RequestId,
    /// Who asks: the requester of the grant, or the person it is for.
    pub by: &'a PersonKey,
    /// Why.
    pub reason: Option<&'a str>,
}

/// Why there is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskRefused {
    /// The person asking, or the one it is for, is unknown or disabled.
    #[error("the identity it is for is unknown or disabled: sign in again, or ask an admin")]
    Unknown,
    /// The contract does not give it.
    #[error("the contract {contract} does not give this: {}", join(reasons))]
    NotAllowed {
        /// The contract.
        contract: String,
        /// Each reason.
        reasons: Vec<Reason>,
    },
    /// A reason is missing.
    #[error("the contract {contract} wants a reason: say in a few words what the access is for")]
    ReasonMissing {
        /// The contract.
        contract: String,
    },
    /// The reason is too long.
    #[error("the reason is longer than 2000 characters: shorten it, and link to the rest")]
    ReasonTooLong,
    /// A ticket is missing, or does not look like one.
    #[error("the contract {contract} wants a ticket that matches {pattern} as a whole: give its number")]
    Ticket {
        /// The contract.
        contract: String,
        /// The pattern.
        pattern: String,
    },
    /// The ticket is too long.
    #[error("the ticket is longer than 200 characters: give its number only")]
    TicketTooLong,
    /// Longer than the contract allows.
    #[error("the contract {contract} gives {} at most: ask for that, or less", show_duration(*max))]
    TooLong {
        /// The contract.
        contract: String,
        /// Its longest.
        max: Duration,
    },
    /// Less than anybody could use.
    #[error("a grant lasts at least 10s: ask for more")]
    TooShort,
    /// Too far ahead.
    #[error("a start can be scheduled 30 days ahead at most: ask again nearer to the day")]
    TooFarAhead,
    /// Outside the contract's hours.
    #[error("the hours of the contract {contract} are closed then{}", opens_again(*opens))]
    Closed {
        /// The contract.
        contract: String,
        /// When they open next: a start from then on may be scheduled.
        opens: Option<Timestamp>,
    },
    /// The contract that was brought is not the one of the grant.
    #[error("this grant was made under another version of the contract: load that one and try again")]
    OtherContract,
    /// Somebody else's grant.
    #[error("only the person who asked for a grant, or whose it is, can ask to extend it")]
    NotYours,
    /// The grant can't be extended.
    #[error(transparent)]
    Grant(#[from] GrantRefused),
    /// It would have been granted at once, but a rule of the decision says no.
    #[error(transparent)]
    Decision(Refused),
}

impl From<Refused> for AskRefused {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Closed { contract, opens } => Self::Closed { contract, opens },
            other => Self::Decision(other),
        }
    }
}

pub(super) fn checked_ask(
    ask: AskAccess<'_>,
    facts: Facts<'_>,
    now: Timestamp,
) -> Result<RequestRecord, AskRefused> {
    let contract = facts.contract;
    facts.people.find(ask.requester).ok_or(AskRefused::Unknown)?;
    allowed(ask.beneficiary, ask.account, facts)?;
    let reason = checked_reason(ask.reason, contract.ask.reason_required, contract)?;
    let ticket = checked_ticket(ask.ticket, contract)?;
    let duration = whole_seconds(ask.duration.unwrap_or(contract.when.default));
    if duration > contract.when.max {
        return Err(AskRefused::TooLong { contract: contract.name.clone(), max: contract.when.max });
    }
    if duration < SHORTEST {
        return Err(AskRefused::TooShort);
    }
    let starts_at = ask.starts_at.filter(|start| *start > now);
    if starts_at.is_some_and(|start| start > later_by(now, FURTHEST)) {
        return Err(AskRefused::TooFarAhead);
    }
    if let Open::Closed { opens } = contract.hours_at(starts_at.unwrap_or(now)) {
        return Err(AskRefused::Closed { contract: contract.name.clone(), opens });
    }
    Ok(RequestRecord {
        id: ask.id,
        kind: RequestKind::Access,
        contract: contract.pin(),
        requester: ask.requester.clone(),
        beneficiary: ask.beneficiary.clone(),
        target: facts.target.name.clone(),
        account: ask.account.to_owned(),
        duration,
        starts_at,
        reason,
        ticket,
        asked_at: now,
        expires_at: lapses(now, contract),
        approvals: Vec::new(),
        state: RequestState::Pending,
        decided: None,
    })
}

pub(super) fn checked_extension(
    ask: AskExtension<'_>,
    grant: &Grant,
    facts: Facts<'_>,
    now: Timestamp,
) -> Result<RequestRecord, AskRefused> {
    let (contract, held) = (facts.contract, grant.record());
    if held.contract != contract.pin() {
        return Err(AskRefused::OtherContract);
    }
    if ask.by != &held.requester && ask.by != &held.beneficiary {
        return Err(AskRefused::NotYours);
    }
    let extend = grant.extension_left(contract)?;
    match grant.state(now) {
        GrantState::Active => {}
        GrantState::Scheduled => return Err(GrantRefused::NotActive.into()),
        state => return Err(GrantRefused::Over { state }.into()),
    }
    grant.extended_end(contract, extend.by, now)?;
    allowed(&held.beneficiary, &held.terms.account, facts)?;
    let reason = checked_reason(ask.reason, false, contract)?;
    Ok(RequestRecord {
        id: ask.id,
        kind: RequestKind::Extension { grant: held.id.clone() },
        contract: contract.pin(),
        requester: held.requester.clone(),
        beneficiary: held.beneficiary.clone(),
        target: held.terms.target.clone(),
        account: held.terms.account.clone(),
        duration: extend.by,
        starts_at: None,
        reason,
        ticket: None,
        asked_at: now,
        // There is nothing to extend once the grant is over.
        expires_at: lapses(now, contract).min(held.ends_at),
        approvals: Vec::new(),
        state: RequestState::Pending,
        decided: None,
    })
}

fn allowed(person: &PersonKey, account: &str, facts: Facts<'_>) -> Result<(), AskRefused> {
    let person = facts.people.find(person).ok_or(AskRefused::Unknown)?;
    let wanted = Wanted { target: facts.target, account: Some(account), database: None };
    match may_ask(facts.contract, person, &wanted) {
        Decision::Match => Ok(()),
        Decision::Mismatch(reasons) => {
            Err(AskRefused::NotAllowed { contract: facts.contract.name.clone(), reasons })
        }
    }
}

fn checked_reason(
    reason: Option<&str>,
    required: bool,
    contract: &Contract,
) -> Result<Option<String>, AskRefused> {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    if required && reason.is_none() {
        return Err(AskRefused::ReasonMissing { contract: contract.name.clone() });
    }
    if reason.is_some_and(|reason| reason.chars().count() > REASON_MAX) {
        return Err(AskRefused::ReasonTooLong);
    }
    Ok(reason.map(str::to_owned))
}

fn checked_ticket(ticket: Option<&str>, contract: &Contract) -> Result<Option<String>, AskRefused> {
    let ticket = ticket.map(str::trim).filter(|ticket| !ticket.is_empty());
    if ticket.is_some_and(|ticket| ticket.chars().count() > TICKET_MAX) {
        return Err(AskRefused::TicketTooLong);
    }
    if let Some(rule) = &contract.ask.ticket
        && !ticket.is_some_and(|ticket| rule.matches(ticket))
    {
        return Err(AskRefused::Ticket { contract: contract.name.clone(), pattern: rule.pattern.clone() });
    }
    Ok(ticket.map(str::to_owned))
}

/// Durations are stored and shown in whole seconds; what is stored must be what was decided.
fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}
