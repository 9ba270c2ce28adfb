//! Sessions: looking, their recordings, and the kill.
//!
//! Reading a recording is an event of the audit log, written before the first byte is sent.

use std::fmt;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use curfew_adapter::{GrantId, SessionId};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use utoipa::ToSchema;

use super::list::{List, slice};
use super::session_view::{SessionView, shown};
use crate::api::acting::{admins_only, auditors_only};
use crate::api::body::{At, Sent, Wanted, none};
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::audit::{Actor, What};
use crate::contract::PersonKey;
use crate::record::{EventReader, ReadError};
use crate::store::{SessionFilter, SessionRecord, StoreError, with_causes};

/// The sessions that live on this node.
pub trait LiveSessions: fmt::Debug + Send + Sync {
    /// Ends one, with its audit event first, and bars who held it for a minute. `false`: it does not live here.
    fn kill<'a>(
        &'a self,
        id: &'a SessionId,
        by: Actor,
        why: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Bytes from the client and from the target so far; `None` where it does not live here.
    fn bytes(&self, id: &SessionId) -> Option<(u64, u64)>;

    /// Whether the node lets its sessions end and takes no others.
    fn draining(&self) -> bool;
}

/// The query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    live: Option<bool>,
    grant: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// A kill.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// Why: the person is told.
    reason: Option<String>,
}

/// Sessions, newest first
///
/// One's own; all of them for auditors and admins.
#[utoipa::path(
    get, path = "/api/v1/sessions", tag = "sessions",
    params(("live" = Option<bool>, Query, description = "only those that live, or only those that ended"),
           ("grant" = Option<String>, Query, description = "only those under this grant"),
           ("limit" = Option<u32>, Query, description = "1 to 500"),
           ("cursor" = Option<String>, Query, description = "the `next` of the piece before")),
    responses((status = 200, body = List<SessionView>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Wanted(query): Wanted<Query>,
) -> Result<Json<List<SessionView>>, Problem> {
    let slice = slice(query.limit, query.cursor.as_deref())?;
    let no_id = || Problem::bad_request("`grant` is not the id of a grant.");
    let grant = query.grant.as_deref().map(|id| GrantId::parse(id).ok_or_else(no_id)).transpose()?;
    let own = PersonKey::new(caller.viewer.identity.person.clone());
    let person = (!caller.viewer.roles.reads_everything()).then_some(own);
    let filter = SessionFilter { live: query.live, grant, person, identity: None };
    let mut page = app.grants.store().sessions(&filter, &slice).await?;
    let views = shown(&app, std::mem::take(&mut page.items)).await?;
    Ok(Json(page.with(views).into()))
}

/// One session
#[utoipa::path(
    get, path = "/api/v1/sessions/{id}", tag = "sessions",
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = SessionView))
)]
pub async fn one(
    State(app): State<App>,
    caller: Caller,
    At(id): At<SessionId>,
) -> Result<Json<SessionView>, Problem> {
    let record = seen(&app, &caller, &id).await?;
    let view = shown(&app, vec![record]).await?.pop();
    view.map(Json).ok_or_else(none::<SessionId>)
}

