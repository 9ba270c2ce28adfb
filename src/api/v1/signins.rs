//! Sign-ins: looking, revoking, signing out.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use curfew_adapter::SigninId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::list::{List, slice};
use super::requests::Nothing;
use crate::api::acting::{admins_only, auditors_only};
use crate::api::body::{At, Sent, Wanted, none};
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::grant::PersonView;
use crate::identity::{EndWhy, Standing};

/// A sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigninView {
    /// Its id.
    #[schema(value_type = String)]
    id: SigninId,
    /// Whose.
    identity: PersonView,
    /// `browser`, `link`, `loopback` or `device`.
    method: &'static str,
    /// The name of the provider.
    provider: String,
    /// Where the client is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Whether the call came under it.
    current: bool,
}

/// Whose.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SigninsOf {
    /// One's own.
    #[default]
    Mine,
    /// Everybody's.
    All,
}

/// The query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    scope: Option<SigninsOf>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Sign-ins that stand, newest first
///
/// The newest 500 at most, in one piece.
#[utoipa::path(
    get, path = "/api/v1/signins", tag = "sign-in",
    params(("scope" = Option<SigninsOf>, Query, description = "left out: `mine`; `all` is for auditors and admins"),
           ("limit" = Option<u32>, Query, description = "1 to 500"),
           ("cursor" = Option<String>, Query, description = "taken, and not needed")),
    responses((status = 200, body = List<SigninView>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Wanted(query): Wanted<Query>,
) -> Result<Json<List<SigninView>>, Problem> {
    let limit = slice(query.limit, query.cursor.as_deref())?.limit;
    let of = match query.scope.unwrap_or_default() {
        SigninsOf::Mine => Some(&caller.viewer.identity.id),
        SigninsOf::All => {
            auditors_only(&caller.viewer)?;
            None
        }
    };
    let open = app.grants.store().open_signins(of, app.clock.wall(), limit).await?;
    Ok(Json(List::whole(open.into_iter().map(|standing| view(standing, &caller)).collect())))
}

/// End a sign-in
///
/// One's own, or anybody's for admins, with everything that came from it: its tokens and certificates are worthless
/// and its sessions end at once. Ending one that has ended is no error.
#[utoipa::path(
    post, path = "/api/v1/signins/{id}/revoke", tag = "sign-in", request_body = Nothing,
    params(("id" = String, Path, description = "its id")),
    responses((status = 200, body = SigninView))
)]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    At(id): At<SigninId>,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Json<SigninView>, Problem> {
    let standing = app.identities.standing(&id).await?.ok_or_else(none::<SigninId>)?;
    let own = standing.identity.person == caller.viewer.identity.person;
    if !own {
        if !caller.viewer.roles.reads_everything() {
            return Err(none::<SigninId>());
        }
        admins_only(&caller.viewer)?;
    }
    end(&app, &caller, &id, EndWhy::Revoked).await
}

/// Sign out
///
/// Ends the sign-in that the call came under, and its sessions.
#[utoipa::path(
    post, path = "/api/v1/signout", tag = "sign-in", request_body = Nothing,
    responses((status = 200, body = SigninView))
)]
pub async fn signout(
    State(app): State<App>,
    caller: Caller,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Json<SigninView>, Problem> {
    let id = caller.viewer.signin.id.clone();
    end(&app, &caller, &id, EndWhy::Logout).await
}

async fn end(app: &App, caller: &Caller, id: &SigninId, why: EndWhy) -> Result<Json<SigninView>, Problem> {
    app.identities.end_signin(id, why, caller.actor()).await?;
    let standing = app.identities.standing(id).await?.ok_or_else(none::<SigninId>)?;
    Ok(Json(view(standing, caller)))
}

fn view(standing: Standing, caller: &Caller) -> SigninView {
    let (who, signin) = (standing.identity, standing.signin);
    SigninView {
        current: signin.id == caller.viewer.signin.id,
        id: signin.id,
        identity: PersonView { identity: Some(who.id), email: who.email, name: who.name },
        method: signin.method.as_str(),
        provider: signin.provider,
        address: signin.address,
        created_at: signin.started_at,
        expires_at: signin.ends_at,
        ended_at: signin.ended_at,
    }
}
