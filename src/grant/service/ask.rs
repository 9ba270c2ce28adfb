//! Asking: which contract is meant, and the request under it.
//!
//! Owns the choice among contracts and accounts, and the rule that a repeated call asks only once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use curfew_adapter::RequestId;
use jiff::Timestamp;

use crate::audit::What;
use crate::audit::event::RequestOutcome;
use crate::contract::{Contract, Person, TargetFacts, Wanted, may_ask};
use crate::grant::{AskAccess, AskRefused, Facts, Outcome, Request, RequestRecord};
use crate::store::{Before, Once, StoreError, Tx, to_the_microsecond};

use super::Grants;
use super::caller::Caller;
use super::error::GrantsError;
use super::view::RequestView;

/// Pending requests that one person may have.
pub(super) const MOST_PENDING: u64 = 50;

/// An ask for access, as a person makes it.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The target's name.
    pub target: String,
    /// The account; may be left out where only one could be meant.
    pub account: Option<String>,
    /// The contract's name; may be left out where only one gives it.
    pub contract: Option<String>,
    /// For how long; left out: the contract's default.
    pub duration: Option<Duration>,
    /// From when on; left out: from the approval on.
    pub starts_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// Under which ticket.
    pub ticket: Option<String>,
}

/// A contract that could be picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The longest grant that it gives.
    pub max: Duration,
}

impl Grants {
    /// Asks for access. Under a contract without approval it is granted at once.
    ///
    /// # Errors
    /// What is wrong with the ask, or who would have to give it.
    pub async fn ask(
        &self,
        caller: &Caller,
        ask: Ask,
        once: Option<Once>,
    ) -> Result<RequestView, GrantsError> {
        check_key(once.as_ref())?;
        let mut tx = self.store().begin().await?;
        let asked = self.ask_in(&mut tx, caller, ask, once.as_ref()).await;
        let id = self.finish(tx, asked).await?;
        self.request(caller, &id).await
    }

    async fn ask_in(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        ask: Ask,
        once: Option<&Once>,
    ) -> Result<RequestId, GrantsError> {
        let (now, person) = (self.now(), caller.person());
        if let Some(made) = made_before(tx, caller, once, now).await? {
            return Ok(made);
        }
        let people = self.people([&person]).await?;
        let me = people.find(&person).ok_or(AskRefused::Unknown)?;
        let no_target = || GrantsError::NoTarget { target: ask.target.clone() };
        let target = self.target(&ask.target).ok_or_else(no_target)?;
        let set = self.contracts().current();
        let held = self.accounts(&ask.target);
        let (contract, account) = choose(set.iter(), me, &target, &held, &ask)?;
        if tx.count_pending(&person).await? >= MOST_PENDING {
            return Err(GrantsError::TooManyPending);
        }
        let facts = Facts { contract, target: &target, people: &people };
        let asked = AskAccess {
            id: RequestId::random(),
            requester: &person,
            beneficiary: &person,
            account: &account,
            duration: ask.duration,
            starts_at: ask.starts_at.map(to_the_microsecond),
            reason: ask.reason.as_deref(),
            ticket: ask.ticket.as_deref(),
        };
        let step = Request::ask(asked, facts, now)?;
        tx.keep_contract(contract, now).await?;
        let record = step.request.record();
        // A fresh id can't be taken.
        let _ = tx.insert_request(record, &caller.identity.id, caller.address).await?;
        tx.audit(&caller.did(created(record))).await?;
        if let Outcome::Granted(approved) = step.outcome {
            self.open_grant(tx, caller, approved, RequestOutcome::Approved, now).await?;
        }
        if let Some(once) = once {
            tx.remember_once(&person, once, record.id.as_str(), now).await?;
        }
        Ok(record.id.clone())
    }
}

/// The audit event of a new request.
pub(super) fn created(record: &RequestRecord) -> What {
    What::RequestCreated {
        request: record.id.to_string(),
        contract: record.contract.name.clone(),
        version: record.contract.hash.to_string(),
        target: record.target.clone(),
        account: record.account.clone(),
        duration: record.duration.as_secs(),
        starts: record.starts_at,
        reason: record.reason.clone(),
        ticket: record.ticket.clone(),
    }
}

/// Whether a key is one.
pub(super) fn check_key(once: Option<&Once>) -> Result<(), GrantsError> {
    if once.is_none_or(Once::is_a_key) { Ok(()) } else { Err(GrantsError::BadKey) }
}

/// What an earlier call with this key made.
pub(super) async fn made_before(
    tx: &mut Tx,
    caller: &Caller,
    once: Option<&Once>,
    now: Timestamp,
) -> Result<Option<RequestId>, GrantsError> {
    let Some(once) = once else { return Ok(None) };
    match tx.made_once(&caller.person(), once, now).await? {
        Before::Fresh => Ok(None),
        Before::Made(id) => Ok(Some(RequestId::parse(&id).ok_or_else(|| StoreError::damaged("made"))?)),
        Before::Other => Err(GrantsError::KeyReused),
    }
}

/// The contract and the account that are meant. Only accounts that are `held` on the target can be.
fn choose<'a>(
    contracts: impl Iterator<Item = &'a Arc<Contract>>,
    me: &Person,
    target: &TargetFacts,
    held: &BTreeSet<String>,
    ask: &Ask,
) -> Result<(&'a Contract, String), GrantsError> {
    let gives = |contract: &Contract, account| {
        may_ask(contract, me, &Wanted { target, account, database: None }).is_match()
    };
    // Those that make the target known to this person at all.
    let reveals = |contract: &&Contract| gives(contract, None) && !contract.what.accounts.is_disjoint(held);
    let known: Vec<&Contract> = contracts.map(Arc::as_ref).filter(reveals).collect();
    if known.is_empty() {
        return Err(GrantsError::NoTarget { target: ask.target.clone() });
    }
    let fit: Vec<&Contract> = match &ask.contract {
        Some(name) => known.iter().filter(|contract| contract.name == *name).copied().collect(),
        None => known.clone(),
    };
    if fit.is_empty() {
        let offers = known.iter().map(|contract| contract.name.clone()).collect();
        let contract = ask.contract.clone().unwrap_or_default();
        return Err(GrantsError::OtherContract { contract, target: ask.target.clone(), offers });
    }
    let accounts = offered(&fit, held);
    let account = match (&ask.account, accounts.len()) {
        (Some(account), _) => account.clone(),
        (None, 0 | 1) => accounts.first().cloned().unwrap_or_default(),
        (None, _) => {
            let accounts = accounts.into_iter().collect();
            return Err(GrantsError::SeveralAccounts { target: ask.target.clone(), accounts });
        }
    };
    let gives_account =
        |contract: &&Contract| held.contains(&account) && gives(contract, Some(account.as_str()));
    let giving: Vec<&Contract> = fit.into_iter().filter(gives_account).collect();
    match giving.as_slice() {
        [one] => Ok((one, account)),
        [] => {
            let offers = offered(&known, held).into_iter().collect();
            Err(GrantsError::NoContract { target: ask.target.clone(), account, offers })
        }
        several => {
            Err(GrantsError::SeveralContracts(several.iter().map(|contract| choice(contract)).collect()))
        }
    }
}

/// The accounts that these contracts offer, of those that are held.
fn offered(contracts: &[&Contract], held: &BTreeSet<String>) -> BTreeSet<String> {
    contracts.iter().flat_map(|contract| contract.what.accounts.intersection(held)).cloned().collect()
}

fn choice(contract: &Contract) -> Choice {
    Choice { name: contract.name.clone(), description: contract.description.clone(), max: contract.when.max }
}
