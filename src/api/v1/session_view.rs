//! A session as the API shows it.

use std::collections::HashMap;
use std::net::IpAddr;

use curfew_adapter::{EndReason, GrantId, IdentityId, Protocol, RequestId, SessionId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::problem::Problem;
use crate::app::App;
use crate::audit::event::Cut;
use crate::grant::PersonView;
use crate::store::SessionRecord;

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// Its id.
    #[schema(value_type = String)]
    id: SessionId,
    /// The grant that it runs under.
    #[schema(value_type = String)]
    grant: GrantId,
    /// The request that became the grant.
    #[schema(value_type = String)]
    request: RequestId,
    /// Who.
    identity: PersonView,
    /// What is reached.
    target: String,
    /// How.
    #[schema(value_type = String)]
    protocol: Protocol,
    /// As which account.
    account: String,
    /// The database (Postgres).
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    /// The contract's name.
    contract: String,
    /// Where the client is.
    #[schema(value_type = String)]
    client_address: IpAddr,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// The one reason why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    end_reason: Option<EndReason>,
    /// More about the end, for reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_detail: Option<String>,
    /// How Curfew ended it; left out where it ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<CutView>,
    /// Bytes from the client to the target.
    bytes_in: u64,
    /// Bytes from the target to the client.
    bytes_out: u64,
    /// Whether it goes on.
    live: bool,
    /// The recording, once it is sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<RecordingView>,
}

/// How a session was cut.
#[derive(Debug, Serialize, ToSchema)]
pub struct CutView {
    /// From the end to the last session byte, in microseconds.
    latency_us: u64,
    /// How long the goodbye took, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    goodbye_us: Option<u64>,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_goodbye: Option<String>,
    /// What was running or half sent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    outstanding: Option<String>,
    /// What was done about the target's work, and how it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_work: Option<String>,
}

/// A sealed recording.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordingView {
    /// Chunks in it.
    chunks: u64,
    /// Events in it.
    events: u64,
    /// Events that could not be written (best effort only).
    lost: u64,
    /// Whether its end is signed.
    sealed: bool,
}

/// The sessions as shown; whom they are of is looked up once for all.
///
/// # Errors
/// The store can't be read.
pub(super) async fn shown(app: &App, records: Vec<SessionRecord>) -> Result<Vec<SessionView>, Problem> {
    let mut known: HashMap<IdentityId, PersonView> = HashMap::new();
    for record in &records {
        if !known.contains_key(&record.identity) {
            known.insert(record.identity.clone(), person(app, record).await?);
        }
    }
    let who =
        |record: &SessionRecord| known.get(&record.identity).cloned().unwrap_or_else(|| unknown(record));
    Ok(records
        .into_iter()
        .map(|record| (who(&record), record))
        .map(|(who, record)| view(app, who, record))
        .collect())
}

async fn person(app: &App, record: &SessionRecord) -> Result<PersonView, Problem> {
    let found = app.grants.store().identity(&record.identity).await?;
    Ok(found.map_or_else(
        || unknown(record),
        |found| PersonView {
            identity: Some(found.identity.id),
            email: found.identity.email,
            name: found.identity.name,
        },
    ))
}

fn unknown(record: &SessionRecord) -> PersonView {
    let name = record.person.to_string();
    PersonView { identity: Some(record.identity.clone()), email: name.clone(), name }
}

fn view(app: &App, identity: PersonView, record: SessionRecord) -> SessionView {
    let ended = record.ended;
    let written = ended.as_ref().map(|end| (end.bytes_in, end.bytes_out));
    let (bytes_in, bytes_out) = written.or_else(|| app.sessions.bytes(&record.id)).unwrap_or_default();
    SessionView {
        live: ended.is_none(),
        ended_at: ended.as_ref().map(|end| end.at),
        end_reason: ended.as_ref().map(|end| end.reason),
        end_detail: ended.as_ref().and_then(|end| end.detail.clone()),
        cut: ended.as_ref().and_then(|end| end.cut.clone()).map(CutView::from),
        recording: ended.and_then(|end| end.recording).map(|sealed| RecordingView {
            chunks: sealed.chunks,
            events: sealed.events,
            lost: sealed.lost,
            sealed: true,
        }),
        id: record.id,
        grant: record.grant,
        request: record.request,
        identity,
        target: record.target,
        protocol: record.protocol,
        account: record.account,
        database: record.database,
        contract: record.contract,
        client_address: record.client_address,
        program: record.program,
        started_at: record.started_at,
        bytes_in,
        bytes_out,
    }
}

impl From<Cut> for CutView {
    fn from(cut: Cut) -> Self {
        Self {
            latency_us: cut.latency_us,
            goodbye_us: cut.goodbye_us,
            no_goodbye: cut.no_goodbye,
            outstanding: cut.outstanding,
            target_work: cut.target_work,
        }
    }
}
