//! What is not understood, too much, or in the wrong place is refused as problem+json.

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::json;

use crate::api::BODY_MAX;
use crate::api::tests::Gate;
use crate::api::tests::world::Answer;

async fn raw(gate: &Gate, bearer: &str, kind: &str, body: Vec<u8>) -> Answer {
    let request = Request::post("/api/v1/requests")
        .header(header::AUTHORIZATION, format!("Bearer {bearer}"))
        .header(header::CONTENT_TYPE, kind)
        .body(Body::from(body))
        .unwrap();
    gate.send(request).await
}

#[tokio::test]
async fn a_body_is_read_strictly() {
    let gate = Gate::alone().await;
    let alice = gate.person("alice", &["sre"]).await;
    let send = async |kind: &'static str, body: &str| {
        raw(&gate, &alice.bearer, kind, body.as_bytes().to_vec()).await
    };
    let json = "application/json";
    let answer = send(json, r#"{"target":"orders","durationseconds":60}"#).await.is(422);
    assert!(answer.get("detail").contains("unknown field `durationseconds`"), "{}", answer.text);
    send(json, r#"{"target":"orders","target":"stock"}"#).await.is(422);
    send(json, r#"{"target":7}"#).await.is(422);
    send(json, r#"{"target":"orders","duration_seconds":-1}"#).await.is(422);
    send(json, r#"{"target":"#).await.is(400);
    send(json, r#"[]"#).await.is(422);
    send("text/plain", r#"{"target":"orders"}"#).await.is(415);
    send("application/x-www-form-urlencoded", "target=orders").await.is(415);
    send("application/json; charset=utf-8", r#"{"target":"nowhere"}"#).await.is(404);
    let long = format!(r#"{{"target":"{}"}}"#, "x".repeat(BODY_MAX));
    send(json, &long).await.is(413);
}

#[tokio::test]
async fn paths_methods_and_queries_that_are_none_are_problems() {
    let gate = Gate::alone().await;
    let alice = gate.person("alice", &["sre"]).await;
    gate.get("/nowhere", &alice).await.is(404);
    gate.get("/requests/..%2f..%2fetc", &alice).await.is(404);
    gate.get("/requests/gra_abc", &alice).await.is(404);
    let answer = gate.call(Method::DELETE, "/requests", &alice, None).await.is(405);
    assert!(answer.headers[header::ALLOW].to_str().unwrap().contains("POST"), "{:?}", answer.headers);
    for query in ["?scope=yours", "?stat=pending", "?state=open", "?limit=0", "?limit=501", "?cursor=x"] {
        gate.get(&format!("/requests{query}"), &alice).await.is(400);
    }
    // Browsers get the same here as programs.
    let request = Request::get("/api/v1/nowhere").header(header::ACCEPT, "text/html").body(Body::empty());
    gate.send(request.unwrap()).await.is(404);
}

#[tokio::test]
async fn teleport_13_4_0_each_kind_of_token_counts_in_its_own_place_only() {
    let gate = Gate::alone().await;
    let alice = gate.person("alice", &["sre"]).await;
    let send = async |method: Method, name: &'static str, value: String| {
        let body = if method == Method::POST { Body::from("{\"target\":\"stock\"}") } else { Body::empty() };
        let request = Request::builder()
            .method(method)
            .uri("/api/v1/requests")
            .header(name, value)
            .header(header::CONTENT_TYPE, "application/json");
        gate.send(request.body(body).unwrap()).await
    };
    let cookie = |token: &str| format!("__Host-curfew-signin={token}");
    send(Method::GET, "cookie", cookie(&alice.cookie)).await.is(200);
    // A form of another site may carry the cookie, so no change goes by it.
    send(Method::POST, "cookie", cookie(&alice.cookie)).await.is(401);
    send(Method::GET, "cookie", cookie(&alice.bearer)).await.is(401);
    send(Method::GET, "authorization", format!("Bearer {}", alice.cookie)).await.is(401);
    send(Method::POST, "authorization", format!("Bearer {}", alice.cookie)).await.is(401);
    send(Method::GET, "authorization", format!("Basic {}", alice.bearer)).await.is(401);
    send(Method::GET, "authorization", alice.bearer.clone()).await.is(401);
    let answer = send(Method::GET, "x-token", alice.bearer.clone()).await.is(401);
    assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer realm=\"curfew\"");
    // Not in the address either, where proxies would log it.
    let request = Request::get(format!("/api/v1/requests?access_token={}", alice.bearer)).body(Body::empty());
    gate.send(request.unwrap()).await.is(401);
}

#[tokio::test]
async fn no_other_site_may_read_the_api() {
    let gate = Gate::alone().await;
    let alice = gate.person("alice", &["sre"]).await;
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/api/v1/requests")
        .header(header::ORIGIN, "https://evil.example")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
    let answer = gate.send(request.body(Body::empty()).unwrap()).await.is(405);
    assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    let answer = gate.get("/whoami", &alice).await.is(200);
    assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn a_disabled_identity_gets_nothing_and_is_told_why() {
    let gate = Gate::alone().await;
    let [alice, .., dave, _, _] = gate.everybody().await;
    let id = alice.viewer.identity.id.to_string();
    gate.post(&format!("/identities/{id}/disable"), &dave, json!({ "reason": "left" })).await.is(200);
    // Its sign-ins ended with it.
    gate.get("/whoami", &alice).await.is(401);
    gate.post(&format!("/identities/{id}/enable"), &dave, json!({})).await.is(200);
    gate.get("/whoami", &alice).await.is(401);
}
