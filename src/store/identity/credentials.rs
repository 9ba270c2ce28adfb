//! Connection credentials.

use curfew_adapter::{IdentityId, ScramVerifier, SigninId};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::super::change::Change;
use super::super::error::StoreError;
use super::super::values::{Columns, micros};
use super::super::{Store, Tx};
use super::signins::{select, standing};
use crate::identity::{CredentialRecord, Standing};

const MADE: &str = "credentials JOIN signins ON signins.id = credentials.signin \
    JOIN identities ON identities.id = signins.identity";

const COLUMNS: &str = "SELECT credentials.name AS name, credentials.target AS target, credentials.account AS account, \
    credentials.signin AS signin, credentials.address AS address, credentials.made_at AS made_at, \
    signins.identity AS identity, identities.email AS email, signins.ends_at AS ends_at FROM";

impl Store {
    /// What proofs of a credential are checked with, if there is one of this name.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn credential_verifier(&self, name: &str) -> Result<Option<ScramVerifier>, StoreError> {
        let row = sqlx::query("SELECT verifier FROM credentials WHERE name = $1")
            .bind(name)
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.map(|row| row.parsed("verifier", ScramVerifier::parse)).transpose()
    }

    /// A credential, and the sign-in that it belongs to, whether that stands or not.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn credential(&self, name: &str) -> Result<Option<(CredentialRecord, Standing)>, StoreError> {
        let mut reader = self.reader().await?;
        let sql = format!("{COLUMNS} {MADE} WHERE credentials.name = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(name).fetch_optional(&mut *reader).await?;
        let Some(record) = row.as_ref().map(credential).transpose()? else { return Ok(None) };
        let sql = select(&format!("{MADE} WHERE credentials.name = $1"));
        let row = sqlx::query(sql).bind(name).fetch_optional(&mut *reader).await?;
        Ok(row.as_ref().map(standing).transpose()?.map(|standing| (record, standing)))
    }

    /// The credentials whose sign-in still stands, newest first; those of one identity, or all.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn credentials(
        &self,
        of: Option<&IdentityId>,
        now: Timestamp,
    ) -> Result<Vec<CredentialRecord>, StoreError> {
        let sql = format!(
            "{COLUMNS} {MADE} WHERE signins.ended_at IS NULL AND signins.ends_at > $1 \
             AND ($2 = '' OR signins.identity = $2) ORDER BY credentials.made_at DESC, credentials.name LIMIT 1000"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(micros(now))
            .bind(of.map_or("", IdentityId::as_str))
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(credential).collect()
    }
}

impl Tx {
    /// Writes a new credential down; `false` where its sign-in has as many as it may have already.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn credential_made(
        &mut self,
        made: &CredentialRecord,
        verifier: &ScramVerifier,
        most: i64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO credentials (name, verifier, signin, target, account, address, made_at) \
             SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT COUNT(*) FROM credentials WHERE signin = $3) < $8",
        )
        .bind(made.name.as_str())
        .bind(verifier.to_text())
        .bind(made.signin.as_str())
        .bind(made.target.as_str())
        .bind(made.account.as_str())
        .bind(made.address.map(|address| address.to_string()))
        .bind(micros(made.made_at))
        .bind(most)
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes a credential away; `true` if it was there.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn credential_removed(&mut self, name: &str, signin: &SigninId) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM credentials WHERE name = $1 AND signin = $2")
            .bind(name)
            .bind(signin.as_str())
            .execute(self.connection())
            .await?;
        self.changed(Change::Signin(signin.clone()));
        Ok(done.rows_affected() > 0)
    }
}

fn credential(row: &AnyRow) -> Result<CredentialRecord, StoreError> {
    Ok(CredentialRecord {
        name: row.text("name")?,
        target: row.text("target")?,
        account: row.text("account")?,
        signin: row.signin_id("signin")?,
        identity: row.identity_id("identity")?,
        email: row.text("email")?,
        address: row.maybe_parsed("address", |text| text.parse().ok())?,
        made_at: row.instant("made_at")?,
        ends_at: row.instant("ends_at")?,
    })
}
