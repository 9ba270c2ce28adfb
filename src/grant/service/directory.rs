//! Where the facts of now come from: people with their groups, targets with their labels.
//!
//! Owns the question, and how linked identities make up one person. It never remembers an answer.

use std::collections::{BTreeMap, BTreeSet};

use curfew_adapter::{Identity, IdentityKind};
use futures_util::future::BoxFuture;

use crate::config::Target;
use crate::contract::{Person, PersonKey, TargetFacts};
use crate::identity::IdentityRecord;
use crate::store::{Store, StoreError};

/// An identity, and whether it may do anything.
#[derive(Debug, Clone)]
pub struct Known {
    /// The identity, with the groups that it had at its last sign-in.
    pub identity: Identity,
    /// It was disabled.
    pub disabled: bool,
}

/// Looks people and targets up.
pub trait Directory: Send + Sync + 'static {
    /// All identities of this person, the disabled ones too.
    fn identities<'a>(&'a self, person: &'a PersonKey) -> BoxFuture<'a, Result<Vec<Known>, StoreError>>;

    /// Everybody's identities, the disabled ones too.
    fn everyone(&self) -> BoxFuture<'_, Result<Vec<Known>, StoreError>>;

    /// The names of the targets, as configured now.
    fn target_names(&self) -> Vec<String>;

    /// The target of this name, as configured now.
    fn target(&self, name: &str) -> Option<TargetFacts>;

    /// The accounts that the gate holds on this target; none where there is no such target.
    fn accounts(&self, target: &str) -> BTreeSet<String>;
}

/// People from the store, targets from the configuration.
#[derive(Debug)]
pub struct StoreDirectory {
    store: Store,
    targets: BTreeMap<String, (TargetFacts, BTreeSet<String>)>,
}

impl StoreDirectory {
    /// With these targets.
    pub fn new<'a>(store: Store, targets: impl IntoIterator<Item = &'a Target>) -> Self {
        let targets = targets.into_iter().map(|target| {
            let accounts = target.accounts.iter().map(|account| account.name.clone()).collect();
            (target.name.clone(), (target.facts(), accounts))
        });
        Self { store, targets: targets.collect() }
    }
}

impl Directory for StoreDirectory {
    fn identities<'a>(&'a self, person: &'a PersonKey) -> BoxFuture<'a, Result<Vec<Known>, StoreError>> {
        Box::pin(async move {
            let records = self.store.identities_of(person.as_str()).await?;
            Ok(records.into_iter().map(Known::from).collect())
        })
    }

    fn everyone(&self) -> BoxFuture<'_, Result<Vec<Known>, StoreError>> {
        Box::pin(async move { Ok(self.store.identities().await?.into_iter().map(Known::from).collect()) })
    }

    fn target_names(&self) -> Vec<String> {
        self.targets.keys().cloned().collect()
    }

    fn target(&self, name: &str) -> Option<TargetFacts> {
        self.targets.get(name).map(|(facts, _)| facts.clone())
    }

    fn accounts(&self, target: &str) -> BTreeSet<String> {
        self.targets.get(target).map(|(_, accounts)| accounts.clone()).unwrap_or_default()
    }
}

impl From<IdentityRecord> for Known {
    fn from(record: IdentityRecord) -> Self {
        Self { identity: record.identity, disabled: record.disabled_at.is_some() }
    }
}

/// The person that these identities are; `None` where all of them are disabled. One of a program among them makes
/// them all a program: it has the lesser rights.
pub(super) fn person(known: &[Known]) -> Option<Person> {
    let mut identities = known.iter().filter(|known| !known.disabled).map(|known| &known.identity);
    let mut person = Person::from(identities.next()?);
    for other in identities {
        person = person.also(&other.email);
        person.groups.extend(other.groups.iter().cloned());
        if other.kind == IdentityKind::Service {
            person.kind = IdentityKind::Service;
        }
    }
    Some(person)
}
