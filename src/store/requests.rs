//! Requests and the votes on them.
//!
//! Owns their storage. Every step of a request is one UPDATE, guarded on `pending` and on the version that the step
//! was computed from: of two at once, one finds that it was second.

use std::net::IpAddr;
use std::time::Duration;

use curfew_adapter::{GrantId, IdentityId, RequestId};
use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::change::Change;
use super::error::StoreError;
use super::page::{Page, Slice};
use super::values::{Columns, maybe_micros, micros, seconds};
use super::{Store, Tx};
use crate::contract::{ContractHash, PersonKey, Pin};
use crate::grant::{Approval, Decided, RequestKind, RequestRecord, RequestState};

const SELECT: &str = "SELECT r.*, g.id AS granted FROM requests r LEFT JOIN grants g ON g.request = r.id";

/// What a person said about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Yes.
    Approve,
    /// No.
    Deny,
}

/// One person's vote; at most one for each person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Who.
    pub person: PersonKey,
    /// Signed in as which identity.
    pub identity: IdentityId,
    /// Yes or no.
    pub verdict: Verdict,
    /// For how long; only a yes has it.
    pub duration: Option<Duration>,
    /// What they wrote.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A request as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequest {
    /// What the state machine knows of it.
    pub record: RequestRecord,
    /// The identity that asked.
    pub identity: IdentityId,
    /// Where it asked from.
    pub address: Option<IpAddr>,
    /// All votes, in order; those that say yes are also the record's approvals.
    pub votes: Vec<Vote>,
    /// The grant that it made.
    pub granted: Option<GrantId>,
    version: i64,
}

/// Which requests a list has.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Asked by this person, or for them.
    pub party: Option<PersonKey>,
    /// In this state.
    pub state: Option<RequestState>,
    /// For this target.
    pub target: Option<String>,
    /// For this account.
    pub account: Option<String>,
}

impl Store {
    /// One request.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn request(&self, id: &RequestId) -> Result<Option<StoredRequest>, StoreError> {
        one(&mut *self.reader().await?, id).await
    }

    /// Requests, newest first.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn requests(
        &self,
        filter: &RequestFilter,
        slice: &Slice,
    ) -> Result<Page<StoredRequest>, StoreError> {
        const WHERE: &str = "WHERE ($1 = '' OR r.requester = $1 OR r.beneficiary = $1) AND ($2 = '' OR r.state = $2) \
                             AND ($3 = '' OR r.target = $3) AND ($4 = '' OR r.account = $4) \
                             AND (r.asked_at < $5 OR (r.asked_at = $5 AND r.id < $6)) \
                             ORDER BY r.asked_at DESC, r.id DESC LIMIT $7";
        let mut connection = self.reader().await?;
        let (at, id) = slice.before();
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} {WHERE}")))
            .bind(filter.party.as_ref().map_or("", PersonKey::as_str))
            .bind(filter.state.map_or("", RequestState::word))
            .bind(filter.target.as_deref().unwrap_or_default())
            .bind(filter.account.as_deref().unwrap_or_default())
            .bind(at)
            .bind(id)
            .bind(slice.fetch())
            .fetch_all(&mut *connection)
            .await?;
        let mut requests = Vec::with_capacity(rows.len());
        for row in &rows {
            requests.push(read(&mut connection, row).await?);
        }
        Ok(slice.page(requests, |request| (micros(request.record.asked_at), request.record.id.to_string())))
    }

    /// Pending requests whose time to be decided is over.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn lapsed_requests(&self, now: Timestamp) -> Result<Vec<RequestId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM requests WHERE state = 'pending' AND expires_at <= $1")
            .bind(micros(now))
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(|row| row.request_id("id")).collect()
    }

    /// When the next pending request lapses.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn next_lapse(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query("SELECT min(expires_at) AS at FROM requests WHERE state = 'pending'")
            .fetch_one(&mut *self.reader().await?)
            .await?;
        row.maybe_instant("at")
    }

    /// How many requests are in each state, for the metrics.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn count_requests(&self) -> Result<Vec<(RequestState, u64)>, StoreError> {
        let rows = sqlx::query("SELECT state, count(*) AS n FROM requests GROUP BY state")
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(|row| Ok((row.parsed("state", state)?, row.count("n")?))).collect()
    }
}

