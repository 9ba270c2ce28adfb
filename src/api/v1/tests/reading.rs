//! Sessions, their recordings and the audit log: who reads them, and that it is written down.

use axum::http::header;
use serde_json::{Value, json};

use crate::api::tests::Gate;
use crate::api::tests::world::Answer;
use crate::audit::{Checkpoint, PublicKeys};
use crate::record::Verification;

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn jumpserver_cve_2023_42442_recordings_are_for_auditors_alone_and_each_reading_is_written_down() {
    let gate = Gate::alone().await;
    let [alice, bob, carol, dave, _, frank] = gate.everybody().await;
    let grant = gate.granted(&alice, &bob).await;
    let id = gate.session(&grant, &alice, false).await;
    for what in ["events", "recording"] {
        let path = format!("/sessions/{id}/{what}");
        gate.get(&path, &carol).await.is(404);
        gate.get(&path, &bob).await.is(404);
        gate.get(&path, &alice).await.is(403);
    }
    assert!(!gate.audit().await.contains("recording.read"));

    let events = gate.get(&format!("/sessions/{id}/events"), &frank).await.is(200);
    assert_eq!(events.headers[header::CONTENT_TYPE], "application/x-ndjson");
    let first = &lines(&events)[0];
    assert_eq!((&first["kind"], &first["session"]), (&json!("session"), &json!(id.as_str())));

    let recording = gate.get(&format!("/sessions/{id}/recording"), &dave).await.is(200);
    let name = recording.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert_eq!(name, format!("attachment; filename=\"{id}.curfew\""));
    let log = gate.audit().await;
    let read: Vec<_> = log.lines().filter(|line| line.contains("recording.read")).collect();
    assert_eq!(read.len(), 2);
    assert!(read[0].contains("frank@example.com") && read[1].contains("dave@example.com"), "{read:?}");
}

#[tokio::test]
async fn an_exported_recording_verifies_with_the_keys_that_the_gate_tells() {
    let gate = Gate::alone().await;
    let [alice, bob, .., frank] = gate.everybody().await;
    let grant = gate.granted(&alice, &bob).await;
    let id = gate.session(&grant, &alice, false).await;
    let keys = gate.get("/keys", &frank).await.is(200).json();
    let keys = PublicKeys::from_pem(keys[0]["pem"].as_str().unwrap()).unwrap();
    let request = axum::http::Request::get(format!("/api/v1/sessions/{id}/recording"))
        .header(header::AUTHORIZATION, format!("Bearer {}", frank.bearer))
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = tower::ServiceExt::oneshot(gate.router(), request).await.unwrap();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let mut verification = Verification::new(&keys, Some(id.as_str()));
    verification.push(&bytes);
    let report = verification.finish(false, None);
    assert!(report.sealed && report.is_sound(), "{report:?}");
}

#[tokio::test]
async fn sessions_are_their_owners_and_auditors_to_see_and_admins_to_kill() {
    let gate = Gate::alone().await;
    let [alice, bob, carol, dave, _, frank] = gate.everybody().await;
    let grant = gate.granted(&alice, &bob).await;
    let over = gate.session(&grant, &alice, false).await;
    let live = gate.session(&grant, &alice, true).await;
    let count = async |who, query: &str| {
        let list = gate.get(&format!("/sessions{query}"), who).await.is(200).json();
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(count(&alice, "").await, 2);
    assert_eq!(count(&frank, "?live=true").await, 1);
    assert_eq!(count(&carol, &format!("?grant={grant}")).await, 0);
    gate.get("/sessions?grant=x", &frank).await.is(400);
    let shown = gate.get(&format!("/sessions/{over}"), &alice).await.is(200);
    assert_eq!(
        (shown.get("end_reason"), shown.json()["bytes_out"].clone()),
        ("client_closed".into(), json!(20))
    );
    assert_eq!(shown.json()["identity"]["email"], "alice@example.com");

    let kill = format!("/sessions/{live}/kill");
    gate.post(&kill, &carol, json!({})).await.is(404);
    for who in [&alice, &frank] {
        gate.post(&kill, who, json!({})).await.is(403);
    }
    assert!(gate.live.killed.lock().unwrap().is_empty());
    gate.post(&kill, &dave, json!({ "reason": "odd traffic" })).await.is(200);
    gate.post(&format!("/sessions/{over}/kill"), &dave, json!({})).await.is(409);
    assert_eq!(*gate.live.killed.lock().unwrap(), [live]);
}

#[tokio::test]
async fn the_audit_log_comes_as_it_is_and_its_reading_is_in_it() {
    let gate = Gate::alone().await;
    let [alice, bob, .., frank] = gate.everybody().await;
    gate.granted(&alice, &bob).await;
    for who in [&alice, &bob] {
        gate.get("/audit", who).await.is(403);
        gate.get("/audit/checkpoints", who).await.is(403);
    }
    let all = gate.get("/audit", &frank).await.is(200);
    assert_eq!(all.text, gate.audit().await, "the exact lines");
    let report = crate::audit::chain::verify(
        all.text.lines().map(|line| line.as_bytes().to_vec()),
        None::<Vec<Vec<u8>>>,
        &PublicKeys::default(),
    );
    assert!(crate::audit::finding::sound(&report.findings), "{report:?}");
    let told = lines(&all);
    assert_eq!(told.last().unwrap()["kind"], "audit.read");
    assert_eq!(told.last().unwrap()["how"], "export");

    // Reading on is the same reading.
    let rest = gate.get("/audit?after=2&limit=3", &frank).await.is(200);
    assert_eq!(
        lines(&rest).iter().map(|line| line["seq"].clone()).collect::<Vec<_>>(),
        [json!(3), json!(4), json!(5)]
    );
    assert_eq!(gate.audit().await.matches("audit.read").count(), 1);
    gate.backend.hand.advance(std::time::Duration::from_secs(600));
    gate.get("/audit?after=2", &frank).await.is(200);
    assert_eq!(gate.audit().await.matches("audit.read").count(), 2);
}

#[tokio::test]
async fn a_tail_waits_for_the_next_line() {
    let gate = Gate::alone().await;
    let [alice, .., frank] = gate.everybody().await;
    gate.get("/audit", &frank).await.is(200);
    let after = gate.backend.store.audit_head().await.unwrap().seq;
    let path = format!("/audit?after={after}&wait_seconds=30");
    let (tail, asked) = tokio::join!(gate.get(&path, &frank), gate.pending(&alice));
    let told = lines(&tail.is(200));
    assert_eq!((&told[0]["kind"], &told[0]["request"]), (&json!("request.created"), &json!(asked)));
    gate.get("/audit?wait_seconds=31", &frank).await.is(400);
}

#[tokio::test]
async fn checkpoints_come_as_whole_lines() {
    let gate = Gate::alone().await;
    let frank = gate.person("frank", &["security"]).await;
    assert_eq!(gate.get("/audit/checkpoints", &frank).await.is(200).text, "");
    let head = gate.backend.store.audit_head().await.unwrap();
    let line = Checkpoint::new(gate.app.clock.wall(), "gate-1", head, Vec::new()).sign(&gate.key).unwrap();
    std::fs::write(&gate.app.checkpoints, format!("{line}\n{line}\n{{\"half")).unwrap();
    let told = gate.get("/audit/checkpoints", &frank).await.is(200);
    assert_eq!(told.text, format!("{line}\n{line}\n"));
}
