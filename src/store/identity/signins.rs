//! Sign-ins, their tokens and their client certificates.

use std::net::IpAddr;

use curfew_adapter::{IdentityId, SigninId};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::super::change::Change;
use super::super::error::StoreError;
use super::super::values::{Columns, micros};
use super::super::{Store, Tx};
use super::{COLUMNS, identity};
use crate::identity::{EndWhy, Hashed, Method, SigninRecord, Standing, TokenKind};

const SIGNIN: &str = "signins.id AS signin_id, signins.identity AS identity, signins.provider AS provider, \
    signins.method AS method, signins.parent AS parent, signins.address AS address, \
    signins.started_at AS started_at, signins.ends_at AS ends_at, signins.ended_at AS \
    ended_at, signins.end_why AS end_why";

pub(super) fn select(from: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!("SELECT {SIGNIN}, {COLUMNS} FROM {from}"))
}

impl Store {
    /// What a token stands for, if there is one of this kind.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn token_standing(
        &self,
        token: &Hashed,
        kind: TokenKind,
    ) -> Result<Option<Standing>, StoreError> {
        let sql = select(
            "tokens JOIN signins ON signins.id = tokens.signin JOIN identities ON identities.id = signins.identity \
             WHERE tokens.hash = $1 AND tokens.kind = $2",
        );
        let row = sqlx::query(sql)
            .bind(token.as_str())
            .bind(kind.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.as_ref().map(standing).transpose()
    }

    /// Where the browser was that consented to a token, if not at the client's address.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn token_elsewhere(&self, token: &Hashed) -> Result<Option<IpAddr>, StoreError> {
        let row = sqlx::query("SELECT elsewhere FROM tokens WHERE hash = $1")
            .bind(token.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        let read = |row: &AnyRow| row.maybe_parsed("elsewhere", |text| text.parse().ok());
        Ok(row.as_ref().map(read).transpose()?.flatten())
    }

    /// What a client certificate of this serial number and sign-in stands for, if one was made.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn certificate_standing(
        &self,
        serial: &str,
        signin: &SigninId,
    ) -> Result<Option<Standing>, StoreError> {
        let sql = select(
            "certificates JOIN signins ON signins.id = certificates.signin JOIN identities ON identities.id = \
             signins.identity WHERE certificates.serial = $1 AND certificates.signin = $2",
        );
        let row = sqlx::query(sql)
            .bind(serial)
            .bind(signin.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.as_ref().map(standing).transpose()
    }

    /// A sign-in with its identity.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn signin_standing(&self, id: &SigninId) -> Result<Option<Standing>, StoreError> {
        let sql = select("signins JOIN identities ON identities.id = signins.identity WHERE signins.id = $1");
        let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(&mut *self.reader().await?).await?;
        row.as_ref().map(standing).transpose()
    }

    /// Sign-ins that have not ended, newest first, at most `limit`; those of one identity, or all.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn open_signins(
        &self,
        of: Option<&IdentityId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Standing>, StoreError> {
        let sql = select(
            "signins JOIN identities ON identities.id = signins.identity WHERE signins.ended_at IS NULL AND signins.ends_at > $1 \
             AND ($2 = '' OR signins.identity = $2) ORDER BY signins.started_at DESC, signins.id LIMIT $3",
        );
        let rows = sqlx::query(sql)
            .bind(micros(now))
            .bind(of.map_or("", IdentityId::as_str))
            .bind(i64::from(limit))
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(standing).collect()
    }

    /// Sign-ins whose time is up but that nobody has ended yet.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn lapsed_signins(&self, now: Timestamp) -> Result<Vec<SigninId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM signins WHERE ended_at IS NULL AND ends_at <= $1 ORDER BY ends_at LIMIT 100",
        )
        .bind(micros(now))
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(|row| row.signin_id("id")).collect()
    }

    /// Whether there is something to forget.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn anything_lapsed(&self, now: Timestamp) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM logins WHERE ends_at <= $1) + (SELECT COUNT(*) FROM codes WHERE ends_at <= $1) \
             + (SELECT COUNT(*) FROM devices WHERE ends_at <= $1) AS lapsed",
        )
        .bind(micros(now))
        .fetch_one(&mut *self.reader().await?)
        .await?;
        Ok(row.count("lapsed")? > 0)
    }
}

