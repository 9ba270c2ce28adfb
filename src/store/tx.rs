//! A transaction: what it writes is durable together, or not there at all.
//!
//! Owns the turn of the one writer, and the news that is told after the commit. A transaction that is dropped
//! persists nothing: its connection is closed, which is the one way back that works from every state (SQLite rolls
//! back by itself when the disk is full, and a ROLLBACK then fails).

use curfew_adapter::task::supervised;
use sqlx::AnyConnection;
use sqlx::pool::PoolConnection;
use sqlx::{Any, Executor};
use tokio::sync::oneshot;

use super::Store;
use super::change::Change;
use super::error::StoreError;
use crate::audit::Head;

/// A transaction. Nobody else writes while it lives, so it should be short.
#[derive(Debug)]
#[must_use = "a transaction that is dropped persists nothing"]
pub struct Tx {
    store: Store,
    connection: PoolConnection<Any>,
    open: bool,
    told: Vec<Change>,
    /// The head of the chain, once this transaction has read it.
    pub(super) head: Option<Head>,
}

impl Tx {
    pub(super) async fn begin(store: Store, connection: PoolConnection<Any>) -> Result<Self, StoreError> {
        // The guard is there before the statement: dropped in the middle of it, the connection is closed.
        let mut tx = Self { store, connection, open: true, told: Vec::new(), head: None };
        tx.connection.execute(sqlx::raw_sql("BEGIN IMMEDIATE")).await?;
        Ok(tx)
    }

    /// Tells of this change once the transaction is durable.
    pub fn changed(&mut self, change: Change) {
        if !self.told.contains(&change) {
            self.told.push(change);
        }
    }

    /// Commits. On return it is durable, and everybody who listens was told.
    ///
    /// It runs to its end even where the caller is dropped: what is durable is also told.
    ///
    /// # Errors
    /// Nothing was persisted: the disk is full, the store is gone.
    pub async fn commit(self) -> Result<(), StoreError> {
        let (done, outcome) = oneshot::channel();
        supervised("store.commit", async move {
            let _ = done.send(self.commit_here().await);
        });
        outcome.await.unwrap_or(Err(StoreError::Unreachable(sqlx::Error::WorkerCrashed)))
    }

    async fn commit_here(mut self) -> Result<(), StoreError> {
        self.connection.execute(sqlx::raw_sql("COMMIT")).await?;
        self.open = false;
        if self.head.is_some() {
            *self.store.known_head() = self.head;
        }
        // Still holding the turn, so that news comes in the order of the commits.
        for change in self.told.drain(..) {
            self.store.tell(change);
        }
        Ok(())
    }

    /// Takes everything back, on purpose: the connection stays in use.
    ///
    /// # Errors
    /// The store is gone; nothing was persisted.
    pub async fn rollback(mut self) -> Result<(), StoreError> {
        self.connection.execute(sqlx::raw_sql("ROLLBACK")).await?;
        self.open = false;
        Ok(())
    }

    /// The store that it writes to.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The connection, for the store's own statements; it sees what this transaction wrote.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open {
            self.connection.close_on_drop();
        }
    }
}
