//! Deciding: approve, deny, cancel, and what an approval brings about in the same transaction.
//!
//! Owns how a decision is stored: the step of the request, the vote, the grant that it opens or extends, and their
//! audit events, together or not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use curfew_adapter::{GrantId, Protocol, RequestId};
use jiff::Timestamp;

use crate::audit::What;
use crate::audit::event::RequestOutcome;
use crate::contract::{Contract, Databases, TargetFacts};
use crate::grant::{
    Approved, ApprovedExtension, Facts, Grant, GrantState, Outcome, REASON_MAX, Refused, Request,
    RequestEvent, RequestState,
};
use crate::store::{StoredRequest, Tx, Verdict, Vote};

use super::Grants;
use super::caller::Caller;
use super::error::GrantsError;
use super::view::RequestView;

/// An approver's yes.
#[derive(Debug, Clone, Default)]
pub struct Approve {
    /// For how long, if for less than asked.
    pub duration: Option<Duration>,
    /// What they say to it.
    pub note: Option<String>,
}

/// What somebody does to a request.
enum Act {
    Approve(Approve),
    Deny(String),
    Cancel,
}

impl Grants {
    /// Says yes. The last one that it takes opens the grant, whose time starts now or at the scheduled start.
    ///
    /// # Errors
    /// Why this person may not, or not any more.
    pub async fn approve(
        &self,
        caller: &Caller,
        id: &RequestId,
        yes: Approve,
    ) -> Result<RequestView, GrantsError> {
        let note = noted(yes.note)?;
        self.decide(caller, id, Act::Approve(Approve { note, ..yes })).await
    }

    /// Says no, and why.
    ///
    /// # Errors
    /// Why this person may not, or not any more.
    pub async fn deny(
        &self,
        caller: &Caller,
        id: &RequestId,
        reason: &str,
    ) -> Result<RequestView, GrantsError> {
        let reason = noted(Some(reason.to_owned()))?.ok_or(GrantsError::ReasonMissing)?;
        self.decide(caller, id, Act::Deny(reason)).await
    }

    /// Takes one's own request back.
    ///
    /// # Errors
    /// It is not theirs, or decided already.
    pub async fn cancel(&self, caller: &Caller, id: &RequestId) -> Result<RequestView, GrantsError> {
        self.decide(caller, id, Act::Cancel).await
    }

    async fn decide(&self, caller: &Caller, id: &RequestId, act: Act) -> Result<RequestView, GrantsError> {
        let mut tx = self.store().begin().await?;
        let decided = self.decide_in(&mut tx, caller, id, act).await;
        let counted_before = self.finish(tx, decided).await?;
        Ok(RequestView { counted_before, ..self.request_unchecked(caller, id).await? })
    }

    /// Whether it changed nothing but the words of an approval that counted before.
    async fn decide_in(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        id: &RequestId,
        act: Act,
    ) -> Result<bool, GrantsError> {
        let now = self.now();
        let (by, stored) = (caller.person(), tx.request(id).await?.ok_or(GrantsError::NoRequest)?);
        let contract = self.pinned(&stored.record.contract).await?;
        let voters = stored.votes.iter().map(|vote| &vote.person);
        let people =
            self.people(voters.chain([&by, &stored.record.requester, &stored.record.beneficiary])).await?;
        let target = match (self.target(&stored.record.target), &act) {
            (Some(target), _) => target,
            (None, Act::Approve(_)) => {
                return Err(GrantsError::TargetGone { target: stored.record.target });
            }
            (None, _) => gone(&stored.record.target),
        };
        let facts = Facts { contract: &contract, target: &target, people: &people };
        let (event, vote) = match act {
            Act::Approve(Approve { duration, note }) => {
                let length = duration.unwrap_or(stored.record.duration);
                let vote = (Verdict::Approve, Some(length), note.clone());
                (RequestEvent::Approve { by: by.clone(), duration, note, at: now }, Some(vote))
            }
            Act::Deny(reason) => {
                let vote = (Verdict::Deny, None, Some(reason.clone()));
                (RequestEvent::Deny { by: by.clone(), note: Some(reason), at: now }, Some(vote))
            }
            Act::Cancel => (RequestEvent::Cancel { by: by.clone(), at: now }, None),
        };
        let step = Request::restore(stored.record.clone()).apply(event, facts)?;
        if !tx.step_request(&stored, step.request.record()).await? {
            return Err(GrantsError::Stale);
        }
        if let Some((verdict, duration, note)) = vote {
            let vote =
                Vote { person: by, identity: caller.identity.id.clone(), verdict, duration, note, at: now };
            tx.vote(id, &vote).await?;
            if verdict == Verdict::Approve {
                let have = step.request.approvals_that_count(facts);
                tx.audit(&caller.did(approval(&stored, &contract, have, &vote))).await?;
            }
        }
        let over = |outcome, why| What::RequestDecided { request: id.to_string(), outcome, grant: None, why };
        match step.outcome {
            Outcome::Waiting { .. } => {
                let me = caller.person();
                let earlier = |vote: &Vote| vote.person == me && vote.verdict == Verdict::Approve;
                return Ok(stored.votes.iter().any(earlier));
            }
            Outcome::Granted(approved) => {
                self.open_grant(tx, caller, approved, RequestOutcome::Approved, now).await?;
            }
            Outcome::Extended(approved) => {
                self.extend_grant(tx, caller, id, approved, &contract, now).await?;
            }
            Outcome::Denied => {
                let why = step.request.record().decided.as_ref().and_then(|decided| decided.note.clone());
                tx.audit(&caller.did(over(RequestOutcome::Denied, why))).await?;
            }
            Outcome::Cancelled => tx.audit(&caller.did(over(RequestOutcome::Cancelled, None))).await?,
            Outcome::Expired => tx.audit(&caller.did(over(RequestOutcome::Expired, None))).await?,
        }
        Ok(false)
    }

