//! What one does to a request: approve, perhaps for less time, deny, cancel.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use curfew_adapter::RequestId;
use serde::Deserialize;

use super::request::{again, is_done};
use crate::api::body::{PathId, none};
use crate::api::page::PageError;
use crate::api::problem::Problem;
use crate::api::who::{Browser, SentForm};
use crate::app::App;
use crate::grant::{Approve, Caller, Fault, GrantsError, RequestView};

/// The fields of all three forms.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    /// Seconds.
    duration: Option<String>,
    note: Option<String>,
    reason: Option<String>,
}

/// POST /requests/ID/ACTION
pub(super) async fn act(
    State(app): State<App>,
    Path((id, action)): Path<(String, String)>,
    SentForm { browser, fields }: SentForm<Fields>,
) -> Result<Response, PageError> {
    let around = browser.shell("");
    let done = async {
        let id = RequestId::read(&id).ok_or_else(none::<RequestId>)?;
        let word = match action.as_str() {
            "approve" => "approved",
            "deny" => "denied",
            "cancel" => "cancelled",
            _ => return Err(Problem::not_found("There is no such page.")),
        };
        let caller = Caller::from(&browser);
        let before = app.grants.request(&caller, &id).await?;
        let after = |word: &str| Redirect::to(&format!("/requests/{id}?done={word}")).into_response();
        match did(&app, &caller, &before, &action, fields).await {
            Ok(now) if now.counted_before => Ok(after("approved-again")),
            Ok(_) => Ok(after(word)),
            Err(error) => refused(&app, &browser, &id, &action, error, after(word)).await,
        }
    };
    done.await.map_err(|problem| PageError::from(problem).within(&around))
}

async fn did(
    app: &App,
    caller: &Caller,
    before: &RequestView,
    action: &str,
    fields: Fields,
) -> Result<RequestView, GrantsError> {
    let id = &before.id;
    match action {
        "approve" => {
            let seconds = fields.duration.as_deref().and_then(|text| text.trim().parse().ok());
            // What was asked for is no shortening.
            let duration =
                seconds.filter(|seconds| *seconds != before.duration_seconds).map(Duration::from_secs);
            app.grants.approve(caller, id, Approve { duration, note: fields.note }).await
        }
        "deny" => app.grants.deny(caller, id, fields.reason.as_deref().unwrap_or_default()).await,
        _ => app.grants.cancel(caller, id).await,
    }
}

/// Says why it did not happen; unless it did, and this is the second press of the same button.
async fn refused(
    app: &App,
    browser: &Browser,
    id: &RequestId,
    action: &str,
    error: GrantsError,
    after: Response,
) -> Result<Response, Problem> {
    if error.fault() == Fault::Conflict {
        let now = app.grants.request(&Caller::from(browser), id).await?;
        if is_done(action, browser, &now) {
            return Ok(after);
        }
    }
    said(app, browser, id, error).await
}

/// The page of the request, with why something did not happen.
pub(super) async fn said(
    app: &App,
    browser: &Browser,
    id: &RequestId,
    error: GrantsError,
) -> Result<Response, Problem> {
    let problem = Problem::from(error);
    let status: StatusCode = problem.code();
    if status == StatusCode::NOT_FOUND || status == StatusCode::SERVICE_UNAVAILABLE {
        return Err(problem);
    }
    again(app, browser, id, status, problem.detail).await
}
