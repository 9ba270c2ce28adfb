//! Looking: one's own requests and grants, those that one could decide, everybody's; and what is active now.
//!
//! Owns who sees which. What one may not see looks like what is not there.

use curfew_adapter::{GrantId, RequestId};
use jiff::Timestamp;

use crate::contract::{Parties, PersonKey, may_approve};
use crate::grant::{Grant, GrantState, RequestState};
use crate::store::{GrantFilter, Page, RequestFilter, Slice, StoredRequest};

use super::Grants;
use super::caller::Caller;
use super::error::GrantsError;
use super::view::{GrantView, RequestView};

/// Whose requests or grants a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// One's own.
    #[default]
    Mine,
    /// Pending requests that one could decide now.
    ToApprove,
    /// Grants that last, and that one could take away.
    ToRevoke,
    /// Everybody's.
    All,
}

impl Grants {
    /// One request.
    ///
    /// # Errors
    /// [`GrantsError::NoRequest`].
    pub async fn request(&self, viewer: &Caller, id: &RequestId) -> Result<RequestView, GrantsError> {
        let stored = self.store().request(id).await?.ok_or(GrantsError::NoRequest)?;
        if !self.sees(viewer, &stored).await? {
            return Err(GrantsError::NoRequest);
        }
        self.view_request(viewer, &stored).await
    }

    /// One request, for whoever has just done something to it.
    pub(super) async fn request_unchecked(
        &self,
        viewer: &Caller,
        id: &RequestId,
    ) -> Result<RequestView, GrantsError> {
        let stored = self.store().request(id).await?.ok_or(GrantsError::NoRequest)?;
        self.view_request(viewer, &stored).await
    }

    /// Requests, newest first. A piece of [`Scope::ToApprove`] may be shorter than its limit, or empty, and have a
    /// next one. There is nothing to revoke about a request: that scope is one's own.
    ///
    /// # Errors
    /// [`GrantsError::MayNotReadAll`].
    pub async fn requests(
        &self,
        viewer: &Caller,
        scope: Scope,
        state: Option<RequestState>,
        slice: &Slice,
    ) -> Result<Page<RequestView>, GrantsError> {
        let filter = match scope {
            Scope::Mine | Scope::ToRevoke => {
                RequestFilter { party: Some(viewer.person()), state, ..RequestFilter::default() }
            }
            Scope::ToApprove => {
                RequestFilter { state: Some(RequestState::Pending), ..RequestFilter::default() }
            }
            Scope::All if viewer.reads_all => RequestFilter { state, ..RequestFilter::default() },
            Scope::All => return Err(GrantsError::MayNotReadAll),
        };
        let page = self.store().requests(&filter, slice).await?;
        let mut views = Vec::with_capacity(page.items.len());
        for stored in &page.items {
            let view = self.view_request(viewer, stored).await?;
            if scope != Scope::ToApprove || view.can.contains(&"approve") {
                views.push(view);
            }
        }
        Ok(page.with(views))
    }

    /// Pending requests that this person could decide now.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn to_approve(&self, viewer: &Caller) -> Result<Vec<RequestView>, GrantsError> {
        Ok(self.requests(viewer, Scope::ToApprove, None, &Slice::default()).await?.items)
    }

    /// One grant.
    ///
    /// # Errors
    /// [`GrantsError::NoGrant`].
    pub async fn grant(&self, viewer: &Caller, id: &GrantId) -> Result<GrantView, GrantsError> {
        let stored = self.store().grant(id).await?.ok_or(GrantsError::NoGrant)?;
        let (record, me) = (stored.record(), viewer.person());
        let own = me == record.requester || me == record.beneficiary;
        if !(own || viewer.reads_all || self.may_revoke(viewer, &stored).await?) {
            return Err(GrantsError::NoGrant);
        }
        self.view_grant(viewer, &stored).await
    }

    /// One grant, for whoever has just done something to it.
    pub(super) async fn grant_unchecked(
        &self,
        viewer: &Caller,
        id: &GrantId,
    ) -> Result<GrantView, GrantsError> {
        let stored = self.store().grant(id).await?.ok_or(GrantsError::NoGrant)?;
        self.view_grant(viewer, &stored).await
    }

    /// Grants, those with the latest start first. There is nothing to approve about a grant: that scope is one's own.
    /// A piece of [`Scope::ToRevoke`] may be shorter than its limit, or empty, and have a next one.
    ///
    /// # Errors
    /// [`GrantsError::MayNotReadAll`].
    pub async fn grants(
        &self,
        viewer: &Caller,
        scope: Scope,
        state: Option<GrantState>,
        slice: &Slice,
    ) -> Result<Page<GrantView>, GrantsError> {
        let party = match scope {
            Scope::Mine | Scope::ToApprove => Some(viewer.person()),
            Scope::ToRevoke => None,
            Scope::All if viewer.reads_all => None,
            Scope::All => return Err(GrantsError::MayNotReadAll),
        };
        let open = scope == Scope::ToRevoke;
        let page = self.store().grants(&GrantFilter { party, state, target: None, open }, slice).await?;
        let mut views = Vec::with_capacity(page.items.len());
        for stored in &page.items {
            let view = self.view_grant(viewer, stored).await?;
            if scope != Scope::ToRevoke || view.can.contains(&"revoke") {
                views.push(view);
            }
        }
        Ok(page.with(views))
    }

    /// This person's grants that admit to this account on this target at `now`, those that end last first.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn active_grants(
        &self,
        person: &PersonKey,
        target: &str,
        account: &str,
        now: Timestamp,
    ) -> Result<Vec<Grant>, GrantsError> {
        let open = self.store().open_grants(person, target, account).await?;
        Ok(open.into_iter().map(|stored| stored.grant).filter(|grant| grant.admits(now)).collect())
    }

    /// This person's pending requests for access to this account on this target, newest first.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn pending_requests(
        &self,
        person: &PersonKey,
        target: &str,
        account: &str,
    ) -> Result<Vec<StoredRequest>, GrantsError> {
        let filter = RequestFilter {
            party: Some(person.clone()),
            state: Some(RequestState::Pending),
            target: Some(target.to_owned()),
            account: Some(account.to_owned()),
        };
        Ok(self.store().requests(&filter, &Slice::default()).await?.items)
    }

    /// Whether this person could decide that request, were it pending.
    ///
    /// # Errors
    /// [`GrantsError::NoRequest`].
    pub async fn could_approve(&self, person: &PersonKey, id: &RequestId) -> Result<bool, GrantsError> {
        let stored = self.store().request(id).await?.ok_or(GrantsError::NoRequest)?;
        let contract = self.pinned(&stored.record.contract).await?;
        let people = self.people([person]).await?;
        let parties =
            Parties { requester: &stored.record.requester, beneficiary: &stored.record.beneficiary };
        Ok(people.find(person).is_some_and(|person| may_approve(&contract, person, parties).is_ok()))
    }

    /// Whether some contract in force names this person as an approver.
    ///
    /// # Errors
    /// The person can't be looked up.
    pub async fn is_approver(&self, person: &PersonKey) -> Result<bool, GrantsError> {
        let people = self.people([person]).await?;
        let Some(person) = people.find(person) else { return Ok(false) };
        let set = self.contracts().current();
        Ok(set
            .iter()
            .filter_map(|contract| contract.approve.as_ref())
            .any(|stage| stage.from.include(person)))
    }
}
