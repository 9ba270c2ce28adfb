//! The list of requests: to decide, one's own, and everybody's for those who read everything.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::words::{When, span};
use crate::api::page::{Page, PageError, Shell};
use crate::api::problem::Problem;
use crate::api::who::Browser;
use crate::app::App;
use crate::grant::{Caller, RequestView, Scope};
use crate::store::{Cursor, Slice};

/// How many of them a page shows.
const SHOWN: u32 = 30;

/// A request in a list.
struct Row {
    request: RequestView,
    asked: When,
    length: String,
}

/// The query; what is not understood is left out, people don't type it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wish {
    scope: Option<String>,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/requests.html")]
struct RequestsPage {
    shell: Shell,
    here: &'static str,
    to_decide: Vec<Row>,
    rows: Vec<Row>,
    next: Option<Cursor>,
    /// Everybody's, not one's own.
    all: bool,
    /// Whether one may see everybody's.
    reads_all: bool,
}

/// GET /requests
pub(super) async fn list(
    State(app): State<App>,
    browser: Browser,
    Query(wish): Query<Wish>,
) -> Result<Response, PageError> {
    let shell = browser.shell("Requests");
    let read = async {
        let caller = Caller::from(&browser);
        let now = app.clock.wall();
        let row = |request: RequestView| Row {
            asked: When::new(request.created_at, now),
            length: span(request.duration_seconds),
            request,
        };
        let all = wish.scope.as_deref() == Some("all") && caller.reads_all;
        let after = wish.cursor.as_deref().and_then(Cursor::parse);
        let first = after.is_none();
        let slice = Slice { after, limit: SHOWN };
        let scope = if all { Scope::All } else { Scope::Mine };
        let page = app.grants.requests(&caller, scope, None, &slice).await?;
        let to_decide = if first { app.grants.to_approve(&caller).await? } else { Vec::new() };
        let page = RequestsPage {
            shell: shell.clone(),
            here: "/requests",
            to_decide: to_decide.into_iter().map(row).collect(),
            rows: page.items.into_iter().map(row).collect(),
            next: page.next,
            all,
            reads_all: caller.reads_all,
        };
        Ok::<_, Problem>(Page(page).into_response())
    };
    read.await.map_err(|problem| PageError::from(problem).within(&shell))
}
