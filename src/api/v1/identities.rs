//! Identities: who ever signed in; shutting one out, and letting it in again.

use axum::Json;
use axum::extract::State;
use curfew_adapter::IdentityId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::list::{List, slice};
use super::whoami::kind;
use crate::api::acting::{admins_only, auditors_only};
use crate::api::body::{At, Sent, Wanted, none};
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::identity::IdentityRecord;

/// An identity.
#[derive(Debug, Serialize, ToSchema)]
pub struct IdentityView {
    /// Its id.
    #[schema(value_type = String)]
    id: IdentityId,
    /// The provider's issuer.
    issuer: String,
    /// The provider's id of it.
    subject: String,
    /// The verified email.
    email: String,
    /// What to call it.
    name: String,
    /// `user` or `service`.
    kind: &'static str,
    /// As the provider told at the last sign-in.
    groups: Vec<String>,
    /// Whether an admin shut it out.
    disabled: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<String>,
    /// When it last signed in.
    #[schema(value_type = String, format = DateTime)]
    last_signin_at: Timestamp,
}

/// Why an identity is disabled or enabled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Maybe {
    /// Why, for the record.
    reason: Option<String>,
}

/// The query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Everybody who ever signed in
///
/// By email, in one piece; for auditors and admins.
#[utoipa::path(
    get, path = "/api/v1/identities", tag = "identities",
    params(("limit" = Option<u32>, Query, description = "taken, and not needed"),
           ("cursor" = Option<String>, Query, description = "taken, and not needed")),
    responses((status = 200, body = List<IdentityView>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Wanted(query): Wanted<Query>,
) -> Result<Json<List<IdentityView>>, Problem> {
    auditors_only(&caller.viewer)?;
    slice(query.limit, query.cursor.as_deref())?;
    let records = app.grants.store().identities().await?;
    Ok(Json(List::whole(records.into_iter().map(view).collect())))
}

/// Shut an identity out
///
/// For admins. Its sign-ins and sessions end at once. Doing it twice is no error.
#[utoipa::path(
    post, path = "/api/v1/identities/{id}/disable", tag = "identities", request_body = Maybe,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = IdentityView))
)]
pub async fn disable(
    State(app): State<App>,
    caller: Caller,
    At(id): At<IdentityId>,
    Sent(why): Sent<Maybe>,
) -> Result<Json<IdentityView>, Problem> {
    allowed(&app, &caller, &id).await?;
    if id == caller.viewer.identity.id {
        return Err(Problem::conflict("You can't shut yourself out.").hint("Ask another admin."));
    }
    app.identities.disable(&id, checked(why.reason.as_deref())?, caller.actor()).await?;
    found(&app, &id).await.map(|record| Json(view(record)))
}

/// Let an identity in again
///
/// For admins. Doing it twice is no error.
#[utoipa::path(
    post, path = "/api/v1/identities/{id}/enable", tag = "identities", request_body = Maybe,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = IdentityView))
)]
pub async fn enable(
    State(app): State<App>,
    caller: Caller,
    At(id): At<IdentityId>,
    Sent(why): Sent<Maybe>,
) -> Result<Json<IdentityView>, Problem> {
    allowed(&app, &caller, &id).await?;
    app.identities.enable(&id, checked(why.reason.as_deref())?, caller.actor()).await?;
    found(&app, &id).await.map(|record| Json(view(record)))
}

/// Users learn nothing of identities; auditors see them and may not touch them.
async fn allowed(app: &App, caller: &Caller, id: &IdentityId) -> Result<(), Problem> {
    if !caller.viewer.roles.reads_everything() {
        return Err(none::<IdentityId>());
    }
    found(app, id).await?;
    admins_only(&caller.viewer)
}

async fn found(app: &App, id: &IdentityId) -> Result<IdentityRecord, Problem> {
    app.grants.store().identity(id).await?.ok_or_else(none::<IdentityId>)
}

fn checked(why: Option<&str>) -> Result<Option<&str>, Problem> {
    let why = why.map(str::trim).filter(|why| !why.is_empty());
    if why.is_some_and(|why| why.chars().count() > crate::grant::REASON_MAX) {
        return Err(Problem::unprocessable("The reason is longer than 2000 characters: shorten it."));
    }
    Ok(why)
}

fn view(record: IdentityRecord) -> IdentityView {
    let who = record.identity;
    IdentityView {
        id: who.id,
        issuer: record.issuer,
        subject: record.subject,
        email: who.email,
        name: who.name,
        kind: kind(who.kind),
        groups: who.groups,
        disabled: record.disabled_at.is_some(),
        disabled_reason: record.disabled_why,
        last_signin_at: record.seen_at,
    }
}
