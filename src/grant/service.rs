//! Requests and grants at work: the state machines, fed with the facts of now, and stored.
//!
//! Owns the order of each act: read in the transaction, let the state machine judge, store its step guarded, write
//! the audit event, commit, tell. Used by the API, the pages and the gate alike, so that there is one way to do each
//! thing. It never decides by itself what a contract means, and never ends a session: whoever guards sessions hears
//! of each change from the store.

mod ask;
mod caller;
mod decide;
mod directory;
mod end;
mod error;
mod offers;
mod read;
mod tick;
mod view;

pub use ask::{Ask, Choice};
pub use caller::Caller;
pub use decide::Approve;
pub use directory::{Directory, Known, StoreDirectory};
pub use error::{Fault, GrantsError};
pub use offers::{AccountView, Offer, TargetView};
pub use read::Scope;
pub use tick::Ticked;
pub use view::{GrantView, PersonView, RequestView, VoteView};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use url::Url;

use crate::contract::{Contract, ContractHash, Contracts, People, PersonKey, Pin, TargetFacts};
use crate::store::{Store, Tx, to_the_microsecond};

/// Contracts that are no longer in force and are kept parsed, at most.
const KEPT: usize = 256;

/// The service around requests and grants. Cheap to clone.
#[derive(Clone)]
pub struct Grants(Arc<Inner>);

struct Inner {
    store: Store,
    contracts: Arc<Contracts>,
    directory: Arc<dyn Directory>,
    public_url: Url,
    pinned: Mutex<BTreeMap<ContractHash, Arc<Contract>>>,
}

impl Grants {
    /// Puts the service together. `public_url` is where people find the pages.
    pub fn new(
        store: Store,
        contracts: Arc<Contracts>,
        directory: Arc<dyn Directory>,
        public_url: Url,
    ) -> Self {
        Self(Arc::new(Inner { store, contracts, directory, public_url, pinned: Mutex::default() }))
    }

    /// The store that it works on.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The contracts in force.
    #[must_use]
    pub fn contracts(&self) -> &Arc<Contracts> {
        &self.0.contracts
    }

    /// The names of the targets that are configured now.
    #[must_use]
    pub fn target_names(&self) -> Vec<String> {
        self.0.directory.target_names()
    }

    /// The target as it is configured now.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<TargetFacts> {
        self.0.directory.target(name)
    }

    /// The people with these keys, with their groups of now; those who are disabled or unknown are left out.
    ///
    /// # Errors
    /// They can't be looked up.
    pub async fn people(&self, keys: impl IntoIterator<Item = &PersonKey>) -> Result<People, GrantsError> {
        let keys: BTreeSet<&PersonKey> = keys.into_iter().collect();
        let mut people = Vec::with_capacity(keys.len());
        for key in keys {
            people.extend(directory::person(&self.0.directory.identities(key).await?));
        }
        Ok(people.into_iter().collect())
    }

    /// Everybody who is known and not disabled, for questions about who could approve.
    ///
    /// # Errors
    /// They can't be looked up.
    pub async fn everyone(&self) -> Result<People, GrantsError> {
        let mut people: BTreeMap<String, Vec<Known>> = BTreeMap::new();
        for known in self.0.directory.everyone().await? {
            people.entry(known.identity.person.clone()).or_default().push(known);
        }
        Ok(people.values().filter_map(|known| directory::person(known)).collect())
    }

    /// The accounts that the gate holds on this target.
    #[must_use]
    pub fn accounts(&self, target: &str) -> BTreeSet<String> {
        self.0.directory.accounts(target)
    }

    /// The contract in the version that a request pinned, whether or not it is still in force.
    ///
    /// # Errors
    /// Its text can't be read.
    pub async fn pinned(&self, pin: &Pin) -> Result<Arc<Contract>, GrantsError> {
        if let Some(contract) = self.0.contracts.current().pinned(pin) {
            return Ok(Arc::clone(contract));
        }
        if let Some(contract) = self.kept().get(&pin.hash) {
            return Ok(Arc::clone(contract));
        }
        let unreadable = || GrantsError::Unreadable { contract: pin.name.clone() };
        let text = self.0.store.contract_text(&pin.hash).await?.ok_or_else(unreadable)?;
        let contract = Contract::parse(&pin.name, &text).map_err(|problems| {
            tracing::error!(contract = %pin.name, version = %pin.hash, %problems, "a pinned contract can't be read");
            unreadable()
        })?;
        let contract = Arc::new(contract);
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(pin.hash.clone(), Arc::clone(&contract));
        Ok(contract)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<ContractHash, Arc<Contract>>> {
        self.0.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now, as the store can keep it.
    fn now(&self) -> Timestamp {
        to_the_microsecond(self.0.store.clock().wall())
    }

    /// Commits what went well, and takes back what was refused.
    async fn finish<T>(&self, tx: Tx, outcome: Result<T, GrantsError>) -> Result<T, GrantsError> {
        match outcome {
            Ok(done) => {
                tx.commit().await?;
                Ok(done)
            }
            // The transaction is dropped, and its connection with it.
            Err(GrantsError::Store(error)) => Err(error.into()),
            Err(refused) => {
                tx.rollback().await?;
                Err(refused)
            }
        }
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grants").field("store", &self.0.store).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
