//! The files that pages load: one style sheet, and the script of the buttons that copy.

use std::sync::LazyLock;

use axum::extract::RawQuery;
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// A file, at an address that names its contents, so that browsers may keep them.
struct Asset {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
    hash: LazyLock<String>,
}

static STYLE: Asset = Asset {
    path: "/style.css",
    kind: "text/css; charset=utf-8",
    text: include_str!("assets/style.css"),
    hash: LazyLock::new(|| hash(STYLE.text)),
};

static SCRIPT: Asset = Asset {
    path: "/copy.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("assets/copy.js"),
    hash: LazyLock::new(|| hash(SCRIPT.text)),
};

impl Asset {
    fn url(&self) -> String {
        format!("{}?v={}", self.path, *self.hash)
    }

    fn answer(&self, query: Option<&str>) -> Response {
        let current = query.and_then(|query| query.strip_prefix("v=")) == Some(self.hash.as_str());
        let keep = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
        ([(header::CONTENT_TYPE, self.kind), (header::CACHE_CONTROL, keep)], self.text).into_response()
    }
}

fn hash(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    data_encoding::HEXLOWER.encode(digest.as_ref()).chars().take(12).collect()
}

/// The style sheet's address.
pub fn style_url() -> String {
    STYLE.url()
}

/// The script's address.
pub fn script_url() -> String {
    SCRIPT.url()
}

/// GET /style.css
pub async fn style(RawQuery(query): RawQuery) -> Response {
    STYLE.answer(query.as_deref())
}

/// GET /copy.js
pub async fn script(RawQuery(query): RawQuery) -> Response {
    SCRIPT.answer(query.as_deref())
}
