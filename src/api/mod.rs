//! The HTTP side: pages, sign-in, the OAuth endpoints and the API, put together.
//!
//! Owns what is common to all: headers, cookies, proofs against forged forms, errors. It never touches the store
//! itself, and decides nothing about access: services do.

pub mod acting;
pub mod address;
mod assets;
pub mod body;
pub mod cookies;
pub mod csrf;
mod device;
pub mod headers;
mod health;
mod link;
pub mod next;
mod oauth;
pub mod page;
mod pages;
pub mod problem;
mod refused;
mod signin;
pub mod site;
#[cfg(test)]
pub(crate) mod tests;
pub mod v1;
pub mod who;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use crate::app::App;

/// No form and no call of the API is longer, in bytes.
pub const BODY_MAX: usize = 64 * 1024;

/// Everything that the HTTP listener answers. The listener adds [`address::PeerAddress`] to each request.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/style.css", get(assets::style))
        .route("/copy.js", get(assets::script))
        .route("/signin", get(signin::choose))
        .route("/signin/{provider}", get(signin::leave))
        .route("/oidc/callback/{provider}", get(signin::back).post(signin::back_by_form))
        .route("/signout", post(signin::out))
        .route("/.well-known/oauth-authorization-server", get(oauth::metadata))
        .route("/.well-known/openid-configuration", get(oauth::metadata))
        .route("/oauth/authorize", get(oauth::authorize).post(oauth::consent))
        .route("/oauth/token", post(oauth::token))
        .route("/oauth/device_authorization", post(oauth::device))
        .route("/oauth/revoke", post(oauth::revoke))
        .route("/device", get(device::ask).post(device::answer))
        .route("/link/{id}", get(link::show).post(link::answer))
        .merge(health::router())
        .merge(pages::router())
        .merge(v1::router())
        .fallback(page::not_found)
        .method_not_allowed_fallback(page::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn(headers::add))
        .with_state(app)
}

/// What the metrics listener answers besides: the same `/healthz` and `/readyz`, with the same headers.
pub fn health(app: App) -> Router {
    health::router().layer(from_fn(headers::add)).with_state(app)
}

/// An error's text as a sentence: with a capital letter in front.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
