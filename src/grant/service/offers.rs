//! What somebody may reach or ask for: targets, accounts, and the contracts that give them.
//!
//! Owns this list for the API, the pages and the terminal. A target that no contract lets one ask for is not in it: it looks like
//! one that does not exist.

use std::collections::BTreeMap;

use curfew_adapter::GrantId;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Caller, Grants, GrantsError, Scope};
use crate::contract::{Contract, PersonKey, Wanted, may_ask};
use crate::grant::GrantState;
use crate::store::Slice;

/// A target that one may reach or ask for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TargetView {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub protocol: &'static str,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The accounts on it.
    pub accounts: Vec<AccountView>,
}

/// An account that one may reach or ask for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// Its name on the target.
    pub name: String,
    /// The contracts under which one may ask for it.
    pub contracts: Vec<Offer>,
    /// The active grant that opens it now, the one that ends last.
    #[schema(value_type = Option<String>)]
    pub grant: Option<GrantId>,
}

/// What a contract offers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Offer {
    /// The contract's name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Seconds, at most.
    pub max_seconds: u64,
    /// Seconds where none are named.
    pub default_seconds: u64,
    /// Whether somebody must approve.
    pub needs_approval: bool,
    /// Whether a reason must be given.
    pub reason_required: bool,
    /// What a ticket must look like; null: none is needed.
    pub ticket: Option<String>,
}

impl Grants {
    /// Everything that this person may reach or ask for.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn offers(&self, caller: &Caller) -> Result<Vec<TargetView>, GrantsError> {
        let key: PersonKey = caller.person();
        let people = self.people([&key]).await?;
        let Some(person) = people.find(&key) else { return Ok(Vec::new()) };
        let held = self.grants(caller, Scope::Mine, Some(GrantState::Active), &Slice::default()).await?.items;
        let set = self.contracts().current();
        let mut targets = Vec::new();
        for name in &self.target_names() {
            let Some(target) = self.target(name) else { continue };
            let open = |account: &str| {
                held.iter()
                    .filter(|grant| grant.state == GrantState::Active && grant.can.contains(&"return"))
                    .filter(|grant| grant.target == *name && grant.account == account)
                    .max_by_key(|grant| grant.ends_at)
                    .map(|grant| grant.id.clone())
            };
            let accounts: Vec<AccountView> = self
                .accounts(name)
                .into_iter()
                .map(|account| {
                    let wanted = Wanted { target: &target, account: Some(&account), database: None };
                    let gives =
                        |contract: &&std::sync::Arc<Contract>| may_ask(contract, person, &wanted).is_match();
                    let contracts = set.iter().filter(gives).map(|contract| Offer::of(contract)).collect();
                    AccountView { grant: open(&account), name: account, contracts }
                })
                .filter(|account| account.grant.is_some() || !account.contracts.is_empty())
                .collect();
            if !accounts.is_empty() {
                targets.push(TargetView {
                    name: target.name,
                    protocol: target.protocol.as_str(),
                    labels: target.labels,
                    accounts,
                });
            }
        }
        Ok(targets)
    }
}

impl Offer {
    fn of(contract: &Contract) -> Self {
        Self {
            name: contract.name.clone(),
            description: contract.description.clone(),
            max_seconds: contract.when.max.as_secs(),
            default_seconds: contract.when.default.as_secs(),
            needs_approval: contract.approve.is_some(),
            reason_required: contract.ask.reason_required,
            ticket: contract.ask.ticket.as_ref().map(|rule| rule.pattern.clone()),
        }
    }
}
