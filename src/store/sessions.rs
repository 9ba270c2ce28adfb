//! Sessions: which there are, under which grant, and how each ended.
//!
//! Owns their storage, with the audit event of each start and end in the same transaction. A session is counted
//! against its grant's limit by the statement that stores it, and ends once, for one reason.

use std::net::IpAddr;

use curfew_adapter::{EndReason, GrantId, IdentityId, Protocol, RequestId, SessionId, SigninId};
use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::change::Change;
use super::error::StoreError;
use super::page::{Page, Slice};
use super::values::{Columns, count, micros};
use super::{Store, Tx};
use crate::audit::event::{Cut, Recorded};
use crate::audit::{Actor, What};
use crate::contract::PersonKey;

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEnd {
    /// When.
    pub at: Timestamp,
    /// The one reason.
    pub reason: EndReason,
    /// More about it, for reading.
    pub detail: Option<String>,
    /// How Curfew ended it; none where it ended by itself.
    pub cut: Option<Cut>,
    /// Bytes from the client to the target.
    pub bytes_in: u64,
    /// Bytes from the target to the client.
    pub bytes_out: u64,
    /// The recording, as it was sealed; none where it could not be.
    pub recording: Option<Recorded>,
}

/// Everything about a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// The grant that it runs under.
    pub grant: GrantId,
    /// The request that became the grant.
    pub request: RequestId,
    /// Who.
    pub identity: IdentityId,
    /// The person whose identity it is.
    pub person: PersonKey,
    /// Under which sign-in.
    pub signin: SigninId,
    /// The contract's name.
    pub contract: String,
    /// What is reached.
    pub target: String,
    /// How.
    pub protocol: Protocol,
    /// As which account.
    pub account: String,
    /// The database (Postgres).
    pub database: Option<String>,
    /// Where the client is.
    pub client_address: IpAddr,
    /// What the client calls itself.
    pub program: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended; `None` while it lives.
    pub ended: Option<SessionEnd>,
}

/// What came of starting a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum SessionStart {
    /// It is on record, durably.
    Started,
    /// As many as the contract allows live already.
    TooMany,
    /// The grant is not active any more.
    GrantOver,
}

/// Which sessions a list has.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Only those that live, or only those that ended.
    pub live: Option<bool>,
    /// Under this grant.
    pub grant: Option<GrantId>,
    /// Of this person.
    pub person: Option<PersonKey>,
    /// Of this identity.
    pub identity: Option<IdentityId>,
    /// To this target.
    pub target: Option<String>,
    /// Only those that live, or ended at this moment or later.
    pub since: Option<Timestamp>,
    /// Only those that started before this moment.
    pub before: Option<Timestamp>,
}

impl Store {
    /// Puts a session on record, with its audit event, before a byte reaches the target. At most `limit` live under
    /// one grant at once; the statement counts, so that two connects at once can't both be the last.
    ///
    /// # Errors
    /// It can't be written, and the session must not begin.
    pub async fn start_session(
        &self,
        session: &SessionRecord,
        limit: Option<u32>,
        actor: Actor,
    ) -> Result<SessionStart, StoreError> {
        let mut tx = self.begin().await?;
        let outcome = tx.insert_session(session, limit).await?;
        if outcome != SessionStart::Started {
            tx.rollback().await?;
            return Ok(outcome);
        }
        tx.audit(&actor.did(What::SessionStarted {
            session: session.id.to_string(),
            protocol: session.protocol.to_string(),
            target: session.target.clone(),
            account: session.account.clone(),
            contract: session.contract.clone(),
            request: session.request.to_string(),
            grant: session.grant.to_string(),
        }))
        .await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// Puts the end of a session on record, with its audit event. `false`: it has ended already, and its reason
    /// stays.
    ///
    /// # Errors
    /// It can't be written; to be tried again.
    pub async fn end_session(
        &self,
        id: &SessionId,
        end: &SessionEnd,
        actor: Actor,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !tx.update_session(id, end).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.audit(&actor.did(What::SessionEnded {
            session: id.to_string(),
            reason: end.reason,
            detail: end.detail.clone(),
            cut: end.cut.clone(),
            bytes_in: end.bytes_in,
            bytes_out: end.bytes_out,
            recording: end.recording.clone(),
        }))
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// One session.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn session(&self, id: &SessionId) -> Result<Option<SessionRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM sessions WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut *self.reader().await?)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Sessions, newest first.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn sessions(
        &self,
        filter: &SessionFilter,
        slice: &Slice,
    ) -> Result<Page<SessionRecord>, StoreError> {
        let (at, id) = slice.before();
        let live = filter.live.map_or(0, |live| if live { 1 } else { 2 });
        let rows = sqlx::query(
            "SELECT * FROM sessions WHERE ($1 = 0 OR ($1 = 1 AND ended_at IS NULL) OR ($1 = 2 AND ended_at IS NOT \
             NULL)) AND ($2 = '' OR grant_id = $2) AND ($3 = '' OR person = $3) AND ($4 = '' OR identity = $4) \
             AND ($8 = '' OR target = $8) AND (ended_at IS NULL OR ended_at >= $9) AND started_at < $10 \
             AND (started_at < $5 OR (started_at = $5 AND id < $6)) ORDER BY started_at DESC, id DESC LIMIT $7",
        )
        .bind(live)
        .bind(filter.grant.as_ref().map_or("", GrantId::as_str))
        .bind(filter.person.as_ref().map_or("", PersonKey::as_str))
        .bind(filter.identity.as_ref().map_or("", IdentityId::as_str))
        .bind(at)
        .bind(id)
        .bind(slice.fetch())
        .bind(filter.target.as_deref().unwrap_or_default())
        .bind(filter.since.map_or(i64::MIN, micros))
        .bind(filter.before.map_or(i64::MAX, micros))
        .fetch_all(&mut *self.reader().await?)
        .await?;
        let sessions = rows.iter().map(read).collect::<Result<_, _>>()?;
        let place = |session: &SessionRecord| (micros(session.started_at), session.id.to_string());
        Ok(slice.page(sessions, place))
    }

    /// Sessions of this node that are live on record. At the start of the node, these were interrupted.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn unfinished_sessions(&self) -> Result<Vec<SessionRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM sessions WHERE node = $1 AND ended_at IS NULL ORDER BY started_at, id",
        )
        .bind(self.node())
        .fetch_all(&mut *self.reader().await?)
        .await?;
        rows.iter().map(read).collect()
    }
}

