//! The headers that every answer carries.
//!
//! Pages run no script (that of a target runs the one that copies, ours), load nothing but our one style sheet, may not be framed, and are never kept by a cache.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// What a page may do: show itself, fetch our style sheet, and send forms to us.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                          base-uri 'none'; frame-ancestors 'none'";

/// `same-origin` rather than `no-referrer`: with the latter, browsers send `Origin: null` with our own forms.
const ALWAYS: [(&str, &str); 5] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("x-frame-options", "DENY"),
];

/// A policy for a page whose form ends in a redirect to `origin` (a client's loopback address): browsers apply
/// `form-action` to where the redirect leads, too.
pub fn policy_with_form_to(origin: &str) -> Option<HeaderValue> {
    let policy = POLICY.replace("form-action 'self'", &format!("form-action 'self' {origin}"));
    HeaderValue::from_str(&policy).ok()
}

/// Adds them, save where a handler has set its own.
pub async fn add(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
