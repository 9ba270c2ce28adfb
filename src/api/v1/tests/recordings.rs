//! Recordings while they are written, and found by a text.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use curfew_adapter::{Event, RecordSink, Terminal, Text};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::api::tests::Gate;

fn statement(n: u64, text: &str) -> Event<'_> {
    Event::Statement { n, text: Some(text), prepared: None, continues: None, parameters: &[] }
}

#[tokio::test]
async fn a_session_is_watched_while_it_runs_and_that_is_written_down_first() {
    let gate = Gate::alone().await;
    let [alice, bob, .., frank] = gate.everybody().await;
    let grant = gate.granted(&alice, &bob).await;
    let (id, recorder) = gate.live_session(&grant, &alice).await;
    gate.get(&format!("/sessions/{id}/events?follow=true"), &alice).await.is(403);
    let request = Request::get(format!("/api/v1/sessions/{id}/events?follow=true"))
        .header(header::AUTHORIZATION, format!("Bearer {}", frank.bearer))
        .body(Body::empty())
        .unwrap();
    let answer = gate.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let log = gate.audit().await;
    assert!(log.contains(r#""kind":"recording.read""#) && log.contains(r#""how":"watch""#), "{log}");

    let mut body = answer.into_body().into_data_stream();
    let mut next = async || {
        let lines = async {
            loop {
                let line = body.next().await?.unwrap();
                if &line[..] != b"\n" {
                    return Some(serde_json::from_slice::<Value>(&line).unwrap());
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(1), lines).await.unwrap()
    };
    assert_eq!(next().await.unwrap()["kind"], "session");
    for n in 1..3 {
        recorder.append(&statement(n, "SELECT 1")).unwrap();
        assert_eq!(next().await.unwrap()["n"], n);
    }
    gate.end_session(&id, &recorder).await;
    assert_eq!(next().await, None, "the seal is the end");
    // One that is over is shown as it was.
    let all = gate.get(&format!("/sessions/{id}/events?follow=true"), &frank).await.is(200);
    assert_eq!(all.text.lines().count(), 3);
}

#[tokio::test]
async fn who_watches_is_cut_off_when_their_sign_in_ends() {
    let gate = Gate::alone().await;
    let [alice, bob, .., frank] = gate.everybody().await;
    let grant = gate.granted(&alice, &bob).await;
    let (id, _recorder) = gate.live_session(&grant, &alice).await;
    let request = Request::get(format!("/api/v1/sessions/{id}/events?follow=true"))
        .header(header::AUTHORIZATION, format!("Bearer {}", frank.bearer))
        .body(Body::empty())
        .unwrap();
    let mut body = gate.router().oneshot(request).await.unwrap().into_body().into_data_stream();
    assert!(body.next().await.unwrap().unwrap().starts_with(b"{"));
    assert_eq!(&body.next().await.unwrap().unwrap()[..], b"\n", "nothing happened");
    gate.post("/signout", &frank, json!({})).await.is(200);
    while let Some(line) = body.next().await {
        assert_eq!(&line.unwrap()[..], b"\n");
    }
}

#[tokio::test]
async fn a_text_is_found_where_it_was_on_the_screen() {
    let gate = Gate::alone().await;
    let [alice, bob, carol, _, _, frank] = gate.everybody().await;
    let grant = gate.granted(&alice, &bob).await;
    let (first, recorder) = gate.live_session(&grant, &alice).await;
    recorder.append(&statement(1, "SELECT * FROM invoices")).unwrap();
    gate.end_session(&first, &recorder).await;
    gate.backend.hand.advance(Duration::from_secs(60));
    let (second, recorder) = gate.live_session(&grant, &alice).await;
    let terminal = Some(Terminal { term: "xterm", cols: 80, rows: 24 });
    recorder.append(&Event::Channel { ch: 1, purpose: "shell", command: None, terminal }).unwrap();
    for part in ["$ less inv", "\x1b[4moices\x1b[0m", ".csv"] {
        recorder.append(&Event::Output { ch: 1, err: false, data: Text(part.as_bytes()) }).unwrap();
    }
    recorder.flush().await.unwrap();

    for who in [&alice, &carol] {
        gate.get("/search?text=invoices", who).await.is(403);
    }
    for wrong in ["", "?text=", "?text=%20", "?text=x&limit=0", "?text=x&since=yesterday", "?txt=x"] {
        gate.get(&format!("/search{wrong}"), &frank).await.is(400);
    }
    assert!(!gate.audit().await.contains("recordings.searched"));
    let search = async |query: &str| -> Vec<Value> {
        let answer = gate.get(&format!("/search?{query}"), &frank).await.is(200);
        answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let found = search("text=INVOICES").await;
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(
        (&found[0]["session"], &found[0]["place"], &found[0]["channel"], &found[0]["line"]),
        (&json!(second.as_str()), &json!("terminal"), &json!(1), &json!("$ less invoices.csv"))
    );
    assert_eq!(found[0]["who"], "alice@example.com");
    assert_eq!(
        (&found[1]["session"], &found[1]["place"], &found[1]["line"]),
        (&json!(first.as_str()), &json!("statement"), &json!("SELECT * FROM invoices"))
    );
    assert_eq!(found[2], json!({ "done": true, "sessions": 2, "unreadable": 0, "complete": true }));

    let done = |found: &[Value]| found.last().unwrap()["sessions"].as_u64().unwrap();
    let one = search("text=invoices&limit=1").await;
    assert_eq!((one.len(), &one[1]["complete"]), (2, &json!(false)));
    let before = one[1]["before"].as_str().unwrap();
    let rest = search(&format!("text=invoices&before={before}")).await;
    assert_eq!(rest[0]["session"], first.as_str());
    assert_eq!(done(&search("text=invoices&target=stock").await), 0);
    assert_eq!(done(&search("text=invoices&who=Alice@example.com&target=orders").await), 2);
    assert_eq!(done(&search("text=invoices&who=carol@example.com").await), 0);
    let now = gate.app.clock.wall();
    assert_eq!(done(&search(&format!("text=nothing&since={now}")).await), 1, "only the one that runs");

    let log = gate.audit().await;
    let searched: Vec<_> = log.lines().filter(|line| line.contains("recordings.searched")).collect();
    assert!(searched[0].contains(r#""text":"INVOICES""#) && searched[0].contains("frank@example.com"));
    let read =
        log.lines().filter(|line| line.contains("recording.read") && line.contains(r#""how":"search""#));
    assert_eq!(read.count(), 6, "of two, one, one and two something was shown");
}
