//! What Prometheus scrapes.

use crate::metrics::Metrics;
use crate::session::Parts;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

/// `/metrics`, for the metrics listener alone.
pub fn router(parts: Arc<Parts>) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(parts)
}

async fn metrics(State(parts): State<Arc<Parts>>) -> Response {
    count(&parts, &parts.metrics).await;
    match parts.metrics.encode() {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics can't be encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What is counted at each scrape, because the store and the recorder know it best. A store that does not
/// answer leaves the numbers as they were: `curfew_store_up` says so.
async fn count(parts: &Parts, metrics: &Metrics) {
    if let Ok(requests) = parts.store.count_requests().await {
        for (state, count) in requests {
            metrics.requests.with_label_values(&[state.word()]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
    if let Ok(grants) = parts.store.count_grants().await {
        for (state, count) in grants {
            metrics.grants.with_label_values(&[state.word()]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
    for live in parts.registry.all() {
        live.count_bytes(metrics);
    }
    metrics.recording_backlog.set(parts.recordings.backlog());
    let errors = parts.recordings.errors();
    metrics.recording_errors.inc_by(errors.saturating_sub(metrics.recording_errors.get()));
}