    /// Stores the grant that an approval opened, and that the request is decided.
    pub(super) async fn open_grant(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        approved: Approved,
        outcome: RequestOutcome,
        now: Timestamp,
    ) -> Result<(), GrantsError> {
        let grant = Grant::open(GrantId::random(), approved);
        if !tx.insert_grant(&grant, now).await? {
            return Err(Refused::NotPending { state: RequestState::Approved }.into());
        }
        let record = grant.record();
        tx.audit(&caller.did(What::RequestDecided {
            request: record.request.to_string(),
            outcome,
            grant: Some(record.id.to_string()),
            why: None,
        }))
        .await?;
        if grant.state(now) == GrantState::Active {
            tx.audit(&caller.did(activated(&grant))).await?;
        }
        Ok(())
    }

    /// Stores the later end of a grant, and that the request for it is decided.
    pub(super) async fn extend_grant(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        request: &RequestId,
        approved: ApprovedExtension,
        contract: &Contract,
        now: Timestamp,
    ) -> Result<(), GrantsError> {
        let stored = tx.grant(approved.grant()).await?.ok_or(GrantsError::NoGrant)?;
        let longer = stored.grant.extend(approved, contract, now)?;
        if !tx.step_grant(&stored.grant, &longer).await? {
            return Err(GrantsError::Stale);
        }
        let (was, until) = (stored.record().ends_at, longer.record().ends_at);
        let grant = stored.record().id.to_string();
        tx.audit(&caller.did(What::RequestDecided {
            request: request.to_string(),
            outcome: RequestOutcome::Approved,
            grant: Some(grant.clone()),
            why: None,
        }))
        .await?;
        tx.audit(&caller.did(What::GrantExtended { grant, was, until })).await?;
        Ok(())
    }
}

/// The audit event of a grant whose time began.
pub(super) fn activated(grant: &Grant) -> What {
    let record = grant.record();
    What::GrantActivated {
        grant: record.id.to_string(),
        request: record.request.to_string(),
        until: record.ends_at,
    }
}

/// A target that is not configured any more, for what needs no target: it has nothing that a contract could match,
/// and never goes with an approval.
pub(super) fn gone(name: &str) -> TargetFacts {
    TargetFacts {
        name: name.to_owned(),
        protocol: Protocol::Postgres,
        labels: BTreeMap::new(),
        databases: Databases::Only(std::collections::BTreeSet::new()),
    }
}

/// What somebody wrote: without blanks around it, and not a book.
pub(super) fn noted(note: Option<String>) -> Result<Option<String>, GrantsError> {
    let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    if note.as_ref().is_some_and(|note| note.chars().count() > REASON_MAX) {
        return Err(GrantsError::NoteTooLong);
    }
    Ok(note)
}

fn approval(stored: &StoredRequest, contract: &Contract, have: usize, vote: &Vote) -> What {
    let whole = |count| u32::try_from(count).unwrap_or(u32::MAX);
    What::RequestApproval {
        request: stored.record.id.to_string(),
        approvals: whole(have),
        needed: whole(contract.approve.as_ref().map_or(0, |stage| stage.count)),
        shortened: vote.duration.filter(|length| *length < stored.record.duration).map(|d| d.as_secs()),
        note: vote.note.clone(),
    }
}
