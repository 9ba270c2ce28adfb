//! Idempotency keys: a creating call that is repeated makes its thing only once.
//!
//! Owns their storage, for 24 hours. The key goes in with what the call made, in one transaction.

use std::time::Duration;

use jiff::Timestamp;

use super::Tx;
use super::error::StoreError;
use super::values::{Columns, micros};
use crate::audit::Digest;
use crate::contract::PersonKey;

/// How long a key is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// The longest key.
const KEY_MAX: usize = 200;

/// What the caller says to have a call done only once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The caller's key, unique among that person's.
    pub key: String,
    /// The digest of what was asked: the same key with something else is a mistake.
    pub body: Digest,
}

impl Once {
    /// Whether the key is one: 1 to 200 printable ASCII characters without blanks.
    pub fn is_a_key(&self) -> bool {
        let printable = |byte: u8| byte.is_ascii_graphic();
        (1..=KEY_MAX).contains(&self.key.len()) && self.key.bytes().all(printable)
    }
}

/// What became of a key before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing: it is fresh, or so old that it is forgotten.
    Fresh,
    /// The same was asked, and this was made.
    Made(String),
    /// Something else was asked.
    Other,
}

impl Tx {
    /// What a call with this key made.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn made_once(
        &mut self,
        person: &PersonKey,
        once: &Once,
        now: Timestamp,
    ) -> Result<Before, StoreError> {
        self.forget_keys(now).await?;
        let row = sqlx::query("SELECT made, body FROM idempotency_keys WHERE person = $1 AND key = $2")
            .bind(person.as_str())
            .bind(once.key.as_str())
            .fetch_optional(self.connection())
            .await?;
        let Some(row) = row else { return Ok(Before::Fresh) };
        let body: Digest = row.parsed("body", |text| text.parse().ok())?;
        if body == once.body { Ok(Before::Made(row.text("made")?)) } else { Ok(Before::Other) }
    }

    /// Remembers what the call with this key made: an id, or the whole of what nobody could look up by one.
    ///
    /// # Errors
    /// It can't be written; also where the key was used meanwhile.
    pub async fn remember_once(
        &mut self,
        person: &PersonKey,
        once: &Once,
        made: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO idempotency_keys (person, key, body, made, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(person.as_str())
        .bind(once.key.as_str())
        .bind(once.body.to_string())
        .bind(made)
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
