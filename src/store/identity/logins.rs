//! Browsers that are away at their provider.

use jiff::Timestamp;

use super::super::error::StoreError;
use super::super::values::{Columns, micros};
use super::super::{Store, Tx};
use crate::identity::Hashed;

/// What must be known again when the browser comes back.
#[derive(Clone, Debug)]
pub struct LoginRow {
    /// The provider's entry.
    pub provider: String,
    /// What the ID token must repeat.
    pub nonce: String,
    /// The PKCE verifier (RFC 7636).
    pub verifier: String,
    /// Where the browser wanted to go, sealed: it may be a link.
    pub next: String,
    /// Until when it may come back.
    pub ends_at: Timestamp,
}

impl Store {
    /// How many browsers are away.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn logins_away(&self, now: Timestamp) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT COUNT(*) AS away FROM logins WHERE ends_at > $1")
            .bind(micros(now))
            .fetch_one(&mut *self.reader().await?)
            .await?;
        row.count("away")
    }
}

impl Tx {
    /// A browser leaves for its provider.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn login_begun(
        &mut self,
        state: &Hashed,
        browser: &Hashed,
        login: &LoginRow,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO logins (state, browser, provider, nonce, verifier, next, ends_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(state.as_str())
        .bind(browser.as_str())
        .bind(login.provider.as_str())
        .bind(login.nonce.as_str())
        .bind(login.verifier.as_str())
        .bind(login.next.as_str())
        .bind(micros(login.ends_at))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// It comes back: what was kept is taken out, once, by the same browser, from the same provider, in time.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn login_taken(
        &mut self,
        state: &Hashed,
        browser: &Hashed,
        provider: &str,
        now: Timestamp,
    ) -> Result<Option<LoginRow>, StoreError> {
        let row = sqlx::query("SELECT provider, nonce, verifier, next, ends_at FROM logins WHERE state = $1")
            .bind(state.as_str())
            .fetch_optional(self.connection())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let gone = sqlx::query(
            "DELETE FROM logins WHERE state = $1 AND browser = $2 AND provider = $3 AND ends_at > $4",
        )
        .bind(state.as_str())
        .bind(browser.as_str())
        .bind(provider)
        .bind(micros(now))
        .execute(self.connection())
        .await?;
        if gone.rows_affected() != 1 {
            return Ok(None);
        }
        Ok(Some(LoginRow {
            provider: row.text("provider")?,
            nonce: row.text("nonce")?,
            verifier: row.text("verifier")?,
            next: row.text("next")?,
            ends_at: row.instant("ends_at")?,
        }))
    }
}
