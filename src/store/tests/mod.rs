//! Tests of the store, each run on every backend that [`backends`] makes.

mod base;

use std::path::PathBuf;

use curfew_adapter::ManualClock;
use jiff::Timestamp;
use tempfile::TempDir;

use super::{Store, StoreError};
use crate::audit::{Actor, AuditEvent, What};

/// A fresh, empty store of one kind.
pub(crate) struct Backend {
    pub(crate) store: Store,
    /// Moves the store's clock.
    pub(crate) hand: ManualClock,
    folder: TempDir,
}

impl Backend {
    async fn sqlite() -> Self {
        Self::at("2026-03-02T09:00:00Z".parse().unwrap()).await
    }

    /// The default kind, with a clock that stands at `now`.
    pub(crate) async fn at(now: Timestamp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = ManualClock::at(now);
        let store = Store::open(&folder.path().join("curfew.db"), hand.clock(), "gate-1").await.unwrap();
        Self { store, hand, folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("curfew.db")
    }

    /// The same store, opened once more, as after a restart.
    pub(crate) async fn again(&self) -> Result<Store, StoreError> {
        Store::open(&self.path(), self.hand.clock(), "gate-1").await
    }
}

/// One of each kind of store.
pub(crate) async fn backends() -> Vec<Backend> {
    vec![Backend::sqlite().await]
}

/// Any event will do.
pub(crate) fn event() -> AuditEvent {
    Actor::Curfew.did(What::NodeStopped)
}
