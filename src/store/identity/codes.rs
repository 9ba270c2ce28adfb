//! Authorization codes of our own.

use curfew_adapter::SigninId;
use jiff::Timestamp;

use super::super::Tx;
use super::super::error::StoreError;
use super::super::values::{Columns, micros};
use crate::identity::Hashed;

/// What a code was given for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// The browser's sign-in that consented.
    pub parent: SigninId,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// The PKCE challenge, S256 (RFC 7636).
    pub challenge: String,
    /// Until when it is good.
    pub ends_at: Timestamp,
}

/// What came of using a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeUse {
    /// It is used now, for the first time.
    First(CodeRow),
    /// It was used before, for this sign-in: somebody else has it too (RFC 6749, 4.1.2).
    Again(SigninId),
    /// There is none.
    Unknown,
}

impl Tx {
    /// Writes a code.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn code_made(&mut self, code: &Hashed, row: &CodeRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO codes (code, parent, redirect_uri, challenge, ends_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(code.as_str())
        .bind(row.parent.as_str())
        .bind(row.redirect_uri.as_str())
        .bind(row.challenge.as_str())
        .bind(micros(row.ends_at))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Looks at a code and whether it was used.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn code(&mut self, code: &Hashed) -> Result<CodeUse, StoreError> {
        let row =
            sqlx::query("SELECT parent, redirect_uri, challenge, ends_at, signin FROM codes WHERE code = $1")
                .bind(code.as_str())
                .fetch_optional(self.connection())
                .await?;
        let Some(row) = row else { return Ok(CodeUse::Unknown) };
        if let Some(signin) = row.maybe_parsed("signin", SigninId::parse)? {
            return Ok(CodeUse::Again(signin));
        }
        Ok(CodeUse::First(CodeRow {
            parent: row.signin_id("parent")?,
            redirect_uri: row.text("redirect_uri")?,
            challenge: row.text("challenge")?,
            ends_at: row.instant("ends_at")?,
        }))
    }

    /// Uses a code for a sign-in, which is written already; `false` where it was used before.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn code_used(&mut self, code: &Hashed, signin: &SigninId) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE codes SET signin = $1 WHERE code = $2 AND signin IS NULL")
            .bind(signin.as_str())
            .bind(code.as_str())
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
