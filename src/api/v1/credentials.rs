//! Connection credentials: a name and a secret for programs that know no other way of signing in.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use curfew_adapter::{Only, Protocol};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::list::List;
use super::signins::SigninsOf;
use crate::api::acting::auditors_only;
use crate::api::body::{Sent, Wanted};
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::grant::TargetView;
use crate::identity::{CredentialError, CredentialRecord, SigninError};

/// What a credential is to be good for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// A Postgres target that one may reach or ask for.
    target: String,
    /// An account there.
    account: String,
}

/// A credential, with its secret: it is told once.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeView {
    #[serde(flatten)]
    credential: CredentialView,
    /// What to give as the password.
    password: String,
}

/// A credential.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialView {
    /// Its name: what to give as the user.
    user: String,
    /// The one target that it is good for.
    target: String,
    /// The one account there.
    account: String,
    /// Whose it is.
    email: String,
    /// The sign-in that it stands for.
    signin: String,
    /// Where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the sign-in ends by itself, and the credential is worthless.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// The query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    scope: Option<SigninsOf>,
}

/// Which credential.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Its name: `c-…`
    user: String,
}

/// Get a connection credential
///
/// For GUI clients and drivers. It still takes a grant to connect. Its secret is kept nowhere, so that there is no
/// Idempotency-Key: a call that is repeated makes another credential.
#[utoipa::path(
    post, path = "/api/v1/credentials", tag = "sign-in", request_body = Wish,
    responses((status = 201, body = MadeView))
)]
pub async fn make(
    State(app): State<App>,
    caller: Caller,
    Sent(wish): Sent<Wish>,
) -> Result<(StatusCode, Json<MadeView>), Problem> {
    let offers = app.grants.offers(&(&caller).into()).await?;
    let only = offered(&offers, &wish.target, &wish.account)?;
    let made = app.identities.make_credential(&caller.viewer, &only, Some(caller.address)).await;
    let (credential, secret) = made.map_err(refused)?;
    let password = secret.reveal().to_owned();
    Ok((StatusCode::CREATED, Json(MadeView { credential: credential.into(), password })))
}

/// Connection credentials, newest first
#[utoipa::path(
    get, path = "/api/v1/credentials", tag = "sign-in",
    params(("scope" = Option<SigninsOf>, Query, description = "left out: `mine`; `all` is for auditors and admins")),
    responses((status = 200, body = List<CredentialView>))
)]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Wanted(query): Wanted<Query>,
) -> Result<Json<List<CredentialView>>, Problem> {
    let of = match query.scope.unwrap_or_default() {
        SigninsOf::Mine => Some(&caller.viewer.identity),
        SigninsOf::All => {
            auditors_only(&caller.viewer)?;
            None
        }
    };
    let made = app.identities.credentials(of).await?;
    Ok(Json(List::whole(made.into_iter().map(CredentialView::from).collect())))
}

/// Take a credential away
///
/// One's own, or anybody's for admins. Sessions that it signed in go on under their sign-in; to end these, end that.
#[utoipa::path(
    post, path = "/api/v1/credentials/revoke", tag = "sign-in", request_body = Which,
    responses((status = 204))
)]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Sent(which): Sent<Which>,
) -> Result<StatusCode, Problem> {
    let of = (!caller.viewer.roles.admin).then_some(&caller.viewer.identity);
    if app.identities.remove_credential(&which.user, of, caller.actor()).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let sentence = format!("No sign-in of yours has a credential {}.", which.user);
    Err(Problem::not_found(sentence).hint("See them with `curfew credentials`."))
}

/// The target and account that a credential may be made for.
pub(in crate::api) fn offered(offers: &[TargetView], target: &str, account: &str) -> Result<Only, Problem> {
    let found = offers.iter().find(|offer| offer.name == target);
    let found = found.filter(|offer| offer.accounts.iter().any(|known| known.name == account));
    let found = found.ok_or_else(|| {
        let sentence =
            format!("There is no target {target} with an account {account} that you may reach or ask for.");
        Problem::not_found(sentence).hint("`curfew targets` lists what there is.")
    })?;
    if found.protocol != Protocol::Postgres.as_str() {
        let sentence =
            format!("The target {target} speaks {}, and credentials are for Postgres.", found.protocol);
        return Err(
            Problem::unprocessable(sentence).hint("Connect with `curfew ssh`, or with `curfew ssh-config`.")
        );
    }
    Ok(Only { target: target.to_owned(), account: account.to_owned() })
}

/// Why a credential was not made.
pub(in crate::api) fn refused(error: CredentialError) -> Problem {
    match error {
        CredentialError::Signin(SigninError::Store(error)) => error.into(),
        error => Problem::conflict(format!("{}.", crate::api::sentence(&error.to_string()))),
    }
}

impl From<CredentialRecord> for CredentialView {
    fn from(made: CredentialRecord) -> Self {
        Self {
            user: made.name,
            target: made.target,
            account: made.account,
            email: made.email,
            signin: made.signin.to_string(),
            address: made.address,
            created_at: made.made_at,
            expires_at: made.ends_at,
        }
    }
}