impl Tx {
    /// Writes a new sign-in.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn signin_started(&mut self, signin: &SigninRecord) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO signins (id, identity, provider, method, parent, address, started_at, ends_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(signin.id.as_str())
        .bind(signin.identity.as_str())
        .bind(signin.provider.as_str())
        .bind(signin.method.as_str())
        .bind(signin.parent.as_ref().map(SigninId::as_str))
        .bind(signin.address.map(|address| address.to_string()))
        .bind(micros(signin.started_at))
        .bind(micros(signin.ends_at))
        .execute(self.connection())
        .await?;
        self.changed(Change::Signin(signin.id.clone()));
        Ok(())
    }

    /// A sign-in with its identity, as this transaction sees it.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn signin_standing(&mut self, id: &SigninId) -> Result<Option<Standing>, StoreError> {
        let sql = select("signins JOIN identities ON identities.id = signins.identity WHERE signins.id = $1");
        let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(self.connection()).await?;
        row.as_ref().map(standing).transpose()
    }

    /// Ends a sign-in, and its tokens with it; `false` where it had ended before.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn signin_ended(
        &mut self,
        id: &SigninId,
        why: EndWhy,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let done =
            sqlx::query("UPDATE signins SET ended_at = $1, end_why = $2 WHERE id = $3 AND ended_at IS NULL")
                .bind(micros(now))
                .bind(why.as_str())
                .bind(id.as_str())
                .execute(self.connection())
                .await?;
        if done.rows_affected() != 1 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM tokens WHERE signin = $1")
            .bind(id.as_str())
            .execute(self.connection())
            .await?;
        self.changed(Change::Signin(id.clone()));
        Ok(true)
    }

    /// Open sign-ins of an identity.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn signins_of(&mut self, identity: &IdentityId) -> Result<Vec<SigninId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM signins WHERE identity = $1 AND ended_at IS NULL")
            .bind(identity.as_str())
            .fetch_all(self.connection())
            .await?;
        rows.iter().map(|row| row.signin_id("id")).collect()
    }

    /// Open sign-ins that `parent` consented to, with how they were made.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn signins_under(&mut self, parent: &SigninId) -> Result<Vec<(SigninId, Method)>, StoreError> {
        let rows = sqlx::query("SELECT id, method FROM signins WHERE parent = $1 AND ended_at IS NULL")
            .bind(parent.as_str())
            .fetch_all(self.connection())
            .await?;
        rows.iter().map(|row| Ok((row.signin_id("id")?, row.parsed("method", Method::parse)?))).collect()
    }

    /// Writes a token of a sign-in; `elsewhere` is where the browser was that consented, if not at the client's
    /// address.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn token_made(
        &mut self,
        token: &Hashed,
        kind: TokenKind,
        signin: &SigninId,
        elsewhere: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO tokens (hash, kind, signin, made_at, elsewhere) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(token.as_str())
        .bind(kind.as_str())
        .bind(signin.as_str())
        .bind(micros(now))
        .bind(elsewhere.map(|address| address.to_string()))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes a client certificate of a sign-in.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn certificate_made(
        &mut self,
        serial: &str,
        signin: &SigninId,
        now: Timestamp,
        ends_at: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO certificates (serial, signin, made_at, ends_at) VALUES ($1, $2, $3, $4)")
            .bind(serial)
            .bind(signin.as_str())
            .bind(micros(now))
            .bind(micros(ends_at))
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Forgets what has been over for long: logins, codes, devices, and certificates a day after their end.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn forget_lapsed(&mut self, now: Timestamp) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM logins WHERE ends_at <= $1",
            "DELETE FROM codes WHERE ends_at <= $1",
            "DELETE FROM devices WHERE ends_at <= $1",
            "DELETE FROM certificates WHERE ends_at + 86400000000 <= $1",
            "DELETE FROM credentials WHERE signin IN (SELECT id FROM signins WHERE ends_at + 86400000000 <= $1)",
        ] {
            sqlx::query(sql).bind(micros(now)).execute(self.connection()).await?;
        }
        Ok(())
    }
}

pub(super) fn standing(row: &AnyRow) -> Result<Standing, StoreError> {
    let signin = SigninRecord {
        id: row.signin_id("signin_id")?,
        identity: row.identity_id("identity")?,
        provider: row.text("provider")?,
        method: row.parsed("method", Method::parse)?,
        parent: row.maybe_parsed("parent", SigninId::parse)?,
        address: row.maybe_parsed("address", |text| text.parse().ok())?,
        started_at: row.instant("started_at")?,
        ends_at: row.instant("ends_at")?,
        ended_at: row.maybe_instant("ended_at")?,
        end_why: row.maybe_parsed("end_why", EndWhy::parse)?,
    };
    Ok(Standing { signin, disabled: row.maybe_number("disabled_at")?.is_some(), identity: identity(row)? })
}
