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
            .append(&Event::Statement {
                n,
                text: Some("SELECT 1"),
                prepared: None,
                continues: None,
                parameters: &[],
            })
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

/// The events of a session with a shell, as the gate gives them.
fn events() -> String {
    let who = json!({ "email": "alice@example.com" });
    let terminal = json!({ "term": "xterm", "cols": 80, "rows": 24 });
    let at = |micros: i64| 1_763_732_520_000_000 + micros;
    [
        json!({ "at": at(0), "kind": "session", "identity": who, "protocol": "ssh", "target": "web-1", "account": "deploy" }),
        json!({ "at": at(1000), "kind": "channel", "ch": 1, "purpose": "exec", "command": "true" }),
        json!({ "at": at(2000), "kind": "channel_end", "ch": 1, "status": 0, "input": 0, "output": 0, "errors": 0 }),
        json!({ "at": at(3000), "kind": "channel", "ch": 2, "purpose": "shell", "terminal": terminal }),
        json!({ "at": at(4000), "kind": "output", "ch": 2, "data": "$ ls\r\n\u{1b}]52;c;eA==\u{7}" }),
        json!({ "at": at(5_004_000), "kind": "output", "ch": 2, "data": "\u{1b}[1mfile\u{1b}[0m" }),
        json!({ "at": at(5_005_000), "kind": "channel_end", "ch": 2, "status": 0, "input": 3, "output": 9, "errors": 0 }),
    ]
    .map(|event| format!("{event}\n"))
    .concat()
}

#[tokio::test]
async fn a_recording_is_played_and_watched() {
    let gate = Fake::plain().await;
    let id = "ses_aaaaaaaaaaaaaaaa";
    gate.says(&format!("GET /api/v1/sessions/{id}/events"), 200, format!("\n{}", events()));
    let mut person = Person::signed_in(&gate);
    person.types(&["sessions", "play", id, "--speed", "4", "--idle", "10ms"]).await.unwrap();
    let played = person.printed.text();
    assert_eq!(
        played,
        "13:42:00.000  alice@example.com on web-1 as deploy (ssh)\n\
         13:42:00.001  [1] exec: true\n\
         13:42:00.002  [1] ended with status 0, 0 bytes in, 0 out\n\
         $ ls\r\n\u{1b}[1mfile\u{1b}[0m\n"
    );
    person.types(&["sessions", "watch", id]).await.unwrap();
    assert_eq!(person.printed.text(), played.repeat(2));
    let asked = gate.asked();
    assert_eq!((asked[0].query.as_str(), asked[1].query.as_str()), ("", "follow=true"));
}

#[tokio::test]
async fn a_terminal_is_exported_as_asciicast() {
    let gate = Fake::plain().await;
    let id = "ses_aaaaaaaaaaaaaaaa";
    gate.says(&format!("GET /api/v1/sessions/{id}/events"), 200, events());
    let mut person = Person::signed_in(&gate);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.cast");
    let path = file.display().to_string();
    person.types(&["sessions", "export", id, "--format", "asciicast", "--output", &path]).await.unwrap();
    let cast = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<serde_json::Value> =
        cast.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (lines.len(), &lines[0]["version"], &lines[0]["timestamp"]),
        (3, &json!(2), &json!(1_763_732_520))
    );
    assert_eq!(lines[2], json!([5.001, "o", "\u{1b}[1mfile\u{1b}[0m"]));

    person.types(&["sessions", "export", id]).await.unwrap();
    assert_eq!(person.printed.text(), events());
    let line = ["sessions", "export", id, "--format", "asciicast", "--channel", "1"];
    let error = person.types(&line).await.unwrap_err();
    assert!(error.to_string().contains("channel 1 had no terminal"), "{error}");
    let error = person.types(&["sessions", "export", id, "--channel", "1"]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
}

#[tokio::test]
async fn what_is_found_is_shown_by_session() {
    let gate = Fake::plain().await;
    let found = |session: &str, at: &str, line: &str| {
        json!({ "session": session, "who": "alice@example.com", "target": "web-1", "account": "deploy", "at": at,
                "place": "terminal", "channel": 1, "line": line })
    };
    let lines = [
        found("ses_aaaaaaaaaaaaaaaa", "2026-11-21T13:00:00Z", "$ cat secret"),
        found("ses_aaaaaaaaaaaaaaaa", "2026-11-21T13:01:00Z", "secret\u{1b}[31m"),
        found("ses_bbbbbbbbbbbbbbbb", "2026-11-20T13:01:00Z", "secret"),
        json!({ "done": true, "sessions": 7, "unreadable": 1, "complete": false, "before": "2026-11-20T12:00:00Z" }),
    ];
    let text = lines.map(|line| format!("{line}\n")).join("\n");
    gate.says("GET /api/v1/search", 200, &text).says("GET /api/v1/search", 200, "\n");
    let mut person = Person::signed_in(&gate);
    person.types(&["sessions", "search", "a secret", "--since", "2d", "--target", "web-1"]).await.unwrap();
    insta::assert_snapshot!(person.printed.text(), @r"
    ses_aaaaaaaaaaaaaaaa  alice@example.com on web-1 as deploy
      2026-11-21 13:00:00 UTC  terminal 1   $ cat secret
      2026-11-21 13:01:00 UTC  terminal 1   secret\u{1b}[31m
    ses_bbbbbbbbbbbbbbbb  alice@example.com on web-1 as deploy
      2026-11-20 13:01:00 UTC  terminal 1   secret
    ");
    insta::assert_snapshot!(person.aside.text(), @r"
    1 recording could not be read to the end; `curfew sessions verify` says why.
    There is more: add `--before 2026-11-20T12:00:00Z` to go on from here.
    ");
    assert_eq!(
        gate.asked_once("GET /api/v1/search").query,
        "text=a+secret&since=2026-11-19T14%3A22%3A00Z&target=web-1"
    );
    let error = person.types(&["sessions", "search", "x", "--since", "14:00"]).await.unwrap_err();
    assert!(error.to_string().contains("broke off"), "{error}");
    assert!(gate.asked().last().unwrap().query.contains("since=2026-11-21T14%3A00%3A00Z"));
    assert!(person.types(&["sessions", "search", "x", "--since", "lately"]).await.is_err());
}
