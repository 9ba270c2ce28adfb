//! The files that pages load: one style sheet.

use std::sync::LazyLock;

use axum::extract::RawQuery;
use axum::http::header;
use axum::response::{IntoResponse, Response};

const STYLE: &str = include_str!("assets/style.css");

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, STYLE.as_bytes());
    data_encoding::HEXLOWER.encode(digest.as_ref()).chars().take(12).collect()
});

/// The style sheet's address; it names the contents, so that browsers may keep them.
pub fn style_url() -> String {
    format!("/style.css?v={}", *STYLE_HASH)
}

/// GET /style.css
pub async fn style(RawQuery(query): RawQuery) -> Response {
    let current = query.as_deref().and_then(|query| query.strip_prefix("v=")) == Some(STYLE_HASH.as_str());
    let keep = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, keep)], STYLE)
        .into_response()
}
