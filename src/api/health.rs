//! Whether the node lives, and whether it may be sent clients: for load balancers and service managers.
//!
//! Open to anybody, so it says yes or why not, and nothing else.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;

/// Both routes.
pub(super) fn router() -> Router<App> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready))
}

/// Ready: the store answers, and the node does not drain.
async fn ready(State(app): State<App>) -> Response {
    if app.sessions.draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    match app.grants.store().ping().await {
        Ok(()) => "ok\n".into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response(),
    }
}
