//! The corpus of hostile SQL against a real server: whatever it says to it, the secret is in no recording.

use curfew_harness::repository;
use curfew_harness::wire::query;

use super::say::{SYNC, bind, execute, parse};
use super::{FULL, events};
use crate::world::World;

#[tokio::test]
async fn the_secret_of_the_corpus_is_in_no_recording() {
    let world = World::open(|options| options.contract("orders-now", FULL)).await;
    let (alice, erin, auditor) =
        tokio::join!(world.signed_in("alice"), world.signed_in("erin"), world.auditor());
    let grant = world.grant(&alice, "admin", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "admin").await;
    let mut sent = 0;
    for entry in std::fs::read_dir(repository().join("tests/fixtures/masking")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "sql") {
            continue;
        }
        let sql = std::fs::read_to_string(&path).unwrap();
        wire.send(&[query("reset standard_conforming_strings"), query(&sql)].concat()).await.unwrap();
        wire.until(b'Z').await.unwrap();
        wire.until(b'Z').await.unwrap();
        // The same by the extended protocol.
        let again = [parse("", &sql, &[]), bind("", "", &[], 0, 0), execute("", 0), SYNC.to_vec()];
        wire.send(&again.concat()).await.unwrap();
        wire.until(b'Z').await.unwrap();
        sent += 1;
    }
    // What a statement about passwords is given, and what comes back of it.
    let secret = Some(b"hunter2".as_slice());
    for sql in ["select $1::text as password", "select set_config('my.passwd', $1, false)"] {
        let given = [parse("", sql, &[]), bind("", "", &[secret], 0, 0), execute("", 0), SYNC.to_vec()];
        wire.send(&given.concat()).await.unwrap();
        wire.until(b'Z').await.unwrap();
    }
    wire.send(&query("prepare p as select 1 where $1 = 'password'")).await.unwrap();
    wire.until(b'Z').await.unwrap();
    let executed =
        [bind("", "p", &[secret], 0, 0), execute("", 0), SYNC.to_vec(), query("execute p('hunter2')")];
    wire.send(&executed.concat()).await.unwrap();
    wire.until(b'Z').await.unwrap();
    wire.until(b'Z').await.unwrap();
    wire.send(b"X\0\0\0\x04").await.unwrap();
    let ended = auditor.ended(grant["id"].as_str().unwrap()).await;
    let (text, events) = events(&erin, ended["session"].as_str().unwrap()).await;
    let count = events.iter().filter(|event| event["kind"] == "prepare").count();
    assert_eq!(count, sent + 2);
    let shown: Vec<_> = text.lines().filter(|line| line.contains("hunter2")).collect();
    assert_eq!(shown, [""; 0]);
}
