//! The facts of now for requests and grants: people as their providers described them last, targets as configured.
//!
//! Owns the answer to [`Directory`]. It remembers nothing about people: the store is asked each time.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use crate::contract::{PersonKey, TargetFacts};
use crate::grant::{Directory, Known};
use crate::store::{Store, StoreError};

/// Looks people up in the store, and targets in the configuration.
#[derive(Debug)]
pub struct Facts {
    store: Store,
    targets: BTreeMap<String, TargetFacts>,
}

impl Facts {
    /// With these targets.
    pub fn new(store: Store, targets: impl IntoIterator<Item = TargetFacts>) -> Self {
        let targets = targets.into_iter().map(|target| (target.name.clone(), target)).collect();
        Self { store, targets }
    }
}

impl Directory for Facts {
    fn identities<'a>(&'a self, person: &'a PersonKey) -> BoxFuture<'a, Result<Vec<Known>, StoreError>> {
        Box::pin(async move {
            let records = self.store.identities_of(person.as_str()).await?;
            let known = records.into_iter().map(|record| Known {
                disabled: record.disabled_at.is_some(),
                identity: record.identity,
            });
            Ok(known.collect())
        })
    }

    fn target(&self, name: &str) -> Option<TargetFacts> {
        self.targets.get(name).cloned()
    }
}
