//! Requests: asking, looking, deciding.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use curfew_adapter::RequestId;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::list::{List, slice};
use crate::api::body::{At, Creating, Sent, Wanted};
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::grant::{Approve, Ask, RequestState, RequestView, Scope};

/// 201 with the thing and where it is.
pub(super) type Created<T> = (StatusCode, [(HeaderName, String); 1], Json<T>);

/// An ask for access.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRequest {
    /// The target's name.
    target: String,
    /// The account; may be left out where only one could be meant.
    account: Option<String>,
    /// The contract; may be left out where only one gives it.
    contract: Option<String>,
    /// For how long; left out: the contract's default.
    duration_seconds: Option<u64>,
    /// From when on; left out: from the approval on.
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    /// Why.
    reason: Option<String>,
    /// Under which ticket.
    ticket: Option<String>,
}

/// An approval.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// For how long, if for less than asked.
    duration_seconds: Option<u64>,
    /// A word to it.
    note: Option<String>,
}

/// A denial or a revocation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// Why: the other person is told.
    pub reason: String,
}

/// Nothing to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Whose.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// One's own.
    #[default]
    Mine,
    /// Those that one could decide now.
    ToApprove,
    /// Everybody's.
    All,
}

/// The query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    scope: Option<Whose>,
    state: Option<RequestState>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Ask for access
///
/// Under a contract without approval it is granted at once. Where several contracts give it and none is named, the
/// answer is 409 and lists them as `contracts`.
#[utoipa::path(
    post, path = "/api/v1/requests", tag = "requests", request_body = NewRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "asks only once in 24 hours")),
    responses((status = 201, body = RequestView))
)]
pub async fn ask(
    State(app): State<App>,
    caller: Caller,
    new: Creating<NewRequest>,
) -> Result<Created<RequestView>, Problem> {
    let NewRequest { target, account, contract, duration_seconds, starts_at, reason, ticket } = new.value;
    let duration = duration_seconds.map(Duration::from_secs);
    let ask = Ask { target, account, contract, duration, starts_at, reason, ticket };
    let view = app.grants.ask(&(&caller).into(), ask, new.once).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/v1/requests/{}", view.id))], Json(view)))
}

/// Requests, newest first
///
/// A piece of `to-approve` may have fewer items than its limit, and a next one all the same.
#[utoipa::path(
    get, path = "/api/v1/requests", tag = "requests",
    params(("scope" = Option<Whose>, Query, description = "left out: `mine`; `all` is for auditors and admins"),
           ("state" = Option<RequestState>, Query, description = "only those in this state"),
           ("limit" = Option<u32>, Query, description = "1 to 500"),
           ("cursor" = Option<String>, Query, description = "the `next` of the piece before")),
    responses((status = 200, body = List<RequestView>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Wanted(query): Wanted<Query>,
) -> Result<Json<List<RequestView>>, Problem> {
    let slice = slice(query.limit, query.cursor.as_deref())?;
    let scope = query.scope.unwrap_or_default().into();
    Ok(Json(app.grants.requests(&(&caller).into(), scope, query.state, &slice).await?.into()))
}

/// One request
#[utoipa::path(
    get, path = "/api/v1/requests/{id}", tag = "requests",
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = RequestView))
)]
pub async fn one(
    State(app): State<App>,
    caller: Caller,
    At(id): At<RequestId>,
) -> Result<Json<RequestView>, Problem> {
    Ok(Json(app.grants.request(&(&caller).into(), &id).await?))
}

/// Approve a request
///
/// For those who could decide it; perhaps for less time. The last approval that it takes opens the grant.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/approve", tag = "requests", request_body = Approval,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = RequestView))
)]
pub async fn approve(
    State(app): State<App>,
    caller: Caller,
    At(id): At<RequestId>,
    Sent(yes): Sent<Approval>,
) -> Result<Json<RequestView>, Problem> {
    let duration = yes.duration_seconds.map(Duration::from_secs);
    let by = (&caller).into();
    app.grants.request(&by, &id).await?;
    Ok(Json(app.grants.approve(&by, &id, Approve { duration, note: yes.note }).await?))
}

/// Deny a request
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/deny", tag = "requests", request_body = Because,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = RequestView))
)]
pub async fn deny(
    State(app): State<App>,
    caller: Caller,
    At(id): At<RequestId>,
    Sent(because): Sent<Because>,
) -> Result<Json<RequestView>, Problem> {
    let by = (&caller).into();
    app.grants.request(&by, &id).await?;
    Ok(Json(app.grants.deny(&by, &id, &because.reason).await?))
}

/// Take one's own request back
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/cancel", tag = "requests", request_body = Nothing,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = RequestView))
)]
pub async fn cancel(
    State(app): State<App>,
    caller: Caller,
    At(id): At<RequestId>,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Json<RequestView>, Problem> {
    let by = (&caller).into();
    app.grants.request(&by, &id).await?;
    Ok(Json(app.grants.cancel(&by, &id).await?))
}

impl From<Whose> for Scope {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Mine => Self::Mine,
            Whose::ToApprove => Self::ToApprove,
            Whose::All => Self::All,
        }
    }
}
