//! Requests and grants as people see them: in the API, on pages, in the command line.
//!
//! Owns these shapes (docs/openapi.json describes them), and what the one who looks can do about them. It never shows
//! more of a person than identity, email and name.

use std::net::IpAddr;

use curfew_adapter::{GrantId, IdentityId, Protocol, RequestId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::contract::{Contract, ContractHash, Parties, PersonKey, Stage, may_approve};
use crate::grant::{Facts, GrantState, Request, RequestKind, RequestState};
use crate::store::{StoredGrant, StoredRequest, Verdict};

use super::Grants;
use super::caller::Caller;
use super::decide::gone;
use super::directory::Known;
use super::error::GrantsError;

/// A person, as shown to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PersonView {
    /// The identity that is meant; `None` where nothing is known of the person any more.
    #[schema(value_type = Option<String>)]
    pub identity: Option<IdentityId>,
    /// The email.
    pub email: String,
    /// What to call them.
    pub name: String,
}

/// A vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VoteView {
    /// Whose.
    pub email: String,
    /// Yes or no.
    pub verdict: Verdict,
    /// For how long, where it says yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
    /// What they wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RequestView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: RequestId,
    /// `access` or `extension`.
    pub kind: &'static str,
    /// The grant that an extension is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub grant: Option<GrantId>,
    /// Where it stands.
    pub state: RequestState,
    /// The contract's name.
    pub contract: String,
    /// The version that it pinned.
    #[schema(value_type = String)]
    pub contract_version: ContractHash,
    /// What for.
    pub target: String,
    /// What the target speaks; `None` where it is not configured any more.
    #[schema(value_type = Option<String>)]
    pub protocol: Option<Protocol>,
    /// As which account.
    pub account: String,
    /// Who asked.
    pub requester: PersonView,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Under which ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// For how long.
    pub duration_seconds: u64,
    /// From when on; left out: from the approval on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it lapses if nobody decides.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub decided_at: Option<Timestamp>,
    /// Where it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Votes, in order.
    pub votes: Vec<VoteView>,
    /// Approvals that it takes.
    pub approvals_needed: usize,
    /// Approvals that count now.
    pub approvals: usize,
    /// In the answer to an approval: this person's had been counted already. Left out otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub counted_before: bool,
    /// Whom it waits for: `group sre-leads`, `bob@example.com`.
    pub approvers: Vec<String>,
    /// Its page.
    pub url: String,
    /// The grant that it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub grant_id: Option<GrantId>,
    /// What the one who looks can do: `approve`, `deny`, `cancel`.
    pub can: Vec<&'static str>,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GrantView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: GrantId,
    /// The request that it came from.
    #[schema(value_type = String)]
    pub request: RequestId,
    /// Where it stands.
    pub state: GrantState,
    /// The contract's name.
    pub contract: String,
    /// The version that its request pinned.
    #[schema(value_type = String)]
    pub contract_version: ContractHash,
    /// What for.
    pub target: String,
    /// What the target speaks; `None` where it is not configured any more.
    #[schema(value_type = Option<String>)]
    pub protocol: Option<Protocol>,
    /// As which account.
    pub account: String,
    /// Whose it is.
    pub holder: PersonView,
    /// The first instant that it admits.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// The first instant that it no longer admits.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Who ended it, by email; left out: its time was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_note: Option<String>,
    /// How often it was extended.
    pub extensions: u32,
    /// How often it can still be.
    pub extensions_left: u32,
    /// Sessions that live under it.
    pub sessions_live: u64,
    /// The page of its request.
    pub url: String,
    /// What the one who looks can do: `extend`, `return`, `revoke`.
    pub can: Vec<&'static str>,
}

impl Grants {
    /// Where people find a request.
    #[must_use]
    pub fn request_url(&self, id: &RequestId) -> String {
        format!("{}/requests/{id}", self.0.public_url.as_str().trim_end_matches('/'))
    }

    /// How this person is shown.
    pub(super) async fn shown(
        &self,
        person: &PersonKey,
        meant: Option<&IdentityId>,
    ) -> Result<PersonView, GrantsError> {
        let known = self.0.directory.identities(person).await?;
        let is_meant = |known: &&Known| meant.is_some_and(|id| *id == known.identity.id);
        let best = known.iter().find(is_meant).or_else(|| known.iter().find(|known| !known.disabled));
        let Some(Known { identity, .. }) = best.or_else(|| known.first()) else {
            let name = person.to_string();
            return Ok(PersonView { identity: meant.cloned(), email: name.clone(), name });
        };
        Ok(PersonView {
            identity: Some(identity.id.clone()),
            email: identity.email.clone(),
            name: identity.name.clone(),
        })
    }

