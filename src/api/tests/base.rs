//! What all answers have in common, asked in memory.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tower::ServiceExt;

use super::Gate;

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_a_page_safe() {
    let gate = Gate::alone().await;
    for path in ["/style.css", "/nowhere", "/healthz", "/readyz"] {
        let request = Request::get(path).header(header::ACCEPT, "text/html").body(Body::empty()).unwrap();
        let answer = match path {
            // The metrics listener answers it too.
            "/readyz" => crate::api::health(gate.app.clone()).oneshot(request).await.unwrap(),
            _ => gate.router().oneshot(request).await.unwrap(),
        };
        let headers = answer.headers();
        let csp = headers["content-security-policy"].to_str().unwrap();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]
        {
            assert!(csp.contains(part), "{path}: {part}");
        }
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "same-origin");
        assert!(headers.contains_key(header::CACHE_CONTROL));
    }
}

#[tokio::test]
async fn a_path_that_nobody_has_is_a_page_or_a_problem() {
    let gate = Gate::alone().await;
    for (accept, kind) in [("text/html", "text/html; charset=utf-8"), ("*/*", "application/problem+json")] {
        let request = Request::get("/nowhere").header(header::ACCEPT, accept).body(Body::empty()).unwrap();
        let answer = gate.router().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    }
}

#[tokio::test]
async fn the_style_sheet_is_kept_by_browsers_under_its_own_name_only() {
    let gate = Gate::alone().await;
    let page = gate
        .router()
        .oneshot(Request::get("/nowhere").header(header::ACCEPT, "text/html").body(Body::empty()).unwrap());
    let body = axum::body::to_bytes(page.await.unwrap().into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let href = text.split("href=\"").find(|part| part.starts_with("/style.css")).unwrap();
    let named = href.split('"').next().unwrap();
    for (path, keep) in [(named, true), ("/style.css", false), ("/style.css?v=old", false)] {
        let answer = gate.router().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let control = answer.headers()[header::CACHE_CONTROL].to_str().unwrap();
        assert_eq!(control.contains("immutable"), keep, "{path}");
    }
}
