//! Sessions and their recordings, made by the real writer.

use std::path::Path;
use std::sync::Arc;

use curfew_adapter::{Clock, EndReason, Event, ParameterPolicy, RecordSink, SessionId};
use futures_util::TryStreamExt;
use serde_json::json;

use super::fake::{Fake, Person};
use crate::audit::SigningKey;
use crate::cli::Exit;
use crate::record::opening::{Opening, Policy, Who};
use crate::record::{Folders, Writer};

/// A recording of two statements in this folder, and as a file.
async fn recorded(folder: &Path, key: &Arc<SigningKey>) -> (SessionId, Vec<u8>) {
    let folders = Folders::open(url::Url::from_directory_path(folder).unwrap().as_str()).unwrap();
    let writer = Writer::start(folders, key.clone(), Clock::system()).unwrap();
    let who = Who { id: "ide_a".to_owned(), email: "alice@example.com".to_owned(), name: "Alice".to_owned() };
    let opening = Opening {
        session: SessionId::random(),
        protocol: "postgres".to_owned(),
        identity: who,
        client: "192.0.2.7".to_owned(),
        target: "orders".to_owned(),
        address: "orders-db.internal:5432".to_owned(),
        account: "orders_read".to_owned(),
        database: Some("orders".to_owned()),
        contract: "orders-debug".to_owned(),
        request: "req_a".to_owned(),
        grant: "gra_a".to_owned(),
        record: Policy {
            parameters: ParameterPolicy::Full,
            results: curfew_adapter::ResultPolicy::None,
            input: false,
            mask: Vec::new(),
            strict: true,
        },
    };
    let recorder = writer.begin(&opening).await.unwrap();
    for n in 1..3 {
        recorder
            .append(&Event::Statement { n, text: Some("SELECT 1"), prepared: None, parameters: &[] })
            .unwrap();
        recorder.flush().await.unwrap();
    }
    recorder.seal(EndReason::Expired).await.unwrap();
    let pieces: Vec<_> = writer.folders().file(&opening.session).try_collect().await.unwrap();
    writer.stop().await;
    (opening.session, pieces.concat())
}

fn session(id: &SessionId) -> serde_json::Value {
    json!({
        "id": id, "grant": "gra_a", "request": "req_a", "identity": { "identity": "ide_a", "email": "alice@example.com" },
        "target": "orders", "protocol": "postgres", "account": "orders_read", "contract": "orders-debug",
        "client_address": "192.0.2.7", "program": "psql", "started_at": "2026-11-21T13:22:00Z",
        "ended_at": "2026-11-21T14:21:00Z", "end_reason": "expired", "database": "orders", "end_detail": "the grant ended",
        "cut": { "latency_us": 1234, "outstanding": "one statement" },
        "bytes_in": 10, "bytes_out": 20, "live": false, "recording": { "chunks": 3, "events": 4, "lost": 0, "sealed": true },
    })
}

#[tokio::test]
async fn a_recording_is_verified_from_the_gate_from_a_file_and_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let key = Arc::new(SigningKey::generate().unwrap().0);
    let (id, bytes) = recorded(folder.path(), &key).await;
    let pem = folder.path().join("keys.pem").display().to_string();
    std::fs::write(&pem, key.public_pem().unwrap()).unwrap();

    let gate = Fake::plain().await;
    let whole = bytes.clone();
    gate.says("GET /api/v1/sessions", 200, json!({ "items": [session(&id)], "next": null }))
        .says(&format!("GET /api/v1/sessions/{id}"), 200, session(&id))
        .says("GET /api/v1/audit/checkpoints", 200, "")
        .says("GET /api/v1/keys", 200, json!([{ "key": key.id(), "pem": key.public_pem().unwrap() }]));
    gate.gives(&format!("GET /api/v1/sessions/{id}/recording"), whole);
    let mut person = Person::signed_in(&gate);
    let begin = &id.as_str()[..8];
    person.types(&["sessions", "verify", begin]).await.unwrap();
    let ok = person.printed.text();
    assert!(
        ok.starts_with(&format!("ok  the recording of {id}: ")) && ok.ends_with("sealed as expired\n"),
        "{ok}"
    );

    let file = folder.path().join("exported.curfew").display().to_string();
    person.types(&["sessions", "export", begin, "--sealed", "--output", &file]).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    let mut stranger = Person::new();
    let dir = folder.path().display().to_string();
    for what in [file.clone(), format!("{dir}/{id}"), dir] {
        stranger.types(&["sessions", "verify", &what, "--key", &pem]).await.unwrap();
    }
    assert_eq!(stranger.printed.text(), ok.repeat(3));

    let mut changed = bytes;
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    std::fs::write(&file, changed).unwrap();
    let error = stranger.types(&["sessions", "verify", &file, "--key", &pem]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert!(error.to_string().contains("this is not what Curfew wrote"), "{error}");

    let other = SigningKey::generate().unwrap().0;
    std::fs::write(&pem, other.public_pem().unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    let line = ["sessions", "verify", &format!("{}/{id}", folder.path().display()), "--key", &pem];
    assert!(stranger.types(&line).await.is_err(), "a seal by a stranger's key");
}

#[tokio::test]
async fn a_session_is_shown_with_its_end_and_the_latency_of_its_cut() {
    let gate = Fake::plain().await;
    let id = SessionId::parse("ses_aaaaaaaaaaaaaaaa").unwrap();
    gate.says(&format!("GET /api/v1/sessions/{id}"), 200, session(&id));
    let mut person = Person::signed_in(&gate);
    person.types(&["sessions", "show", id.as_str()]).await.unwrap();
    insta::assert_snapshot!(person.printed.text(), @r"
    ses_aaaaaaaaaaaaaaaa  expired
      who        alice@example.com
      what       orders as orders_read (postgres)
      database   orders
      from       192.0.2.7
      program    psql
      began      1 h ago (13:22 UTC)
      ended      1 min ago (14:21 UTC)
      because    the grant ended
      cut        1.234 ms after the end
      was doing  one statement
      bytes      10 in, 20 out
      recording  3 chunks, 4 events, sealed
      contract   orders-debug
      grant      gra_a
      request    req_a
    ");
}
