//! The audit log: its exact lines, following it, and its checkpoints.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::broadcast::error::RecvError;

use super::list::slice;
use crate::api::acting::auditors_only;
use crate::api::body::Wanted;
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::audit::What;
use crate::store::{Change, News, with_causes};

/// The longest that a call waits for a line.
const WAIT_MAX: u64 = 30;
/// How much of the file of checkpoints is read at once.
const PIECE: usize = 64 * 1024;
const LINES: &str = "application/x-ndjson";

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    after: Option<u64>,
    limit: Option<u32>,
    wait_seconds: Option<u64>,
}

/// The audit log
///
/// The exact lines of the chain, in order; for auditors and admins. That it was read is itself written, once in ten
/// minutes for each sign-in.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit",
    params(("after" = Option<u64>, Query,
            description = "the number of the last line that is known; left out: from the first one on, or, with \
                           `wait_seconds`, from the end as it is now"),
           ("limit" = Option<u32>, Query, description = "1 to 500"),
           ("wait_seconds" = Option<u64>, Query, description = "waits so long for a line, 30 at most")),
    responses((status = 200, body = String, content_type = "application/x-ndjson"))
)]
pub async fn lines(
    State(app): State<App>,
    caller: Caller,
    Wanted(query): Wanted<Query>,
) -> Result<Response, Problem> {
    auditors_only(&caller.viewer)?;
    let limit = slice(query.limit, None)?.limit;
    let wait = query.wait_seconds.unwrap_or(0);
    if wait > WAIT_MAX {
        return Err(Problem::bad_request(format!("wait_seconds is {WAIT_MAX} at most.")));
    }
    let store = app.grants.store();
    written(&app, &caller, if wait > 0 { "tail" } else { "export" }).await?;
    let after = match query.after {
        Some(after) => after,
        None if wait > 0 => store.audit_head().await?.seq,
        None => 0,
    };
    // First listen, then look: a line between the two would be missed.
    let mut news = store.changes();
    let over = tokio::time::sleep(Duration::from_secs(wait));
    tokio::pin!(over);
    loop {
        let found = store.audit_lines(after, limit).await?;
        if !found.is_empty() || wait == 0 {
            let text: String = found.into_iter().map(|(_, line)| line + "\n").collect();
            return Ok(([(header::CONTENT_TYPE, LINES)], text).into_response());
        }
        loop {
            tokio::select! {
                () = &mut over => return Ok(([(header::CONTENT_TYPE, LINES)], "").into_response()),
                told = news.recv() => match told {
                    Ok(News { change: Change::Audit(_), .. }) | Err(RecvError::Lagged(_)) => break,
                    Ok(_) => {}
                    Err(RecvError::Closed) => {
                        return Err(Problem::unavailable("Curfew is being shut down.").hint("Try again in a moment."));
                    }
                },
            }
        }
    }
}

/// The checkpoints of the audit log
///
/// The signed lines, in order; for auditors and admins.
#[utoipa::path(
    get, path = "/api/v1/audit/checkpoints", tag = "audit",
    responses((status = 200, body = String, content_type = "application/x-ndjson"))
)]
pub async fn checkpoints(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    auditors_only(&caller.viewer)?;
    written(&app, &caller, "verify").await?;
    let file = match File::open(&app.checkpoints).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(([(header::CONTENT_TYPE, LINES)], "").into_response());
        }
        Err(error) => {
            tracing::error!(cause = with_causes(&error), "the file of checkpoints could not be opened");
            return Err(Problem::unavailable("The checkpoints can't be read now.")
                .hint("Tell whoever runs Curfew: its log has the cause."));
        }
    };
    let body = Body::from_stream(stream::try_unfold((file, Vec::new()), whole_lines));
    Ok(([(header::CONTENT_TYPE, LINES)], body).into_response())
}

/// The next whole lines of the file: one that is being written just now is left out.
async fn whole_lines(
    (mut file, mut held): (File, Vec<u8>),
) -> std::io::Result<Option<(Vec<u8>, (File, Vec<u8>))>> {
    loop {
        let mut piece = vec![0; PIECE];
        let count = file.read(&mut piece).await?;
        if count == 0 {
            return Ok(None);
        }
        piece.truncate(count);
        held.extend_from_slice(&piece);
        if let Some(end) = memchr::memrchr(b'\n', &held) {
            let rest = held.split_off(end + 1);
            return Ok(Some((held, (file, rest))));
        }
    }
}

async fn written(app: &App, caller: &Caller, how: &str) -> Result<(), Problem> {
    let (signin, now) = (&caller.viewer.signin.id, app.clock.boot());
    if app.reads.due(signin, now) {
        let what = What::AuditRead { how: how.to_owned() };
        app.grants.store().audit([caller.actor().did(what)]).await?;
        app.reads.written(signin.clone(), now);
    }
    Ok(())
}
