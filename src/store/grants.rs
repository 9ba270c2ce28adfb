//! Grants.
//!
//! Owns their storage: one for each request (UNIQUE), written in the transaction of the approval. Every change is
//! one UPDATE, guarded on the state and on the end that the change was computed from.

use curfew_adapter::{GrantId, RequestId};
use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::change::Change;
use super::error::StoreError;
use super::page::{Page, Slice};
use super::requests::pin;
use super::values::{Columns, micros};
use super::{Store, Tx};
use crate::contract::PersonKey;
use crate::grant::{Ended, Grant, GrantEnd, GrantRecord, GrantState};

const SELECT: &str = "SELECT g.*, (SELECT count(*) FROM sessions s WHERE s.grant_id = g.id AND s.ended_at IS NULL) \
                      AS live FROM grants g";

/// A grant as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGrant {
    /// The grant.
    pub grant: Grant,
    /// Sessions that live under it.
    pub sessions_live: u64,
    /// Sessions that were started under it.
    pub sessions: u64,
}

impl StoredGrant {
    /// What the state machine knows of it.
    #[must_use]
    pub fn record(&self) -> &GrantRecord {
        self.grant.record()
    }
}

/// Which grants a list has.
#[derive(Debug, Clone, Default)]
pub struct GrantFilter {
    /// Asked for by this person, or theirs.
    pub party: Option<PersonKey>,
    /// In this state, as it is on record: a grant that ended a moment ago may still be told as active.
    pub state: Option<GrantState>,
    /// For this target.
    pub target: Option<String>,
    /// Scheduled or active on record, and no others.
    pub open: bool,
}

impl Store {
    /// One grant.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn grant(&self, id: &GrantId) -> Result<Option<StoredGrant>, StoreError> {
        one(&mut *self.reader().await?, id).await
    }

    /// Grants, those with the latest start first.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn grants(&self, filter: &GrantFilter, slice: &Slice) -> Result<Page<StoredGrant>, StoreError> {
        const WHERE: &str = "WHERE ($1 = '' OR g.requester = $1 OR g.beneficiary = $1) AND ($2 = '' OR g.state = $2) \
                             AND ($3 = '' OR g.target = $3) \
                             AND ($7 = '' OR g.state IN ('scheduled', 'active')) \
                             AND (g.starts_at < $4 OR (g.starts_at = $4 AND g.id < $5)) \
                             ORDER BY g.starts_at DESC, g.id DESC LIMIT $6";
        let (at, id) = slice.before();
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} {WHERE}")))
            .bind(filter.party.as_ref().map_or("", PersonKey::as_str))
            .bind(filter.state.map_or("", GrantState::word))
            .bind(filter.target.as_deref().unwrap_or_default())
            .bind(at)
            .bind(id)
            .bind(slice.fetch())
            .bind(if filter.open { "open" } else { "" })
            .fetch_all(&mut *self.reader().await?)
            .await?;
        let grants = rows.iter().map(read).collect::<Result<_, _>>()?;
        let place = |grant: &StoredGrant| (micros(grant.record().starts_at), grant.record().id.to_string());
        Ok(slice.page(grants, place))
    }

    /// This person's grants for this account on this target whose end is not on record, scheduled ones too.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn open_grants(
        &self,
        person: &PersonKey,
        target: &str,
        account: &str,
    ) -> Result<Vec<StoredGrant>, StoreError> {
        const WHERE: &str = "WHERE g.beneficiary = $1 AND g.target = $2 AND g.account = $3 \
                             AND g.state IN ('scheduled', 'active') ORDER BY g.ends_at DESC, g.id";
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} {WHERE}")))
            .bind(person.as_str())
            .bind(target)
            .bind(account)
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Grants whose start or end has come, and is not on record.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn due_grants(&self, now: Timestamp) -> Result<Vec<GrantId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM grants WHERE (state = 'scheduled' AND starts_at <= $1) \
             OR (state IN ('scheduled', 'active') AND ends_at <= $1)",
        )
        .bind(micros(now))
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(|row| row.grant_id("id")).collect()
    }

    /// The next start or end of a grant that is not on record.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn next_boundary(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(
            "SELECT min(at) AS at FROM (SELECT min(starts_at) AS at FROM grants WHERE state = 'scheduled' \
             UNION ALL SELECT min(ends_at) AS at FROM grants WHERE state IN ('scheduled', 'active')) AS boundaries",
        )
        .fetch_one(&mut *self.reader().await?)
        .await?;
        row.maybe_instant("at")
    }

    /// How many grants are in each state, for the metrics.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn count_grants(&self) -> Result<Vec<(GrantState, u64)>, StoreError> {
        let rows = sqlx::query("SELECT state, count(*) AS n FROM grants GROUP BY state")
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(|row| Ok((row.parsed("state", state)?, row.count("n")?))).collect()
    }
}

