//! Idempotency keys: a creating call that is repeated makes its thing only once.
//!
//! Owns their storage, for 24 hours. The key goes in with what the call made, in one transaction.

use std::time::Duration;

use curfew_adapter::RequestId;
use jiff::Timestamp;

use super::Tx;
use super::error::StoreError;
use super::values::{Columns, micros};
use crate::audit::Digest;
use crate::contract::PersonKey;

/// How long a key is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// What the caller says to have a call done only once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The caller's key, unique among that person's.
    pub key: String,
    /// The digest of what was asked: the same key with something else is a mistake.
    pub body: Digest,
}

impl Tx {
    /// What a call with this key made, and the digest of what was asked then; `None`: the key is fresh, or so old
    /// that it is forgotten.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn made_once(
        &mut self,
        person: &PersonKey,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<(RequestId, Digest)>, StoreError> {
        self.forget_keys(now).await?;
        let row = sqlx::query("SELECT made, body FROM idempotency_keys WHERE person = $1 AND key = $2")
            .bind(person.as_str())
            .bind(key)
            .fetch_optional(self.connection())
            .await?;
        row.map(|row| Ok((row.request_id("made")?, row.parsed("body", |text| text.parse().ok())?)))
            .transpose()
    }

    /// Remembers that the call with this key made this request.
    ///
    /// # Errors
    /// It can't be written; also where the key was used meanwhile.
    pub async fn remember_once(
        &mut self,
        person: &PersonKey,
        once: &Once,
        made: &RequestId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO idempotency_keys (person, key, body, made, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(person.as_str())
        .bind(once.key.as_str())
        .bind(once.body.to_string())
        .bind(made.as_str())
        .bind(micros(now))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn forget_keys(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let before = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        sqlx::query("DELETE FROM idempotency_keys WHERE created_at <= $1")
            .bind(micros(before))
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
