//! Sessions: looking, and the kill.

use std::fmt;

use axum::Json;
use axum::extract::State;
use curfew_adapter::{GrantId, SessionId};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use utoipa::ToSchema;

use super::list::{List, slice};
use super::session_view::{SessionView, shown};
use crate::api::acting::admins_only;
use crate::api::body::{At, Sent, Wanted, none};
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::audit::Actor;
use crate::contract::PersonKey;
use crate::store::{SessionFilter, SessionRecord, StoreError};

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
    let filter = SessionFilter { live: query.live, grant, person, ..SessionFilter::default() };
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
pub(super) async fn seen(app: &App, caller: &Caller, id: &SessionId) -> Result<SessionRecord, Problem> {
    let record = app.grants.store().session(id).await?.ok_or_else(none::<SessionId>)?;
    let own = record.person.as_str() == caller.viewer.identity.person;
    if own || caller.viewer.roles.reads_everything() { Ok(record) } else { Err(none::<SessionId>()) }
}
