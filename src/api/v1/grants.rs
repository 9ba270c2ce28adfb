//! Grants: looking, extending, giving back, taking away.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use curfew_adapter::GrantId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::list::{List, slice};
use super::requests::{Because, Created, Nothing};
use crate::api::body::{At, Creating, Sent, Wanted};
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::grant::{GrantState, GrantView, RequestView, Scope};

/// An ask for more time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct More {
    /// Why.
    reason: Option<String>,
}

/// Which.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GrantScope {
    /// One's own.
    #[default]
    Mine,
    /// Those that last, and that one may take away.
    ToRevoke,
    /// Everybody's.
    All,
}

/// The query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    scope: Option<GrantScope>,
    state: Option<GrantState>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Grants, those with the latest start first
///
/// `state` goes by what is on record: a grant that ended a moment ago may still be listed as active, and says so.
#[utoipa::path(
    get, path = "/api/v1/grants", tag = "grants",
    params(("scope" = Option<GrantScope>, Query, description = "left out: `mine`; `to-revoke`: those of others that one may take away; `all` is for \
                                                             auditors and admins"),
           ("state" = Option<GrantState>, Query, description = "only those in this state"),
           ("limit" = Option<u32>, Query, description = "1 to 500"),
           ("cursor" = Option<String>, Query, description = "the `next` of the piece before")),
    responses((status = 200, body = List<GrantView>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Wanted(query): Wanted<Query>,
) -> Result<Json<List<GrantView>>, Problem> {
    let slice = slice(query.limit, query.cursor.as_deref())?;
    let scope = match query.scope.unwrap_or_default() {
        GrantScope::Mine => Scope::Mine,
        GrantScope::ToRevoke => Scope::ToRevoke,
        GrantScope::All => Scope::All,
    };
    Ok(Json(app.grants.grants(&(&caller).into(), scope, query.state, &slice).await?.into()))
}

/// One grant
#[utoipa::path(
    get, path = "/api/v1/grants/{id}", tag = "grants",
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = GrantView))
)]
pub async fn one(
    State(app): State<App>,
    caller: Caller,
    At(id): At<GrantId>,
) -> Result<Json<GrantView>, Problem> {
    Ok(Json(app.grants.grant(&(&caller).into(), &id).await?))
}

/// Ask for more time
///
/// The answer is a request of kind `extension`, decided by the same approvers, or at once where the contract says so.
/// Sessions under the grant go on.
#[utoipa::path(
    post, path = "/api/v1/grants/{id}/extend", tag = "grants", request_body = More,
    params(("id" = String, Path, description = "its id"),
           ("Idempotency-Key" = Option<String>, Header, description = "asks only once in 24 hours")),
    responses((status = 201, body = RequestView))
)]
pub async fn extend(
    State(app): State<App>,
    caller: Caller,
    At(id): At<GrantId>,
    more: Creating<More>,
) -> Result<Created<RequestView>, Problem> {
    let by = (&caller).into();
    app.grants.grant(&by, &id).await?;
    let view = app.grants.extend(&by, &id, more.value.reason.as_deref(), more.once).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/v1/requests/{}", view.id))], Json(view)))
}

/// Give one's own grant back
#[utoipa::path(
    post, path = "/api/v1/grants/{id}/return", tag = "grants", request_body = Nothing,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = GrantView))
)]
pub async fn give_back(
    State(app): State<App>,
    caller: Caller,
    At(id): At<GrantId>,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Json<GrantView>, Problem> {
    let by = (&caller).into();
    app.grants.grant(&by, &id).await?;
    Ok(Json(app.grants.give_back(&by, &id).await?))
}

/// Take a grant away
///
/// For those who could approve it, and for admins. Its sessions end at once.
#[utoipa::path(
    post, path = "/api/v1/grants/{id}/revoke", tag = "grants", request_body = Because,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = GrantView))
)]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    At(id): At<GrantId>,
    Sent(because): Sent<Because>,
) -> Result<Json<GrantView>, Problem> {
    let by = (&caller).into();
    app.grants.grant(&by, &id).await?;
    Ok(Json(app.grants.revoke(&by, &id, &because.reason).await?))
}
