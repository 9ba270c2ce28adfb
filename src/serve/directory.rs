//! People from the store and targets from the configuration, for the service around grants.

use crate::contract::{PersonKey, TargetFacts};
use crate::grant::{Directory, Known};
use crate::store::{Store, StoreError};
use futures_util::future::BoxFuture;
use std::collections::HashMap;

/// Looks both up.
pub struct Everybody {
    /// Where identities are.
    pub store: Store,
    /// The targets, by name.
    pub targets: HashMap<String, TargetFacts>,
}

impl Directory for Everybody {
    fn identities<'a>(&'a self, person: &'a PersonKey) -> BoxFuture<'a, Result<Vec<Known>, StoreError>> {
        Box::pin(async move {
            let known = self.store.identities_of(person.as_str()).await?;
            let known = known.into_iter();
            Ok(known.map(|k| Known { disabled: k.disabled_at.is_some(), identity: k.identity }).collect())
        })
    }

    fn target(&self, name: &str) -> Option<TargetFacts> {
        self.targets.get(name).cloned()
    }
}