impl Tx {
    /// One grant, as this transaction sees it.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn grant(&mut self, id: &GrantId) -> Result<Option<StoredGrant>, StoreError> {
        one(self.connection(), id).await
    }

    /// Stores a grant that was opened just now. `false`: its request has made one already.
    ///
    /// # Errors
    /// It can't be written.
    pub async fn insert_grant(&mut self, grant: &Grant, now: Timestamp) -> Result<bool, StoreError> {
        let record = grant.record();
        let terms = serde_json::to_string(&record.terms).map_err(StoreError::damaged)?;
        let done = sqlx::query(
            "INSERT INTO grants (id, request, contract, contract_hash, requester, beneficiary, target, account, \
             terms, starts_at, ends_at, extensions, state, sessions) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0) ON CONFLICT (request) DO NOTHING",
        )
        .bind(record.id.as_str())
        .bind(record.request.as_str())
        .bind(record.contract.name.as_str())
        .bind(record.contract.hash.as_str())
        .bind(record.requester.as_str())
        .bind(record.beneficiary.as_str())
        .bind(record.terms.target.as_str())
        .bind(record.terms.account.as_str())
        .bind(terms)
        .bind(micros(record.starts_at))
        .bind(micros(record.ends_at))
        .bind(i64::from(record.extensions))
        .bind(grant.state(now).word())
        .execute(self.connection())
        .await?;
        self.changed(Change::Grant(record.id.clone()));
        Ok(done.rows_affected() == 1)
    }

    /// Puts on record that a scheduled grant's time has begun. `false`: it is not scheduled any more.
    ///
    /// # Errors
    /// It can't be written.
    pub async fn activate_grant(&mut self, id: &GrantId, now: Timestamp) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE grants SET state = 'active' WHERE id = $1 AND state = 'scheduled' AND starts_at <= $2 \
             AND ends_at > $2",
        )
        .bind(id.as_str())
        .bind(micros(now))
        .execute(self.connection())
        .await?;
        self.changed(Change::Grant(id.clone()));
        Ok(done.rows_affected() == 1)
    }

    /// Stores what the state machine made of `from`: a later end, or an end on record. `false`: `from` is no longer
    /// how it stands, and nothing was changed.
    ///
    /// # Errors
    /// It can't be written.
    pub async fn step_grant(&mut self, from: &Grant, to: &Grant) -> Result<bool, StoreError> {
        let (from, to) = (from.record(), to.record());
        let state = to.ended.as_ref().map_or("", |ended| ending(ended.how).word());
        let ended = to.ended.as_ref();
        let done = sqlx::query(
            "UPDATE grants SET ends_at = $1, extensions = $2, state = CASE WHEN $3 = '' THEN state ELSE $3 END, \
             ended_at = $4, ended_by = $5, end_note = $6 \
             WHERE id = $7 AND state IN ('scheduled', 'active') AND ends_at = $8 AND extensions = $9",
        )
        .bind(micros(to.ends_at))
        .bind(i64::from(to.extensions))
        .bind(state)
        .bind(ended.map(|ended| micros(ended.at)))
        .bind(ended.and_then(|ended| ended.by.as_ref()).map(PersonKey::as_str))
        .bind(ended.and_then(|ended| ended.note.as_deref()))
        .bind(from.id.as_str())
        .bind(micros(from.ends_at))
        .bind(i64::from(from.extensions))
        .execute(self.connection())
        .await?;
        self.changed(Change::Grant(from.id.clone()));
        Ok(done.rows_affected() == 1)
    }
}

async fn one(connection: &mut AnyConnection, id: &GrantId) -> Result<Option<StoredGrant>, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE g.id = $1")))
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &AnyRow) -> Result<StoredGrant, StoreError> {
    let how = match row.parsed("state", state)? {
        GrantState::Scheduled | GrantState::Active => None,
        GrantState::Expired => Some(GrantEnd::Expired),
        GrantState::Revoked => Some(GrantEnd::Revoked),
        GrantState::Returned => Some(GrantEnd::Returned),
    };
    let ended = how.map(|how| {
        let by = row.maybe_text("ended_by")?.map(PersonKey::new);
        Ok::<_, StoreError>(Ended {
            how,
            at: row.instant("ended_at")?,
            by,
            note: row.maybe_text("end_note")?,
        })
    });
    let grant = Grant::restore(GrantRecord {
        id: row.grant_id("id")?,
        request: row.parsed("request", RequestId::parse)?,
        contract: pin(row)?,
        requester: PersonKey::new(row.text("requester")?),
        beneficiary: PersonKey::new(row.text("beneficiary")?),
        terms: row.parsed("terms", |text| serde_json::from_str(text).ok())?,
        starts_at: row.instant("starts_at")?,
        ends_at: row.instant("ends_at")?,
        extensions: u32::try_from(row.number("extensions")?)
            .map_err(|_| StoreError::damaged("extensions"))?,
        ended: ended.transpose()?,
    });
    Ok(StoredGrant { grant, sessions_live: row.count("live")?, sessions: row.count("sessions")? })
}

fn ending(how: GrantEnd) -> GrantState {
    match how {
        GrantEnd::Expired => GrantState::Expired,
        GrantEnd::Revoked => GrantState::Revoked,
        GrantEnd::Returned => GrantState::Returned,
    }
}

fn state(word: &str) -> Option<GrantState> {
    use GrantState::{Active, Expired, Returned, Revoked, Scheduled};
    [Scheduled, Active, Expired, Revoked, Returned].into_iter().find(|state| state.word() == word)
}
