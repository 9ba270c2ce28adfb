//! A request: one ask under one contract, from pending to approved, denied, cancelled or expired.
//!
//! Owns the state machine, pure: facts and instants are passed in, the next state is handed back, and the caller
//! stores it with a statement guarded on the state that it came from. It never opens a grant by itself: a completed
//! approval yields an [`Approved`], which can be made nowhere else and used once.

use std::time::Duration;

use curfew_adapter::GrantId;
use jiff::Timestamp;

use crate::contract::{
    Contract, Decision, ExtendApproval, GrantTerms, Open, Parties, People, PersonKey, Pin, TargetFacts,
    Wanted, later_by, may_approve, may_ask,
};

use super::ask::{AskAccess, AskExtension, AskRefused, SHORTEST, checked_ask, checked_extension};
use super::grant::Grant;
use super::record::{Approval, Decided, RequestKind, RequestRecord, RequestState};
use super::refused::Refused;

/// Why an extension expired that nobody had decided when its grant ended.
const GRANT_OVER: &str = "the grant that it would have extended is over";

/// A request, in a state that its own rules led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request(RequestRecord);

/// What is true at the moment of a decision. All of it is current, save the contract.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The contract in the version that the request pinned.
    pub contract: &'a Contract,
    /// The target as configured now.
    pub target: &'a TargetFacts,
    /// The people concerned with their groups of now: parties and approvers. Whoever is missing has no rights.
    pub people: &'a People,
}

