//! Who calls.

use axum::Json;
use axum::extract::State;
use curfew_adapter::{IdentityId, IdentityKind, SigninId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::acting::roles;
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
pub struct Whoami {
    /// Who.
    identity: MyIdentity,
    /// `user`, and of `approver`, `auditor` and `admin` those that apply.
    roles: Vec<&'static str>,
    /// The sign-in that the call came under.
    signin: MySignin,
}

/// The caller's identity.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyIdentity {
    /// Its id.
    #[schema(value_type = String)]
    identity: IdentityId,
    /// The verified email.
    email: String,
    /// What to call them.
    name: String,
    /// `user` or `service`.
    kind: &'static str,
    /// As the provider told at the last sign-in.
    groups: Vec<String>,
}

/// The caller's sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub struct MySignin {
    /// Its id.
    #[schema(value_type = String)]
    id: SigninId,
    /// `browser`, `link`, `loopback` or `device`.
    method: &'static str,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// `user` or `service`.
pub(super) const fn kind(kind: IdentityKind) -> &'static str {
    match kind {
        IdentityKind::User => "user",
        IdentityKind::Service => "service",
    }
}

/// Who calls
///
/// The identity, its roles in Curfew, and the sign-in.
#[utoipa::path(get, path = "/api/v1/whoami", tag = "sign-in", responses((status = 200, body = Whoami)))]
pub async fn whoami(State(app): State<App>, caller: Caller) -> Result<Json<Whoami>, Problem> {
    let roles = roles(&app, &caller.viewer).await?;
    let (who, signin) = (caller.viewer.identity, caller.viewer.signin);
    let kind = kind(who.kind);
    Ok(Json(Whoami {
        identity: MyIdentity { identity: who.id, email: who.email, name: who.name, kind, groups: who.groups },
        roles,
        signin: MySignin { id: signin.id, method: signin.method.as_str(), expires_at: signin.ends_at },
    }))
}
