//! What anybody may know of the gate: where it listens, whose certificates to believe, which keys sign.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::document::document;
use super::ssh::SshFacts;
use crate::app::App;

/// The public facts, put together by `serve`.
#[derive(Clone, Debug, Default)]
pub struct GateFacts {
    /// Where clients find each protocol.
    pub listeners: Vec<ListenerFact>,
    /// The certificate of the gate's authority, in PEM.
    pub authority_pem: String,
    /// Its SHA-256.
    pub fingerprint: String,
    /// Its keys for SSH.
    pub ssh: SshFacts,
    /// The keys that seals and checkpoints are signed with: id and PEM of each.
    pub keys: Vec<(String, String)>,
}

/// Where clients find a protocol.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListenerFact {
    /// The protocol.
    pub protocol: String,
    /// Host and port, as clients should name them.
    pub address: String,
}

/// The gate.
#[derive(Debug, Serialize, ToSchema)]
pub struct GateView {
    /// Curfew's version.
    version: &'static str,
    /// Where people find the pages.
    public_url: String,
    /// Where clients find each protocol.
    listeners: Vec<ListenerFact>,
}

/// The gate's authority.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthorityView {
    /// Its certificate in PEM.
    certificate: String,
    /// The SHA-256 of it: to be compared on a way that leads past the gate.
    fingerprint: String,
}

/// A public key.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// Its id, as signed lines name it.
    key: String,
    /// The key in PEM.
    pem: String,
}

/// The authority that the gate's certificates come from
#[utoipa::path(
    get, path = "/api/v1/ca", tag = "gate", security(()), responses((status = 200, body = AuthorityView))
)]
pub async fn authority(State(app): State<App>) -> Json<AuthorityView> {
    let (certificate, fingerprint) = (app.gate.authority_pem.clone(), app.gate.fingerprint.clone());
    Json(AuthorityView { certificate, fingerprint })
}

/// The keys that seals and checkpoints are signed with
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "gate", security(()), responses((status = 200, body = Vec<KeyView>))
)]
pub async fn keys(State(app): State<App>) -> Json<Vec<KeyView>> {
    Json(app.gate.keys.iter().map(|(key, pem)| KeyView { key: key.clone(), pem: pem.clone() }).collect())
}

/// Where the gate listens
#[utoipa::path(
    get, path = "/api/v1/gate", tag = "gate", security(()), responses((status = 200, body = GateView))
)]
pub async fn gate(State(app): State<App>) -> Json<GateView> {
    Json(GateView {
        version: env!("CARGO_PKG_VERSION"),
        public_url: app.site.origin(),
        listeners: app.gate.listeners.clone(),
    })
}

/// This document
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "gate", security(()),
    responses((status = 200, body = serde_json::Value))
)]
pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}