impl Tx {
    /// One request, as this transaction sees it.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn request(&mut self, id: &RequestId) -> Result<Option<StoredRequest>, StoreError> {
        one(self.connection(), id).await
    }

    /// How many requests of this person are pending.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn count_pending(&mut self, requester: &PersonKey) -> Result<u64, StoreError> {
        let row =
            sqlx::query("SELECT count(*) AS n FROM requests WHERE requester = $1 AND state = 'pending'")
                .bind(requester.as_str())
                .fetch_one(self.connection())
                .await?;
        row.count("n")
    }

    /// The extension of this grant that nobody has decided.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn pending_extension(&mut self, grant: &GrantId) -> Result<Option<RequestId>, StoreError> {
        let row = sqlx::query("SELECT id FROM requests WHERE extends = $1 AND state = 'pending'")
            .bind(grant.as_str())
            .fetch_optional(self.connection())
            .await?;
        row.map(|row| row.request_id("id")).transpose()
    }

    /// Stores a new request. `false`: it is an extension of a grant for which another one is pending.
    ///
    /// # Errors
    /// It can't be written.
    pub async fn insert_request(
        &mut self,
        record: &RequestRecord,
        identity: &IdentityId,
        address: Option<IpAddr>,
    ) -> Result<bool, StoreError> {
        let (kind, extends) = match &record.kind {
            RequestKind::Access => ("access", None),
            RequestKind::Extension { grant } => ("extension", Some(grant.as_str())),
        };
        let decided = record.decided.as_ref();
        let done = sqlx::query(
            "INSERT INTO requests (id, kind, extends, contract, contract_hash, requester, beneficiary, identity, \
             address, target, account, duration, starts_at, reason, ticket, asked_at, expires_at, state, version, \
             decided_at, decided_by, decided_note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
             $14, $15, $16, $17, $18, 1, $19, $20, $21) ON CONFLICT DO NOTHING",
        )
        .bind(record.id.as_str())
        .bind(kind)
        .bind(extends)
        .bind(record.contract.name.as_str())
        .bind(record.contract.hash.as_str())
        .bind(record.requester.as_str())
        .bind(record.beneficiary.as_str())
        .bind(identity.as_str())
        .bind(address.map(|address| address.to_string()))
        .bind(record.target.as_str())
        .bind(record.account.as_str())
        .bind(seconds(record.duration))
        .bind(maybe_micros(record.starts_at))
        .bind(record.reason.as_deref())
        .bind(record.ticket.as_deref())
        .bind(micros(record.asked_at))
        .bind(micros(record.expires_at))
        .bind(record.state.word())
        .bind(decided.map(|decided| micros(decided.at)))
        .bind(decided.and_then(|decided| decided.by.as_ref()).map(PersonKey::as_str))
        .bind(decided.and_then(|decided| decided.note.as_deref()))
        .execute(self.connection())
        .await?;
        self.changed(Change::Request(record.id.clone()));
        Ok(done.rows_affected() == 1)
    }

    /// Stores the step that the state machine took from `from` to `to`. `false`: `from` is no longer how it stands,
    /// and nothing was changed.
    ///
    /// # Errors
    /// It can't be written.
    pub async fn step_request(
        &mut self,
        from: &StoredRequest,
        to: &RequestRecord,
    ) -> Result<bool, StoreError> {
        let decided = to.decided.as_ref();
        let done = sqlx::query(
            "UPDATE requests SET state = $1, decided_at = $2, decided_by = $3, decided_note = $4, \
             version = version + 1 WHERE id = $5 AND state = 'pending' AND version = $6",
        )
        .bind(to.state.word())
        .bind(decided.map(|decided| micros(decided.at)))
        .bind(decided.and_then(|decided| decided.by.as_ref()).map(PersonKey::as_str))
        .bind(decided.and_then(|decided| decided.note.as_deref()))
        .bind(from.record.id.as_str())
        .bind(from.version)
        .execute(self.connection())
        .await?;
        self.changed(Change::Request(from.record.id.clone()));
        Ok(done.rows_affected() == 1)
    }

    /// Stores a vote; a later one of the same person replaces the one before. Comes with [`Tx::step_request`].
    ///
    /// # Errors
    /// It can't be written.
    pub async fn vote(&mut self, request: &RequestId, vote: &Vote) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO votes (request, person, identity, verdict, duration, note, at) VALUES ($1, $2, $3, $4, $5, \
             $6, $7) ON CONFLICT (request, person) DO UPDATE SET identity = excluded.identity, \
             verdict = excluded.verdict, duration = excluded.duration, note = excluded.note, at = excluded.at",
        )
        .bind(request.as_str())
        .bind(vote.person.as_str())
        .bind(vote.identity.as_str())
        .bind(match vote.verdict {
            Verdict::Approve => "approve",
            Verdict::Deny => "deny",
        })
        .bind(vote.duration.map(seconds))
        .bind(vote.note.as_deref())
        .bind(micros(vote.at))
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

