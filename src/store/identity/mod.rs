//! Identities in the store, and the tables that signing in needs.
//!
//! Owns their SQL. Whether somebody may sign in, and for how long, is decided in `crate::identity`.

mod codes;
mod credentials;
mod devices;
mod keys;
mod logins;
mod signins;

pub use codes::{CodeRow, CodeUse};
pub use devices::{DeviceRow, DeviceState};
pub use logins::LoginRow;

use curfew_adapter::{Identity, IdentityId, IdentityKind};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::change::Change;
use super::error::StoreError;
use super::values::{Columns, micros};
use super::{Store, Tx};
use crate::identity::{IdentityRecord, Vouched};

const COLUMNS: &str = "identities.id AS identity_id, identities.provider AS identity_provider, identities.issuer \
    AS issuer, identities.subject AS subject, identities.person AS person, identities.email AS \
    email, identities.name AS name, identities.group_names AS group_names, identities.kind AS \
    kind, identities.first_at AS first_at, identities.seen_at AS seen_at, \
    identities.disabled_at AS disabled_at, identities.disabled_why AS disabled_why";

impl Store {
    /// Every identity, the disabled ones too, by email.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn identities(&self) -> Result<Vec<IdentityRecord>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM identities ORDER BY person, identities.id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *self.reader().await?).await?;
        rows.iter().map(record).collect()
    }

    /// One identity.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn identity(&self, id: &IdentityId) -> Result<Option<IdentityRecord>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM identities WHERE identities.id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.as_ref().map(record).transpose()
    }

    /// The identities of one person.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn identities_of(&self, person: &str) -> Result<Vec<IdentityRecord>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM identities WHERE person = $1 ORDER BY identities.id");
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(person).fetch_all(&mut *self.reader().await?).await?;
        rows.iter().map(record).collect()
    }
}

impl Tx {
    /// What a provider vouches for becomes an identity, or is brought up to date. Others are told where that changed
    /// something.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn identity_seen(
        &mut self,
        who: &Vouched,
        person: &str,
        now: Timestamp,
    ) -> Result<IdentityRecord, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM identities WHERE issuer = $1 AND subject = $2");
        let known = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
            .bind(who.issuer.as_str())
            .bind(who.subject.as_str())
            .fetch_optional(self.connection())
            .await?;
        let known = known.as_ref().map(record).transpose()?;
        let id = known.as_ref().map_or_else(IdentityId::random, |known| known.identity.id.clone());
        let identity = Identity {
            id,
            person: person.to_owned(),
            email: who.email.clone(),
            name: who.name.clone(),
            groups: who.groups.clone(),
            kind: IdentityKind::User,
        };
        let groups = serde_json::to_string(&identity.groups).map_err(StoreError::damaged)?;
        sqlx::query(
            "INSERT INTO identities (id, provider, issuer, subject, person, email, name, group_names, kind, first_at, \
             seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'user', $9, $9) \
             ON CONFLICT (issuer, subject) DO UPDATE SET provider = excluded.provider, person = excluded.person, \
             email = excluded.email, name = excluded.name, group_names = excluded.group_names, \
             seen_at = excluded.seen_at",
        )
        .bind(identity.id.as_str())
        .bind(who.provider.as_str())
        .bind(who.issuer.as_str())
        .bind(who.subject.as_str())
        .bind(person)
        .bind(who.email.as_str())
        .bind(who.name.as_str())
        .bind(groups)
        .bind(micros(now))
        .execute(self.connection())
        .await?;
        if known.as_ref().is_none_or(|known| known.identity != identity) {
            self.changed(Change::Identity(identity.id.clone()));
        }
        Ok(IdentityRecord {
            provider: who.provider.clone(),
            issuer: who.issuer.clone(),
            subject: who.subject.clone(),
            first_at: known.as_ref().map_or(now, |known| known.first_at),
            seen_at: now,
            disabled_at: known.as_ref().and_then(|known| known.disabled_at),
            disabled_why: known.and_then(|known| known.disabled_why),
            identity,
        })
    }

    /// Disables an identity; `false` where there is none, or it is disabled already.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn identity_disabled(
        &mut self,
        id: &IdentityId,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE identities SET disabled_at = $1, disabled_why = $2 WHERE id = $3 AND disabled_at IS NULL",
        )
        .bind(micros(now))
        .bind(why)
        .bind(id.as_str())
        .execute(self.connection())
        .await?;
        self.changed(Change::Identity(id.clone()));
        Ok(done.rows_affected() == 1)
    }

    /// Enables it again; `false` where there is none, or it is not disabled.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn identity_enabled(&mut self, id: &IdentityId) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE identities SET disabled_at = NULL, disabled_why = NULL WHERE id = $1 AND disabled_at IS NOT NULL",
        )
        .bind(id.as_str())
        .execute(self.connection())
        .await?;
        self.changed(Change::Identity(id.clone()));
        Ok(done.rows_affected() == 1)
    }
}

fn record(row: &AnyRow) -> Result<IdentityRecord, StoreError> {
    Ok(IdentityRecord {
        identity: identity(row)?,
        provider: row.text("identity_provider")?,
        issuer: row.text("issuer")?,
        subject: row.text("subject")?,
        first_at: row.instant("first_at")?,
        seen_at: row.instant("seen_at")?,
        disabled_at: row.maybe_instant("disabled_at")?,
        disabled_why: row.maybe_text("disabled_why")?,
    })
}

fn identity(row: &AnyRow) -> Result<Identity, StoreError> {
    Ok(Identity {
        id: row.identity_id("identity_id")?,
        person: row.text("person")?,
        email: row.text("email")?,
        name: row.text("name")?,
        groups: row.parsed("group_names", |text| serde_json::from_str(text).ok())?,
        kind: row.parsed("kind", |text| match text {
            "user" => Some(IdentityKind::User),
            "service" => Some(IdentityKind::Service),
            _ => None,
        })?,
    })
}
