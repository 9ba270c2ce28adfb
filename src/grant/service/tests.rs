//! The service on every kind of store: who may, what races do, what is on record after.

mod access;
mod ends;
mod races;
mod sessions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use curfew_adapter::{Identity, IdentityId, IdentityKind, RequestId};
use futures_util::future::BoxFuture;
use tempfile::TempDir;

use super::{Approve, Ask, Caller, Directory, GrantView, Grants, GrantsError, Known, RequestView, Scope};
use crate::contract::fixtures::{ORDERS_DEBUG, orders};
use crate::contract::{Contracts, PersonKey, TargetFacts};
use crate::store::tests::{Backend, backends};
use crate::store::{Slice, StoreError};

/// People and targets that a test changes as it goes.
#[derive(Default)]
struct Book {
    people: Mutex<BTreeMap<String, Known>>,
    targets: Mutex<BTreeMap<String, TargetFacts>>,
}

impl Directory for Book {
    fn identities<'a>(&'a self, person: &'a PersonKey) -> BoxFuture<'a, Result<Vec<Known>, StoreError>> {
        let known = self.people.lock().unwrap().get(person.as_str()).cloned();
        Box::pin(async move { Ok(known.into_iter().collect()) })
    }

    fn everyone(&self) -> BoxFuture<'_, Result<Vec<Known>, StoreError>> {
        let everyone = self.people.lock().unwrap().values().cloned().collect();
        Box::pin(async move { Ok(everyone) })
    }

    fn target_names(&self) -> Vec<String> {
        self.targets.lock().unwrap().keys().cloned().collect()
    }

    fn target(&self, name: &str) -> Option<TargetFacts> {
        self.targets.lock().unwrap().get(name).cloned()
    }

    fn accounts(&self, target: &str) -> BTreeSet<String> {
        let known = self.target(target).is_some();
        ["orders_read", "orders_write"].into_iter().filter(|_| known).map(str::to_owned).collect()
    }
}

/// A store with a service on it: alice an engineer, bob and erin approvers (erin an engineer too), carol of no group.
struct World {
    backend: Backend,
    grants: Grants,
    book: Arc<Book>,
    contracts: Arc<Contracts>,
    folder: TempDir,
}

async fn worlds(texts: &[&str]) -> Vec<World> {
    let mut worlds = Vec::new();
    for backend in backends().await {
        let folder = tempfile::tempdir().unwrap();
        for (n, text) in texts.iter().enumerate() {
            std::fs::write(folder.path().join(format!("{n}.toml")), text).unwrap();
        }
        let contracts = Contracts::open(folder.path()).unwrap();
        let book = Arc::new(Book::default());
        book.targets.lock().unwrap().insert("orders".to_owned(), orders());
        let url = "https://gate.example.com/".parse().unwrap();
        let grants = Grants::new(backend.store.clone(), Arc::clone(&contracts), book.clone(), url);
        let world = World { backend, grants, book, contracts, folder };
        for (name, groups) in [
            ("alice", &["sre"][..]),
            ("bob", &["sre-leads"]),
            ("erin", &["sre", "sre-leads"]),
            ("carol", &[]),
        ] {
            world.regroup(name, groups);
        }
        worlds.push(world);
    }
    worlds
}

/// With the contract of the guide.
async fn orders_worlds() -> Vec<World> {
    worlds(&[ORDERS_DEBUG]).await
}

/// The contract of the guide, where it takes two.
fn takes_two() -> String {
    ORDERS_DEBUG.replace("count = 1", "count = 2")
}

impl World {
    /// These are the person's groups from now on.
    fn regroup(&self, name: &str, groups: &[&str]) {
        let email = format!("{name}@example.com");
        let identity = Identity {
            id: IdentityId::parse(&format!("ide_{name}")).unwrap(),
            person: email.clone(),
            email: email.clone(),
            name: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            kind: IdentityKind::User,
        };
        self.book.people.lock().unwrap().insert(email, Known { identity, disabled: false });
    }

    fn disable(&self, name: &str) {
        self.book.people.lock().unwrap().get_mut(&format!("{name}@example.com")).unwrap().disabled = true;
    }

    fn caller(&self, name: &str) -> Caller {
        let known = self.book.people.lock().unwrap()[&format!("{name}@example.com")].clone();
        Caller::user(known.identity, Some("192.0.2.7".parse().unwrap()))
    }

    fn auditor(&self) -> Caller {
        Caller { reads_all: true, ..self.caller("carol") }
    }

    fn replace_contract(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
        assert!(matches!(self.contracts.reload(), crate::contract::Reload::Replaced { .. }));
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("0.toml")
    }

    async fn ask(&self, name: &str) -> RequestView {
        self.grants.ask(&self.caller(name), an_ask(), None).await.unwrap()
    }

    async fn approve(&self, name: &str, id: &RequestId) -> Result<RequestView, GrantsError> {
        self.grants.approve(&self.caller(name), id, Approve::default()).await
    }

    /// An active grant of alice's, approved by bob.
    async fn granted(&self) -> GrantView {
        let id = self.ask("alice").await.id;
        let grant = self.approve("bob", &id).await.unwrap().grant_id.unwrap();
        self.grants.grant(&self.caller("alice"), &grant).await.unwrap()
    }

    async fn all_grants(&self) -> Vec<GrantView> {
        self.grants.grants(&self.auditor(), Scope::All, None, &Slice::default()).await.unwrap().items
    }

    /// The kinds of the events on record, in order.
    async fn kinds(&self) -> Vec<String> {
        let lines = self.backend.store.audit_lines(0, 1_000).await.unwrap();
        let kind = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["kind"].as_str().unwrap().to_owned()
        };
        lines.iter().map(|(_, line)| kind(line)).collect()
    }

    fn advance(&self, minutes: u64) {
        self.backend.hand.advance(Duration::from_secs(60 * minutes));
    }
}

fn an_ask() -> Ask {
    Ask {
        target: "orders".to_owned(),
        reason: Some("slow checkout".to_owned()),
        ticket: Some("INC-1".to_owned()),
        ..Ask::default()
    }
}
