//! What happens to a grant besides its time: more of it, given back, taken away.
//!
//! Owns who may do which, as far as the state machines don't.

use curfew_adapter::{GrantId, RequestId};

use crate::audit::What;
use crate::audit::event::GrantOutcome;
use crate::contract::{Parties, may_approve};
use crate::grant::{AskExtension, Facts, Grant, Outcome, Request};
use crate::store::{Once, StoredGrant, Tx};

use super::Grants;
use super::ask::{check_key, created, made_before};
use super::caller::Caller;
use super::decide::noted;
use super::error::GrantsError;
use super::view::{GrantView, RequestView};

impl Grants {
    /// Asks for more time. The same approvers decide, or the contract gives it at once; live sessions carry on.
    ///
    /// # Errors
    /// Why this grant can't be extended, or not by this person, or not any more.
    pub async fn extend(
        &self,
        caller: &Caller,
        id: &GrantId,
        reason: Option<&str>,
        once: Option<Once>,
    ) -> Result<RequestView, GrantsError> {
        check_key(once.as_ref())?;
        let mut tx = self.store().begin().await?;
        let asked = self.extend_in(&mut tx, caller, id, reason, once.as_ref()).await;
        let request = self.finish(tx, asked).await?;
        self.request_unchecked(caller, &request).await
    }

    async fn extend_in(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        id: &GrantId,
        reason: Option<&str>,
        once: Option<&Once>,
    ) -> Result<RequestId, GrantsError> {
        let (now, by) = (self.now(), caller.person());
        if let Some(made) = made_before(tx, caller, once, now).await? {
            return Ok(made);
        }
        let stored = tx.grant(id).await?.ok_or(GrantsError::NoGrant)?;
        let record = stored.record();
        let contract = self.pinned(&record.contract).await?;
        let people = self.people([&by, &record.requester, &record.beneficiary]).await?;
        let name = &record.terms.target;
        let target = self.target(name).ok_or_else(|| GrantsError::TargetGone { target: name.clone() })?;
        let facts = Facts { contract: &contract, target: &target, people: &people };
        let ask = AskExtension { id: RequestId::random(), by: &by, reason };
        let step = Request::ask_extension(ask, &stored.grant, facts, now)?;
        let asked = step.request.record();
        if !tx.insert_request(asked, &caller.identity.id, caller.address).await? {
            return Err(GrantsError::ExtensionPending);
        }
        tx.audit(&caller.did(created(asked))).await?;
        if let Outcome::Extended(approved) = step.outcome {
            self.extend_grant(tx, caller, &asked.id, approved, &contract, now).await?;
        }
        if let Some(once) = once {
            tx.remember_once(&by, once, asked.id.as_str(), now).await?;
        }
        Ok(asked.id.clone())
    }

    /// Gives one's own grant back early.
    ///
    /// # Errors
    /// It is not theirs, or over already.
    pub async fn give_back(&self, caller: &Caller, id: &GrantId) -> Result<GrantView, GrantsError> {
        let mut tx = self.store().begin().await?;
        let done = self.give_back_in(&mut tx, caller, id).await;
        self.finish(tx, done).await?;
        self.grant_unchecked(caller, id).await
    }

    async fn give_back_in(&self, tx: &mut Tx, caller: &Caller, id: &GrantId) -> Result<(), GrantsError> {
        let stored = tx.grant(id).await?.ok_or(GrantsError::NoGrant)?;
        let over = stored.grant.give_back(caller.person(), self.now())?;
        self.store_end(tx, caller, &stored, &over, GrantOutcome::Returned, None).await
    }

    /// Takes a grant away, and says why. Those who could approve it may, and admins.
    ///
    /// # Errors
    /// This person may not, or it is over already.
    pub async fn revoke(
        &self,
        caller: &Caller,
        id: &GrantId,
        reason: &str,
    ) -> Result<GrantView, GrantsError> {
        let reason = noted(Some(reason.to_owned()))?.ok_or(GrantsError::ReasonMissing)?;
        let mut tx = self.store().begin().await?;
        let done = self.revoke_in(&mut tx, caller, id, reason).await;
        self.finish(tx, done).await?;
        self.grant_unchecked(caller, id).await
    }

    async fn revoke_in(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        id: &GrantId,
        reason: String,
    ) -> Result<(), GrantsError> {
        let stored = tx.grant(id).await?.ok_or(GrantsError::NoGrant)?;
        if !self.may_revoke(caller, &stored).await? {
            return Err(GrantsError::MayNotRevoke);
        }
        let over = stored.grant.revoke(caller.person(), Some(reason.clone()), self.now())?;
        self.store_end(tx, caller, &stored, &over, GrantOutcome::Revoked, Some(reason)).await
    }

    /// Whether this caller may take that grant away.
    pub(super) async fn may_revoke(
        &self,
        caller: &Caller,
        stored: &StoredGrant,
    ) -> Result<bool, GrantsError> {
        let (by, record) = (caller.person(), stored.record());
        let people = self.people([&by]).await?;
        let Some(person) = people.find(&by) else { return Ok(false) };
        if caller.admin {
            return Ok(true);
        }
        let contract = self.pinned(&record.contract).await?;
        let parties = Parties { requester: &record.requester, beneficiary: &record.beneficiary };
        Ok(may_approve(&contract, person, parties).is_ok())
    }

    async fn store_end(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        stored: &StoredGrant,
        over: &Grant,
        outcome: GrantOutcome,
        why: Option<String>,
    ) -> Result<(), GrantsError> {
        if !tx.step_grant(&stored.grant, over).await? {
            return Err(GrantsError::Stale);
        }
        let id = &stored.record().id;
        tx.audit(&caller.did(What::GrantEnded { grant: id.to_string(), outcome, why })).await?;
        self.close_extension(tx, id, self.now()).await
    }
}