    pub(super) async fn view_request(
        &self,
        viewer: &Caller,
        stored: &StoredRequest,
    ) -> Result<RequestView, GrantsError> {
        let (record, me) = (&stored.record, viewer.person());
        let contract = self.pinned(&record.contract).await?;
        let voters = stored.votes.iter().map(|vote| &vote.person);
        let people = self.people(voters.chain([&me])).await?;
        let target = self.target(&record.target);
        let protocol = target.as_ref().map(|target| target.protocol);
        let target = target.unwrap_or_else(|| gone(&record.target));
        let facts = Facts { contract: &contract, target: &target, people: &people };
        let request = Request::restore(record.clone());
        let mut votes = Vec::with_capacity(stored.votes.len());
        for vote in &stored.votes {
            votes.push(VoteView {
                email: self.shown(&vote.person, Some(&vote.identity)).await?.email,
                verdict: vote.verdict,
                duration_seconds: vote.duration.map(|duration| duration.as_secs()),
                note: vote.note.clone(),
                at: vote.at,
            });
        }
        let mut can = Vec::new();
        if record.state == RequestState::Pending && self.now() < record.expires_at {
            let decides =
                people.find(&me).is_some_and(|me| may_approve(&contract, me, request.parties()).is_ok());
            if decides {
                can.extend(["approve", "deny"]);
            }
            if me == record.requester || me == record.beneficiary {
                can.push("cancel");
            }
        }
        let (kind, grant) = match &record.kind {
            RequestKind::Access => ("access", None),
            RequestKind::Extension { grant } => ("extension", Some(grant.clone())),
        };
        Ok(RequestView {
            id: record.id.clone(),
            kind,
            grant,
            state: record.state,
            contract: record.contract.name.clone(),
            contract_version: record.contract.hash.clone(),
            target: record.target.clone(),
            protocol,
            account: record.account.clone(),
            requester: self.shown(&record.requester, Some(&stored.identity)).await?,
            reason: record.reason.clone(),
            ticket: record.ticket.clone(),
            duration_seconds: record.duration.as_secs(),
            starts_at: record.starts_at,
            created_at: record.asked_at,
            expires_at: record.expires_at,
            decided_at: record.decided.as_ref().map(|decided| decided.at),
            address: stored.address,
            votes,
            approvals_needed: contract.approve.as_ref().map_or(0, |stage| stage.count),
            approvals: request.approvals_that_count(facts),
            counted_before: false,
            approvers: contract.approve.as_ref().map(named).unwrap_or_default(),
            url: self.request_url(&record.id),
            grant_id: stored.granted.clone(),
            can,
        })
    }

    pub(super) async fn view_grant(
        &self,
        viewer: &Caller,
        stored: &StoredGrant,
    ) -> Result<GrantView, GrantsError> {
        let (record, me, now) = (stored.record(), viewer.person(), self.now());
        let contract = self.pinned(&record.contract).await?;
        let state = stored.grant.state(now);
        let extensions_left = extensions_left(&contract, record.extensions);
        let mut can = Vec::new();
        if matches!(state, GrantState::Active | GrantState::Scheduled) {
            if state == GrantState::Active
                && extensions_left > 0
                && (me == record.beneficiary || me == record.requester)
            {
                can.push("extend");
            }
            if me == record.beneficiary {
                can.push("return");
            }
            if self.may_revoke(viewer, stored).await? {
                can.push("revoke");
            }
        }
        let ended = record.ended.as_ref();
        let ended_by = match ended.and_then(|ended| ended.by.as_ref()) {
            Some(by) => Some(self.shown(by, None).await?.email),
            None => None,
        };
        let over = matches!(state, GrantState::Expired).then_some(record.ends_at);
        Ok(GrantView {
            id: record.id.clone(),
            request: record.request.clone(),
            state,
            contract: record.contract.name.clone(),
            contract_version: record.contract.hash.clone(),
            target: record.terms.target.clone(),
            protocol: self.target(&record.terms.target).map(|target| target.protocol),
            account: record.terms.account.clone(),
            holder: self.shown(&record.beneficiary, None).await?,
            starts_at: record.starts_at,
            ends_at: record.ends_at,
            ended_at: ended.map(|ended| ended.at).or(over),
            ended_by,
            end_note: ended.and_then(|ended| ended.note.clone()),
            extensions: record.extensions,
            extensions_left,
            sessions_live: stored.sessions_live,
            url: self.request_url(&record.request),
            can,
        })
    }

    /// Whether this person sees the request: their own, one that they could decide or have voted on, or everything.
    pub(super) async fn sees(&self, viewer: &Caller, stored: &StoredRequest) -> Result<bool, GrantsError> {
        let (record, me) = (&stored.record, viewer.person());
        let own = me == record.requester || me == record.beneficiary;
        if viewer.reads_all || own || stored.votes.iter().any(|vote| vote.person == me) {
            return Ok(true);
        }
        let parties = Parties { requester: &record.requester, beneficiary: &record.beneficiary };
        let (contract, people) = (self.pinned(&record.contract).await?, self.people([&me]).await?);
        Ok(people.find(&me).is_some_and(|me| may_approve(&contract, me, parties).is_ok()))
    }
}

fn extensions_left(contract: &Contract, used: u32) -> u32 {
    contract.end.extend.map_or(0, |extend| extend.max.saturating_sub(used))
}

fn named(stage: &Stage) -> Vec<String> {
    let groups = stage.from.groups.iter().map(|group| format!("group {group}"));
    groups.chain(stage.from.users.iter().cloned()).collect()
}
