//! The audit log's lines and the head of its chain.
//!
//! Owns their storage: each line goes in with its head, in the transaction of the change that it tells of. A line is
//! never updated or deleted here.

use jiff::Timestamp;
use sqlx::AnyConnection;

use super::change::Change;
use super::error::StoreError;
use super::values::{self, Columns};
use super::{Store, Tx};
use crate::audit::{AuditEvent, Head, next_line};

impl Store {
    /// Makes the chain's first head, where this node has none.
    pub(super) async fn begin_chain(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO audit_heads (node, seq, hash) VALUES ($1, $2, $3) ON CONFLICT (node) DO NOTHING",
        )
        .bind(self.node())
        .bind(values::count(Head::EMPTY.seq))
        .bind(Head::EMPTY.hash.to_string())
        .execute(tx.connection())
        .await?;
        tx.commit().await
    }

    /// Where this node's chain stands.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn audit_head(&self) -> Result<Head, StoreError> {
        head(&mut *self.reader().await?, self.node()).await
    }

    /// Lines of this node's chain behind number `after`, in order, at most `limit`: each with its number, and the
    /// exact text without a newline.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn audit_lines(&self, after: u64, limit: u32) -> Result<Vec<(u64, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, line FROM audit_lines WHERE node = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(self.node())
        .bind(values::count(after))
        .bind(i64::from(limit))
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(|row| Ok((row.count("seq")?, row.text("line")?))).collect()
    }

    /// Writes events that come with no other change, and waits until they are durable.
    ///
    /// # Errors
    /// They were not written.
    pub async fn audit(&self, events: impl IntoIterator<Item = AuditEvent>) -> Result<(), StoreError> {
        let events: Vec<_> = events.into_iter().collect();
        let mut tx = self.begin().await?;
        for event in events {
            tx.audit(&event).await?;
        }
        tx.commit().await
    }
}

impl Tx {
    /// Appends an event to the chain, at the clock's time. Every change of state has one in its transaction.
    ///
    /// # Errors
    /// It can't be written; [`StoreError::Forked`] where another process writes this chain. The transaction is to
    /// be dropped then.
    pub async fn audit(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        let (node, at) = (self.store().node().to_owned(), self.store().clock().wall());
        let known = self.head.or(*self.store().known_head());
        let mut moved = match known {
            Some(before) => move_head(self.connection(), before, at, &node, event).await?,
            None => None,
        };
        if moved.is_none() {
            // Another process has moved it, or its place is not known yet.
            let before = head(self.connection(), &node).await?;
            moved = move_head(self.connection(), before, at, &node, event).await?;
        }
        let Some((line, after)) = moved else { return Err(StoreError::Forked { node }) };
        sqlx::query("INSERT INTO audit_lines (node, seq, line) VALUES ($1, $2, $3)")
            .bind(node)
            .bind(values::count(after.seq))
            .bind(line)
            .execute(self.connection())
            .await?;
        self.head = Some(after);
        self.changed(Change::Audit(after.seq));
        Ok(())
    }
}

/// Moves the head from `before` behind this event's line; none where it did not stand there.
async fn move_head(
    connection: &mut AnyConnection,
    before: Head,
    at: Timestamp,
    node: &str,
    event: &AuditEvent,
) -> Result<Option<(String, Head)>, StoreError> {
    let (line, after) = next_line(before, at, node, event)
        .map_err(|why| StoreError::damaged(format_args!("event: {why}")))?;
    let moved =
        sqlx::query("UPDATE audit_heads SET seq = $1, hash = $2 WHERE node = $3 AND seq = $4 AND hash = $5")
            .bind(values::count(after.seq))
            .bind(after.hash.to_string())
            .bind(node)
            .bind(values::count(before.seq))
            .bind(before.hash.to_string())
            .execute(connection)
            .await?;
    Ok((moved.rows_affected() == 1).then_some((line, after)))
}

async fn head(connection: &mut AnyConnection, node: &str) -> Result<Head, StoreError> {
    let row = sqlx::query("SELECT seq, hash FROM audit_heads WHERE node = $1")
        .bind(node)
        .fetch_one(connection)
        .await?;
    Ok(Head { seq: row.count("seq")?, hash: row.parsed("hash", |text| text.parse().ok())? })
}