async fn one(connection: &mut AnyConnection, id: &RequestId) -> Result<Option<StoredRequest>, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE r.id = $1")))
        .bind(id.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    match row {
        Some(row) => read(connection, &row).await.map(Some),
        None => Ok(None),
    }
}

async fn read(connection: &mut AnyConnection, row: &AnyRow) -> Result<StoredRequest, StoreError> {
    let id = row.request_id("id")?;
    let votes = sqlx::query("SELECT * FROM votes WHERE request = $1 ORDER BY at, person")
        .bind(id.as_str())
        .fetch_all(connection)
        .await?;
    let votes = votes.iter().map(vote).collect::<Result<Vec<_>, _>>()?;
    let approvals = votes.iter().filter_map(approval).collect();
    let kind = match row.text("kind")?.as_str() {
        "access" => RequestKind::Access,
        "extension" => RequestKind::Extension { grant: row.grant_id("extends")? },
        _ => return Err(StoreError::damaged("kind")),
    };
    let decided = row.maybe_instant("decided_at")?.map(|at| {
        let by = row.maybe_text("decided_by")?.map(PersonKey::new);
        Ok::<_, StoreError>(Decided { at, by, note: row.maybe_text("decided_note")? })
    });
    Ok(StoredRequest {
        record: RequestRecord {
            id,
            kind,
            contract: pin(row)?,
            requester: PersonKey::new(row.text("requester")?),
            beneficiary: PersonKey::new(row.text("beneficiary")?),
            target: row.text("target")?,
            account: row.text("account")?,
            duration: row.duration("duration")?,
            starts_at: row.maybe_instant("starts_at")?,
            reason: row.maybe_text("reason")?,
            ticket: row.maybe_text("ticket")?,
            asked_at: row.instant("asked_at")?,
            expires_at: row.instant("expires_at")?,
            approvals,
            state: row.parsed("state", state)?,
            decided: decided.transpose()?,
        },
        identity: row.identity_id("identity")?,
        address: row.maybe_parsed("address", |text| text.parse().ok())?,
        votes,
        granted: row.maybe_parsed("granted", GrantId::parse)?,
        version: row.number("version")?,
    })
}

/// The contract that a row pins.
pub(super) fn pin(row: &AnyRow) -> Result<Pin, StoreError> {
    Ok(Pin { name: row.text("contract")?, hash: row.parsed("contract_hash", ContractHash::read)? })
}

fn vote(row: &AnyRow) -> Result<Vote, StoreError> {
    let duration = row.maybe_number("duration")?.map(u64::try_from).transpose();
    Ok(Vote {
        person: PersonKey::new(row.text("person")?),
        identity: row.identity_id("identity")?,
        verdict: row.parsed("verdict", |text| match text {
            "approve" => Some(Verdict::Approve),
            "deny" => Some(Verdict::Deny),
            _ => None,
        })?,
        duration: duration.map_err(|_| StoreError::damaged("duration"))?.map(Duration::from_secs),
        note: row.maybe_text("note")?,
        at: row.instant("at")?,
    })
}

fn approval(vote: &Vote) -> Option<Approval> {
    let duration = vote.duration.filter(|_| vote.verdict == Verdict::Approve)?;
    let (by, note) = (vote.person.clone(), vote.note.clone());
    Some(Approval { by, duration, note, at: vote.at })
}

fn state(word: &str) -> Option<RequestState> {
    use RequestState::{Approved, Cancelled, Denied, Expired, Pending};
    [Pending, Approved, Denied, Cancelled, Expired].into_iter().find(|state| state.word() == word)
}
