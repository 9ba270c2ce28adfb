//! Reading recordings back: while they are written, as asciicast, and by a text.

use std::time::Duration;

use curfew_adapter::{EndReason, Event, RecordSink, Terminal, Text};
use serde_json::Value;

use super::store::TestStore;
use super::{Gate, recorded_shell, statement};
use crate::record::cast::Cast;
use crate::record::search::Search;
use crate::record::told::Told;

#[tokio::test]
async fn an_event_is_followed_within_a_second_and_the_seal_is_the_end() {
    let gate = Gate::over(TestStore::new());
    let (session, recorder) = gate.begin(true).await;
    let mut reader = gate.writer.folders().follow(&session);
    assert_eq!(reader.next().await.unwrap().unwrap()["kind"], "session");
    for n in 1..4 {
        recorder.append(&statement(n, "SELECT 1")).unwrap();
        let next = tokio::time::timeout(Duration::from_secs(1), reader.next());
        assert_eq!(next.await.unwrap().unwrap().unwrap()["n"], n);
    }
    // What is waited for does not get lost when the wait is broken off.
    assert!(tokio::time::timeout(Duration::from_millis(50), reader.next()).await.is_err());
    recorder.append(&statement(4, "SELECT 1")).unwrap();
    recorder.seal(EndReason::ClientClosed).await.unwrap();
    assert_eq!(reader.next().await.unwrap().unwrap()["n"], 4);
    assert_eq!(reader.next().await.unwrap(), None);
    assert!(reader.seal(&gate.key.public()).is_some());
}

#[tokio::test]
async fn a_recorded_terminal_is_an_asciicast() {
    let gate = Gate::over(TestStore::new());
    let session = recorded_shell(&gate, &["$ ", "l", "s\r\n", "secret.txt\r\n"]).await;
    let mut reader = gate.writer.folders().events(&session);
    let mut cast = Cast::new(None);
    let mut lines = Vec::new();
    while let Some(event) = reader.next().await.unwrap() {
        lines.extend(cast.line(&Told::read(event)));
    }
    let header: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(
        (&header["version"], &header["width"], &header["height"]),
        (&2.into(), &80.into(), &24.into())
    );
    assert!(header["timestamp"].as_i64().unwrap() > 1_700_000_000);
    let mut last = 0.0;
    let mut text = String::new();
    for line in &lines[1..] {
        let (time, code, data): (f64, String, String) = serde_json::from_str(line).unwrap();
        assert!(time >= last && code == "o");
        last = time;
        text.push_str(&data);
    }
    assert_eq!(text, "$ ls\r\nsecret.txt\r\n");
}

#[tokio::test]
async fn a_search_reads_a_recording_in_any_pieces() {
    let gate = Gate::over(TestStore::new());
    let session = recorded_shell(&gate, &["$ cat se", "\x1b[1mcret\x1b[0m.txt\r\n"]).await;
    let bytes = gate.file(&session).await;
    let mut whole = Search::new("SECRET");
    whole.push(&bytes).unwrap();
    let hits = whole.hits();
    assert_eq!(hits.len(), 1);
    assert_eq!((hits[0].place, hits[0].line.as_str()), ("terminal", "$ cat secret.txt"));
    let mut pieces = Search::new("secret");
    bytes.chunks(7).for_each(|piece| pieces.push(piece).unwrap());
    assert_eq!(pieces.hits(), hits);

    let mut damaged = bytes.clone();
    let body = damaged.iter().position(|byte| *byte == b'\n').unwrap() + 9;
    damaged[body] ^= 1;
    assert!(Search::new("secret").push(&damaged).is_err());
}

#[tokio::test]
async fn what_is_no_utf_8_comes_back_byte_by_byte() {
    let gate = Gate::over(TestStore::new());
    let (session, recorder) = gate.begin(true).await;
    let terminal = Some(Terminal { term: "xterm", cols: 80, rows: 24 });
    recorder.append(&Event::Channel { ch: 1, purpose: "shell", command: None, terminal }).unwrap();
    for half in [&b"\xe2\x82"[..], b"\xac\xff"] {
        recorder.append(&Event::Output { ch: 1, err: false, data: Text(half) }).unwrap();
    }
    recorder.seal(EndReason::ClientClosed).await.unwrap();
    let mut reader = gate.writer.folders().events(&session);
    let (mut cast, mut text) = (Cast::new(Some(1)), String::new());
    while let Some(event) = reader.next().await.unwrap() {
        if let Some(line) = cast.line(&Told::read(event)).filter(|line| line.starts_with('[')) {
            text.push_str(&serde_json::from_str::<(f64, String, String)>(&line).unwrap().2);
        }
    }
    assert_eq!(text, "€\u{fffd}");
}