/// What happened in a session
///
/// One recorded event a line, in order; for auditors and admins. It is written in the audit log that they were read.
#[utoipa::path(
    get, path = "/api/v1/sessions/{id}/events", tag = "sessions",
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = String, content_type = "application/x-ndjson"))
)]
pub async fn events(
    State(app): State<App>,
    caller: Caller,
    At(id): At<SessionId>,
) -> Result<Response, Problem> {
    let mut reader = opened(&app, &caller, &id, "show").await?;
    // The first one is read ahead: where there is none, the answer says why.
    let first = reader.next().await.map_err(|error| unreadable(&error))?;
    let first = stream::iter(first.as_ref().map(line));
    let rest = stream::try_unfold(reader, |mut reader| async move {
        match reader.next().await {
            Ok(event) => Ok(event.map(|event| (line(&event), reader))),
            Err(error) => {
                tracing::error!(cause = with_causes(&error), "a recording could not be read to its end");
                Err(error)
            }
        }
    });
    let body = Body::from_stream(first.map(Ok).chain(rest));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// The recording of a session
///
/// As one file that verifies anywhere: chunks, then the seal. For auditors and admins. It is written in the audit log
/// that it was read.
#[utoipa::path(
    get, path = "/api/v1/sessions/{id}/recording", tag = "sessions",
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = String, content_type = "application/octet-stream"))
)]
pub async fn recording(
    State(app): State<App>,
    caller: Caller,
    At(id): At<SessionId>,
) -> Result<Response, Problem> {
    opened(&app, &caller, &id, "export").await?;
    let mut pieces = Box::pin(app.recordings.file(&id));
    let first = pieces.try_next().await.map_err(|error| unreadable(&error.into()))?;
    let first = first.ok_or_else(|| unreadable(&ReadError::NotFound))?;
    let body = Body::from_stream(stream::iter([Ok(first)]).chain(pieces));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.curfew\"")),
    ];
    Ok((headers, body).into_response())
}

/// End a session
///
/// For admins. Its identity is barred from that target and account for 60 seconds, because clients reconnect by
/// themselves; the grant stays.
#[utoipa::path(
    post, path = "/api/v1/sessions/{id}/kill", tag = "sessions", request_body = Kill,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = SessionView))
)]
pub async fn kill(
    State(app): State<App>,
    caller: Caller,
    At(id): At<SessionId>,
    Sent(kill): Sent<Kill>,
) -> Result<Json<SessionView>, Problem> {
    let record = seen(&app, &caller, &id).await?;
    admins_only(&caller.viewer)?;
    let over = || Problem::conflict("This session has ended already: nothing was changed.");
    if record.ended.is_some() {
        return Err(over());
    }
    let why = kill.reason.as_deref().map(str::trim).filter(|why| !why.is_empty());
    if why.is_some_and(|why| why.chars().count() > crate::grant::REASON_MAX) {
        return Err(Problem::unprocessable("The reason is longer than 2000 characters: shorten it."));
    }
    if !app.sessions.kill(&id, caller.actor(), why).await? {
        return Err(over());
    }
    one(State(app), caller, At(id)).await
}

/// The session, if it is the caller's, or they read everything.
async fn seen(app: &App, caller: &Caller, id: &SessionId) -> Result<SessionRecord, Problem> {
    let record = app.grants.store().session(id).await?.ok_or_else(none::<SessionId>)?;
    let own = record.person.as_str() == caller.viewer.identity.person;
    if own || caller.viewer.roles.reads_everything() { Ok(record) } else { Err(none::<SessionId>()) }
}

/// Checks that the caller may read it, and writes that they do.
async fn opened(app: &App, caller: &Caller, id: &SessionId, how: &str) -> Result<EventReader, Problem> {
    seen(app, caller, id).await?;
    auditors_only(&caller.viewer)?;
    let what = What::RecordingRead { session: id.to_string(), how: how.to_owned() };
    app.grants.store().audit([caller.actor().did(what)]).await?;
    Ok(app.recordings.events(id))
}

fn line(event: &serde_json::Value) -> Bytes {
    Bytes::from(format!("{event}\n"))
}

fn unreadable(error: &ReadError) -> Problem {
    match error {
        ReadError::NotFound => Problem::not_found("There is no recording of this session."),
        ReadError::Damaged => {
            tracing::error!("a recording is damaged");
            Problem::unavailable("The recording is damaged, so it can't be shown.")
                .hint("`curfew sessions verify` says where.")
        }
        other => {
            tracing::error!(cause = with_causes(other), "a recording could not be read");
            Problem::unavailable("The recording can't be read now.")
                .hint("Try again; if it stays so, tell whoever runs Curfew.")
        }
    }
}
