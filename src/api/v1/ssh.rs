//! What SSH clients need beside their sign-in: certificates, bound keys, the gate's SSH authorities.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::certificates::{CertificateView, refused};
use super::list::List;
use super::signins::SigninsOf;
use crate::api::acting::auditors_only;
use crate::api::body::{Creating, Sent, Wanted};
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::identity::KeyRecord;

/// The gate's keys for SSH, each one line: algorithm and base64.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct SshFacts {
    /// Signs the gate's host certificate: the key of the `@cert-authority` line in known_hosts.
    pub authority: String,
    /// Signs the certificates of sessions at targets: their `TrustedUserCAKeys`.
    pub sessions: String,
    /// The gate's host key.
    pub host_key: String,
}

/// A request for an SSH certificate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyToSign {
    /// The public key: algorithm and base64.
    key: String,
}

/// A key that is bound to a sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub struct BoundKey {
    /// `SHA256:…`: its name.
    fingerprint: String,
    /// Algorithm and base64.
    key: String,
    /// Whose it is.
    email: String,
    /// The sign-in that it stands for.
    signin: String,
    /// Where the client that proved it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the sign-in ends by itself, and the key is worthless.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// The query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    scope: Option<SigninsOf>,
}

/// Which key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhichKey {
    /// `SHA256:…`
    fingerprint: String,
}

/// The gate's keys for SSH
#[utoipa::path(get, path = "/api/v1/ssh", tag = "gate", security(()), responses((status = 200, body = SshFacts)))]
pub async fn facts(State(app): State<App>) -> Json<SshFacts> {
    Json(app.gate.ssh.clone())
}

/// Get an SSH user certificate
///
/// With which `ssh` connects in silence. It is worth nothing once the sign-in is over.
#[utoipa::path(
    post, path = "/api/v1/ssh/certificates", tag = "sign-in", request_body = KeyToSign,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes only one in 24 hours, for one sign-in")),
    responses((status = 201, body = CertificateView))
)]
pub async fn certify(
    State(app): State<App>,
    caller: Caller,
    wanted: Creating<KeyToSign>,
) -> Result<(StatusCode, Json<CertificateView>), Problem> {
    let made = app.identities.certify_key(&caller.viewer, &wanted.value.key, wanted.once).await;
    let made = made.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// SSH keys that are bound to sign-ins, newest first
#[utoipa::path(
    get, path = "/api/v1/ssh/keys", tag = "sign-in",
    params(("scope" = Option<SigninsOf>, Query, description = "left out: `mine`; `all` is for auditors and admins")),
    responses((status = 200, body = List<BoundKey>))
)]
pub async fn keys(
    State(app): State<App>,
    caller: Caller,
    Wanted(query): Wanted<Query>,
) -> Result<Json<List<BoundKey>>, Problem> {
    let of = match query.scope.unwrap_or_default() {
        SigninsOf::Mine => Some(&caller.viewer.identity),
        SigninsOf::All => {
            auditors_only(&caller.viewer)?;
            None
        }
    };
    let bound = app.identities.keys(of).await?;
    Ok(Json(List::whole(bound.into_iter().map(BoundKey::from).collect())))
}

/// Take a key away from its sign-in
///
/// One's own, or anybody's for admins. Sessions that it signed in go on under their sign-in; to end these, end that.
#[utoipa::path(
    post, path = "/api/v1/ssh/keys/revoke", tag = "sign-in", request_body = WhichKey,
    responses((status = 204))
)]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Sent(which): Sent<WhichKey>,
) -> Result<StatusCode, Problem> {
    let of = (!caller.viewer.roles.admin).then_some(&caller.viewer.identity);
    if app.identities.remove_key(&which.fingerprint, of, caller.actor()).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let sentence = format!("No key {} is bound to a sign-in of yours.", which.fingerprint);
    Err(Problem::not_found(sentence).hint("See them with `curfew keys`."))
}

impl From<KeyRecord> for BoundKey {
    fn from(key: KeyRecord) -> Self {
        Self {
            fingerprint: key.fingerprint,
            key: key.line,
            email: key.email,
            signin: key.signin.to_string(),
            address: key.address,
            created_at: key.made_at,
            expires_at: key.ends_at,
        }
    }
}
