//! SSH keys that are bound to sign-ins.

use curfew_adapter::{IdentityId, SigninId};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::super::change::Change;
use super::super::error::StoreError;
use super::super::values::{Columns, micros};
use super::super::{Store, Tx};
use super::signins::{select, standing};
use crate::identity::{KeyRecord, Standing};

const BOUND: &str =
    "keys JOIN signins ON signins.id = keys.signin JOIN identities ON identities.id = signins.identity";

impl Store {
    /// The sign-in that a key is bound to, if it is.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn key_standing(&self, fingerprint: &str) -> Result<Option<Standing>, StoreError> {
        let sql = select(&format!("{BOUND} WHERE keys.fingerprint = $1"));
        let row = sqlx::query(sql).bind(fingerprint).fetch_optional(&mut *self.reader().await?).await?;
        row.as_ref().map(standing).transpose()
    }

    /// The keys whose sign-in still stands, newest first; those of one identity, or all.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn bound_keys(
        &self,
        of: Option<&IdentityId>,
        now: Timestamp,
    ) -> Result<Vec<KeyRecord>, StoreError> {
        let sql = format!(
            "SELECT keys.fingerprint AS fingerprint, keys.line AS line, keys.signin AS signin, keys.address AS address, \
             keys.made_at AS made_at, signins.identity AS identity, identities.email AS email, signins.ends_at AS ends_at \
             FROM {BOUND} WHERE signins.ended_at IS NULL AND signins.ends_at > $1 AND ($2 = '' OR signins.identity = $2) \
             ORDER BY keys.made_at DESC, keys.fingerprint LIMIT 1000"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(micros(now))
            .bind(of.map_or("", IdentityId::as_str))
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(key).collect()
    }
}

impl Tx {
    /// The sign-in that a key is bound to, as this transaction sees it.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn key_standing(&mut self, fingerprint: &str) -> Result<Option<Standing>, StoreError> {
        let sql = select(&format!("{BOUND} WHERE keys.fingerprint = $1"));
        let row = sqlx::query(sql).bind(fingerprint).fetch_optional(self.connection()).await?;
        row.as_ref().map(standing).transpose()
    }

    /// Binds a key to a sign-in, and no longer to the one it may have been bound to.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn key_bound(&mut self, key: &KeyRecord) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO keys (fingerprint, line, signin, address, made_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (fingerprint) DO UPDATE SET line = excluded.line, signin = excluded.signin, \
             address = excluded.address, made_at = excluded.made_at",
        )
        .bind(key.fingerprint.as_str())
        .bind(key.line.as_str())
        .bind(key.signin.as_str())
        .bind(key.address.map(|address| address.to_string()))
        .bind(micros(key.made_at))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes a key away; `true` if it was there.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn key_removed(&mut self, fingerprint: &str, signin: &SigninId) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM keys WHERE fingerprint = $1 AND signin = $2")
            .bind(fingerprint)
            .bind(signin.as_str())
            .execute(self.connection())
            .await?;
        self.changed(Change::Signin(signin.clone()));
        Ok(done.rows_affected() > 0)
    }
}

fn key(row: &AnyRow) -> Result<KeyRecord, StoreError> {
    Ok(KeyRecord {
        fingerprint: row.text("fingerprint")?,
        line: row.text("line")?,
        signin: row.signin_id("signin")?,
        identity: row.identity_id("identity")?,
        email: row.text("email")?,
        address: row.maybe_parsed("address", |text| text.parse().ok())?,
        made_at: row.instant("made_at")?,
        ends_at: row.instant("ends_at")?,
    })
}
