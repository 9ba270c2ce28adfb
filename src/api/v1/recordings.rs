//! Recordings: their events, as they were or as they come, and their file.
//!
//! Reading a recording is an event of the audit log, written before the first byte is sent. Who watches a session is
//! cut off when their sign-in ends.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use curfew_adapter::{SessionId, SigninId};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use tokio::time::Instant;

use super::sessions::seen;
use crate::api::acting::auditors_only;
use crate::api::body::{At, Wanted};
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::audit::What;
use crate::record::{EventReader, ReadError};
use crate::store::{SessionRecord, with_causes};

const LINES: &str = "application/x-ndjson";

/// How often it is asked whether who watches still may, and, where nothing happens, an empty line is sent.
const BEAT: Duration = if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(5) };

/// The query of the events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    follow: Option<bool>,
}

/// What happened in a session
///
/// One recorded event a line, in order; for auditors and admins. It is written in the audit log that they were read.
#[utoipa::path(
    get, path = "/api/v1/sessions/{id}/events", tag = "sessions",
    params(("id" = String, Path, description = "its id"),
           ("follow" = Option<bool>, Query,
            description = "goes on, within a second, with what happens while the session runs; empty lines say that \
                           nothing does")),
    responses((status = 200, body = String, content_type = "application/x-ndjson"))
)]
pub async fn events(
    State(app): State<App>,
    caller: Caller,
    At(id): At<SessionId>,
    Wanted(query): Wanted<Query>,
) -> Result<Response, Problem> {
    let follow = query.follow.unwrap_or(false);
    let record = opened(&app, &caller, &id, if follow { "watch" } else { "show" }).await?;
    if follow && record.ended.is_none() {
        let watching = Watching {
            reader: app.recordings.follow(&id),
            session: id,
            signin: caller.viewer.signin.id.clone(),
            asked: Instant::now(),
            over: false,
            app,
        };
        let body = Body::from_stream(stream::try_unfold(watching, |mut watching| async move {
            Ok::<_, ReadError>(watching.next().await?.map(|line| (line, watching)))
        }));
        return Ok(([(header::CONTENT_TYPE, LINES)], body).into_response());
    }
    let mut reader = app.recordings.events(&id);
    // The first one is read ahead: where there is none, the answer says why.
    let first = reader.next().await.map_err(|error| unreadable(&error))?;
    let first = stream::iter(first.as_ref().map(line));
    let rest = stream::try_unfold(reader, |mut reader| async move {
        Ok(logged(reader.next().await)?.map(|event| (line(&event), reader)))
    });
    let body = Body::from_stream(first.map(Ok::<_, ReadError>).chain(rest));
    Ok(([(header::CONTENT_TYPE, LINES)], body).into_response())
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

/// Somebody who watches a session.
struct Watching {
    app: App,
    reader: EventReader,
    session: SessionId,
    signin: SigninId,
    asked: Instant,
    /// The session was over when it was asked last.
    over: bool,
}

impl Watching {
    /// The next line; an empty one where nothing happened for a while, none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        let event = tokio::time::timeout_at(self.asked + BEAT, self.reader.next()).await;
        if self.asked.elapsed() >= BEAT {
            self.asked = Instant::now();
            if !self.may_go_on().await {
                return Ok(None);
            }
        }
        match event {
            Ok(event) => Ok(logged(event)?.as_ref().map(line)),
            Err(_) => Ok(Some(Bytes::from_static(b"\n"))),
        }
    }

    /// Not once the sign-in is over, nor where the session has ended and its recording will not be sealed.
    async fn may_go_on(&mut self) -> bool {
        let standing = self.app.identities.standing(&self.signin).await;
        let signed_in = standing.is_ok_and(|standing| {
            standing.is_some_and(|standing| standing.over(self.app.clock.wall()).is_none())
        });
        let record = self.app.grants.store().session(&self.session).await;
        let over = record.is_ok_and(|record| record.is_some_and(|record| record.ended.is_some()));
        signed_in && !(std::mem::replace(&mut self.over, over) && over)
    }
}

/// Checks that the caller may read it, and writes that they do.
async fn opened(app: &App, caller: &Caller, id: &SessionId, how: &str) -> Result<SessionRecord, Problem> {
    let record = seen(app, caller, id).await?;
    auditors_only(&caller.viewer)?;
    let what = What::RecordingRead { session: id.to_string(), how: how.to_owned() };
    app.grants.store().audit([caller.actor().did(what)]).await?;
    Ok(record)
}

fn line(event: &serde_json::Value) -> Bytes {
    Bytes::from(format!("{event}\n"))
}

/// An error that comes too late for an answer, written down.
fn logged<T>(read: Result<T, ReadError>) -> Result<T, ReadError> {
    read.inspect_err(|error| {
        tracing::error!(cause = with_causes(error), "a recording could not be read to its end");
    })
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