/// Something that happens to a pending request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestEvent {
    /// An approver says yes.
    Approve {
        /// Who.
        by: PersonKey,
        /// For how long, if for less than asked.
        duration: Option<Duration>,
        /// What they say to it.
        note: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// An approver says no.
    Deny {
        /// Who.
        by: PersonKey,
        /// Why.
        note: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// The requester, or the person it is for, takes it back.
    Cancel {
        /// Who.
        by: PersonKey,
        /// When.
        at: Timestamp,
    },
    /// Time passed.
    Tick {
        /// It is now.
        now: Timestamp,
    },
    /// The grant that an extension is for is over; it says nothing to a request for access.
    GrantOver {
        /// Since when.
        at: Timestamp,
    },
}

/// The request after an event, and what came of it.
#[derive(Debug)]
#[must_use]
pub struct Step {
    /// To be stored where the state before it still stands.
    pub request: Request,
    /// What to do besides.
    pub outcome: Outcome,
}

/// What came of an event.
#[derive(Debug)]
pub enum Outcome {
    /// Still pending.
    Waiting {
        /// Approvals that count now.
        have: usize,
        /// Approvals that it takes.
        need: usize,
    },
    /// Approved: open the grant, in the same transaction.
    Granted(Approved),
    /// Approved: extend the grant, in the same transaction.
    Extended(ApprovedExtension),
    /// Denied.
    Denied,
    /// Cancelled.
    Cancelled,
    /// Expired.
    Expired,
}

/// The right to open one grant: made by a completed approval only, and consumed by [`Grant::open`].
#[derive(Debug)]
pub struct Approved(Box<ApprovedParts>);

#[derive(Debug)]
pub(super) struct ApprovedParts {
    pub(super) request: RequestRecord,
    pub(super) terms: GrantTerms,
    pub(super) starts_at: Timestamp,
    pub(super) ends_at: Timestamp,
}

/// The right to extend one grant once: made by a completed approval only, and consumed by [`Grant::extend`].
#[derive(Debug)]
pub struct ApprovedExtension {
    grant: GrantId,
    contract: Pin,
    duration: Duration,
}

impl Approved {
    pub(super) fn into_parts(self) -> ApprovedParts {
        *self.0
    }
}

impl ApprovedExtension {
    /// The grant to extend.
    #[must_use]
    pub fn grant(&self) -> &GrantId {
        &self.grant
    }

    pub(super) fn into_parts(self) -> (GrantId, Pin, Duration) {
        (self.grant, self.contract, self.duration)
    }
}

impl Request {
    /// Asks for a new grant. Where the contract needs no approval, the outcome is `Granted` at once.
    ///
    /// # Errors
    /// What the contract misses in the ask, or why it does not give what is asked for.
    pub fn ask(ask: AskAccess<'_>, facts: Facts<'_>, now: Timestamp) -> Result<Step, AskRefused> {
        let request = Self(checked_ask(ask, facts, now)?);
        match facts.contract.approve {
            Some(_) => Ok(request.waiting(facts)),
            None => request.completed(None, facts, now).map_err(AskRefused::from),
        }
    }

    /// Asks for more time for a grant. Decided by the same approvers, or at once where the contract says so.
    ///
    /// # Errors
    /// Why this grant can't be extended, or not any more.
    pub fn ask_extension(
        ask: AskExtension<'_>,
        grant: &Grant,
        facts: Facts<'_>,
        now: Timestamp,
    ) -> Result<Step, AskRefused> {
        let request = Self(checked_extension(ask, grant, facts, now)?);
        let again = facts.contract.end.extend.is_some_and(|extend| extend.approval == ExtendApproval::Again);
        if again && facts.contract.approve.is_some() {
            Ok(request.waiting(facts))
        } else {
            request.completed(None, facts, now).map_err(AskRefused::from)
        }
    }

    /// A request as the store kept it. For the store alone.
    pub(crate) fn restore(record: RequestRecord) -> Self {
        Self(record)
    }

    /// Everything about it.
    #[must_use]
    pub fn record(&self) -> &RequestRecord {
        &self.0
    }

    /// The two people whom it is about.
    #[must_use]
    pub fn parties(&self) -> Parties<'_> {
        Parties { requester: &self.0.requester, beneficiary: &self.0.beneficiary }
    }

    /// How many of the approvals count now: of distinct people who may still decide.
    #[must_use]
    pub fn approvals_that_count(&self, facts: Facts<'_>) -> usize {
        self.counted(facts).count()
    }

    /// Applies an event.
    ///
    /// # Errors
    /// Why it does not apply; the request stays as it was.
    pub fn apply(&self, event: RequestEvent, facts: Facts<'_>) -> Result<Step, Refused> {
        let record = &self.0;
        if record.state != RequestState::Pending {
            return Err(Refused::NotPending { state: record.state });
        }
        if record.contract != facts.contract.pin() {
            return Err(Refused::OtherContract);
        }
        match event {
            RequestEvent::Approve { by, duration, note, at } => {
                let approval = Approval { by, duration: duration.unwrap_or(record.duration), note, at };
                self.approve(approval, facts)
            }
            RequestEvent::Deny { by, note, at } => {
                self.in_time(at)?;
                self.may_decide(&by, facts)?;
                Ok(self.closed(RequestState::Denied, Outcome::Denied, Decided { at, by: Some(by), note }))
            }
            RequestEvent::Cancel { by, at } => {
                if by != record.requester && by != record.beneficiary {
                    return Err(Refused::NotYours);
                }
                let decided = Decided { at, by: Some(by), note: None };
                Ok(self.closed(RequestState::Cancelled, Outcome::Cancelled, decided))
            }
            RequestEvent::Tick { now } if now >= record.expires_at => {
                let decided = Decided { at: now, by: None, note: None };
                Ok(self.closed(RequestState::Expired, Outcome::Expired, decided))
            }
            RequestEvent::GrantOver { at } if matches!(record.kind, RequestKind::Extension { .. }) => {
                let decided = Decided { at, by: None, note: Some(GRANT_OVER.to_owned()) };
                Ok(self.closed(RequestState::Expired, Outcome::Expired, decided))
            }
            RequestEvent::Tick { .. } | RequestEvent::GrantOver { .. } => Ok(self.clone().waiting(facts)),
        }
    }

    fn approve(&self, approval: Approval, facts: Facts<'_>) -> Result<Step, Refused> {
        let (by, at) = (approval.by.clone(), approval.at);
        self.in_time(at)?;
        self.may_decide(&by, facts)?;
        if approval.duration > self.0.duration {
            return Err(Refused::Longer { asked: self.0.duration });
        }
        if approval.duration < SHORTEST {
            return Err(Refused::TooShort);
        }
        let mut next = self.clone();
        // A second yes of the same person replaces the first: it counts once, with what they said last.
        next.0.approvals.retain(|earlier| earlier.by != by);
        next.0.approvals.push(approval);
        if next.approvals_that_count(facts) < next.need(facts) {
            return Ok(next.waiting(facts));
        }
        next.completed(Some(by), facts, at)
    }

    fn completed(mut self, by: Option<PersonKey>, facts: Facts<'_>, at: Timestamp) -> Result<Step, Refused> {
        self.still_deserved(facts)?;
        let duration = self.counted(facts).map(|approval| approval.duration).min();
        let duration = duration.unwrap_or(self.0.duration);
        self.0.state = RequestState::Approved;
        self.0.decided = Some(Decided { at, by, note: None });
        let outcome = match &self.0.kind {
            RequestKind::Access => {
                let starts_at = self.0.starts_at.map_or(at, |start| start.max(at));
                let Some(ends_at) = facts.contract.latest_end(starts_at, duration) else {
                    return Err(Refused::closed(facts.contract, starts_at));
                };
                let terms = GrantTerms::of(facts.contract, facts.target, &self.0.account);
                let request = self.0.clone();
                Outcome::Granted(Approved(Box::new(ApprovedParts { request, terms, starts_at, ends_at })))
            }
            RequestKind::Extension { grant } => {
                if matches!(facts.contract.hours_at(at), Open::Closed { .. }) {
                    return Err(Refused::closed(facts.contract, at));
                }
                let contract = self.0.contract.clone();
                Outcome::Extended(ApprovedExtension { grant: grant.clone(), contract, duration })
            }
        };
        Ok(Step { request: self, outcome })
    }

    /// Whether the person it is for still fits the contract: groups and labels may have changed while it waited.
    fn still_deserved(&self, facts: Facts<'_>) -> Result<(), Refused> {
        let person = facts.people.find(&self.0.beneficiary).ok_or(Refused::BeneficiaryGone)?;
        if facts.target.name != self.0.target {
            return Err(Refused::OtherTarget);
        }
        let wanted = Wanted { target: facts.target, account: Some(&self.0.account), database: None };
        match may_ask(facts.contract, person, &wanted) {
            Decision::Match => Ok(()),
            Decision::Mismatch(reasons) => Err(Refused::NoLongerAllowed(reasons)),
        }
    }

    fn in_time(&self, at: Timestamp) -> Result<(), Refused> {
        let expires_at = self.0.expires_at;
        if at < expires_at { Ok(()) } else { Err(Refused::Lapsed { expires_at }) }
    }

    fn may_decide(&self, by: &PersonKey, facts: Facts<'_>) -> Result<(), Refused> {
        let person = facts.people.find(by).ok_or(Refused::Unknown)?;
        may_approve(facts.contract, person, self.parties()).map_err(Refused::MayNotDecide)
    }

    fn counted<'a>(&'a self, facts: Facts<'a>) -> impl Iterator<Item = &'a Approval> {
        let mut seen = std::collections::BTreeSet::new();
        self.0.approvals.iter().filter(move |approval| {
            let person = facts.people.find(&approval.by);
            person.is_some_and(|person| may_approve(facts.contract, person, self.parties()).is_ok())
                && seen.insert(&approval.by)
        })
    }

    fn need(&self, facts: Facts<'_>) -> usize {
        facts.contract.approve.as_ref().map_or(0, |stage| stage.count)
    }

    fn waiting(self, facts: Facts<'_>) -> Step {
        let outcome = Outcome::Waiting { have: self.approvals_that_count(facts), need: self.need(facts) };
        Step { request: self, outcome }
    }

    fn closed(&self, state: RequestState, outcome: Outcome, decided: Decided) -> Step {
        let mut request = self.clone();
        request.0.state = state;
        request.0.decided = Some(decided);
        Step { request, outcome }
    }
}

/// When a request made at `asked_at` lapses.
pub(super) fn lapses(asked_at: Timestamp, contract: &Contract) -> Timestamp {
    later_by(asked_at, contract.ask.expires)
}

#[cfg(test)]
mod tests;
