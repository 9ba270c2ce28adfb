//! A creating call that is repeated creates once.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use crate::api::tests::Gate;
use crate::api::tests::world::{Answer, Somebody};

async fn keyed(gate: &Gate, path: &str, by: &Somebody, key: &str, body: &Value) -> Answer {
    let request = Request::post(format!("/api/v1{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {}", by.bearer))
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", key)
        .body(Body::from(body.to_string()))
        .unwrap();
    gate.send(request).await
}

#[tokio::test]
async fn a_repeated_ask_asks_once_and_answers_the_same() {
    let gate = Gate::alone().await;
    let [alice, _, carol, ..] = gate.everybody().await;
    let ask = json!({ "target": "orders", "account": "orders_read", "reason": "slow" });
    let first = keyed(&gate, "/requests", &alice, "k1", &ask).await.is(201);
    let again = keyed(&gate, "/requests", &alice, "k1", &ask).await.is(201);
    assert_eq!(first.text, again.text);
    let other = json!({ "target": "orders", "account": "orders_read", "reason": "another" });
    keyed(&gate, "/requests", &alice, "k1", &other).await.is(422);
    // The key is a person's own.
    let hers = keyed(&gate, "/requests", &carol, "k1", &ask).await.is(201);
    assert_ne!(hers.get("id"), first.get("id"));
    keyed(&gate, "/requests", &alice, "", &ask).await.is(422);
    keyed(&gate, "/requests", &alice, &"k".repeat(500), &ask).await.is(422);
    let mine = gate.get("/requests", &alice).await.json();
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);

    gate.backend.hand.advance(std::time::Duration::from_secs(24 * 3600 - 60));
    let alice = gate.person("alice", &["sre"]).await;
    let late = keyed(&gate, "/requests", &alice, "k1", &ask).await.is(201);
    assert_eq!(late.get("id"), first.get("id"));
    gate.backend.hand.advance(std::time::Duration::from_secs(120));
    let fresh = keyed(&gate, "/requests", &alice, "k1", &ask).await.is(201);
    assert_ne!(fresh.get("id"), first.get("id"));
}

#[tokio::test]
async fn twins_sent_at_once_make_one() {
    let gate = Gate::alone().await;
    let [alice, bob, ..] = gate.everybody().await;
    let ask = json!({ "target": "orders", "account": "orders_read", "reason": "slow" });
    let twins = (0..8).map(|_| keyed(&gate, "/requests", &alice, "twin", &ask));
    let ids: std::collections::BTreeSet<_> = futures_util::future::join_all(twins)
        .await
        .into_iter()
        .map(|answer| answer.is(201).get("id"))
        .collect();
    assert_eq!(ids.len(), 1);

    let grant = gate.granted(&alice, &bob).await;
    let path = format!("/grants/{grant}/extend");
    let more = json!({});
    let twins = (0..4).map(|_| keyed(&gate, &path, &alice, "more", &more));
    let ids: std::collections::BTreeSet<_> = futures_util::future::join_all(twins)
        .await
        .into_iter()
        .map(|answer| answer.is(201).get("id"))
        .collect();
    assert_eq!(ids.len(), 1);
    // The same key at another address is another wish.
    keyed(&gate, "/requests", &alice, "more", &ask).await.is(422);
}

#[tokio::test]
async fn two_approvers_at_once_make_one_grant() {
    let gate = Gate::alone().await;
    let [alice, bob, _, _, erin, _] = gate.everybody().await;
    let path = format!("/requests/{}/approve", gate.pending(&alice).await);
    let yes = [&bob, &erin, &bob, &erin].map(|by| gate.post(&path, by, json!({})));
    let answers = futures_util::future::join_all(yes).await;
    let granted = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(granted, 1, "{answers:?}");
    assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status.as_u16())), "{answers:?}");
    let held = gate.get("/grants", &alice).await.json();
    assert_eq!(held["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_repeated_call_for_a_certificate_makes_only_one() {
    let gate = Gate::alone().await;
    let [alice, bob, ..] = gate.everybody().await;
    let csr = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
        json!({ "csr": request.pem().unwrap() })
    };
    let ask = csr();
    let path = "/certificates";
    let first = keyed(&gate, path, &alice, "c1", &ask).await.is(201);
    let again = keyed(&gate, path, &alice, "c1", &ask).await.is(201);
    assert_eq!(first.text, again.text);
    let other = keyed(&gate, path, &alice, "c2", &ask).await.is(201);
    assert_ne!(first.get("certificate"), other.get("certificate"));
    keyed(&gate, path, &alice, "c1", &csr()).await.is(422);
    keyed(&gate, path, &alice, "", &ask).await.is(422);
    // Hers is hers.
    let his = keyed(&gate, path, &bob, "c1", &ask).await.is(201);
    assert_ne!(first.get("certificate"), his.get("certificate"));
    // What was made under one sign-in is worth nothing under the next, so it is not given out there.
    let anew = gate.person("alice", &["sre"]).await;
    keyed(&gate, path, &anew, "c1", &ask).await.is(422);
    // Neither is a key of one kind of call good for another.
    let request = json!({ "target": "orders", "account": "orders_read", "reason": "slow" });
    keyed(&gate, "/requests", &alice, "c1", &request).await.is(422);
    let twins = (0..4).map(|_| keyed(&gate, path, &alice, "twin", &ask));
    let made: std::collections::BTreeSet<_> =
        futures_util::future::join_all(twins).await.into_iter().map(|answer| answer.is(201).text).collect();
    assert_eq!(made.len(), 1);
}