impl Tx {
    async fn insert_session(
        &mut self,
        session: &SessionRecord,
        limit: Option<u32>,
    ) -> Result<SessionStart, StoreError> {
        // Takes the grant's row first: on Postgres, connects under one grant take turns from here on.
        if !count_on(self.connection(), &session.grant, session.started_at).await? {
            return Ok(SessionStart::GrantOver);
        }
        let node = self.store().node().to_owned();
        let done = sqlx::query(
            "INSERT INTO sessions (id, node, grant_id, request, identity, person, signin, contract, target, protocol, \
             account, database_name, client_address, program, started_at, bytes_in, bytes_out) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, 0 \
             WHERE $16 < 0 OR (SELECT count(*) FROM sessions WHERE grant_id = $3 AND ended_at IS NULL) < $16",
        )
        .bind(session.id.as_str())
        .bind(node)
        .bind(session.grant.as_str())
        .bind(session.request.as_str())
        .bind(session.identity.as_str())
        .bind(session.person.as_str())
        .bind(session.signin.as_str())
        .bind(session.contract.as_str())
        .bind(session.target.as_str())
        .bind(session.protocol.as_str())
        .bind(session.account.as_str())
        .bind(session.database.as_deref())
        .bind(session.client_address.to_string())
        .bind(session.program.as_deref())
        .bind(micros(session.started_at))
        .bind(limit.map_or(-1, i64::from))
        .execute(self.connection())
        .await?;
        self.changed(Change::Session(session.id.clone()));
        Ok(if done.rows_affected() == 1 { SessionStart::Started } else { SessionStart::TooMany })
    }

    async fn update_session(&mut self, id: &SessionId, end: &SessionEnd) -> Result<bool, StoreError> {
        let cut = end.cut.as_ref().map(serde_json::to_string).transpose().map_err(StoreError::damaged)?;
        let recording =
            end.recording.as_ref().map(serde_json::to_string).transpose().map_err(StoreError::damaged)?;
        let done = sqlx::query(
            "UPDATE sessions SET ended_at = $1, end_reason = $2, end_detail = $3, cut = $4, bytes_in = $5, \
             bytes_out = $6, recording = $7 WHERE id = $8 AND ended_at IS NULL",
        )
        .bind(micros(end.at))
        .bind(end.reason.as_str())
        .bind(end.detail.as_deref())
        .bind(cut)
        .bind(count(end.bytes_in))
        .bind(count(end.bytes_out))
        .bind(recording)
        .bind(id.as_str())
        .execute(self.connection())
        .await?;
        self.changed(Change::Session(id.clone()));
        Ok(done.rows_affected() == 1)
    }
}

/// Counts one more session on the grant, if it admits now.
async fn count_on(
    connection: &mut AnyConnection,
    grant: &GrantId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE grants SET sessions = sessions + 1 WHERE id = $1 AND state IN ('scheduled', 'active') \
         AND starts_at <= $2 AND ends_at > $2",
    )
    .bind(grant.as_str())
    .bind(micros(now))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<SessionRecord, StoreError> {
    let ended = row.maybe_instant("ended_at")?.map(|at| end(row, at)).transpose()?;
    Ok(SessionRecord {
        id: row.session_id("id")?,
        grant: row.grant_id("grant_id")?,
        request: row.request_id("request")?,
        identity: row.identity_id("identity")?,
        person: PersonKey::new(row.text("person")?),
        signin: row.signin_id("signin")?,
        contract: row.text("contract")?,
        target: row.text("target")?,
        protocol: row.parsed("protocol", |word| {
            Protocol::ALL.iter().copied().find(|protocol| protocol.as_str() == word)
        })?,
        account: row.text("account")?,
        database: row.maybe_text("database_name")?,
        client_address: row.parsed("client_address", |text| text.parse().ok())?,
        program: row.maybe_text("program")?,
        started_at: row.instant("started_at")?,
        ended,
    })
}

fn end(row: &AnyRow, at: Timestamp) -> Result<SessionEnd, StoreError> {
    Ok(SessionEnd {
        at,
        reason: row.parsed("end_reason", EndReason::parse)?,
        detail: row.maybe_text("end_detail")?,
        cut: row.maybe_parsed("cut", |text| serde_json::from_str(text).ok())?,
        bytes_in: row.count("bytes_in")?,
        bytes_out: row.count("bytes_out")?,
        recording: row.maybe_parsed("recording", |text| serde_json::from_str(text).ok())?,
    })
}
