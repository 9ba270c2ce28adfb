//! Ends that the gate's own troubles bring: a recording or a store that is lost, a crash, a machine
//! that slept. (`ops::ending` has the drain.)

use std::process::Stdio;
use std::time::Duration;

use curfew_harness::wire::messages;
use curfew_harness::{Clock, Direction};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::world::{LIMIT, World};

#[tokio::test]
async fn recording_failed() {
    let world = World::open(|options| options).await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.auditor());
    let grant = world.grant(&alice, "orders_read", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;
    let started = erin.event("session.started", |event| event["grant"] == grant["id"]).await;
    // Root may write anywhere, so the folder is made a file: nothing can be written below that.
    let folder = world.gate.data().join("recordings").join(started["session"].as_str().unwrap());
    assert!(folder.is_dir(), "{}", folder.display());
    std::fs::rename(&folder, folder.with_extension("away")).unwrap();
    std::fs::write(&folder, b"").unwrap();
    wire.query("select 1").await.unwrap();
    let rest = wire.rest().await.unwrap();
    let told = messages(&rest).0.pop().unwrap();
    assert_eq!(told.field('S').as_deref(), Some("FATAL"), "{told:?}");
    assert!(told.field('M').unwrap().contains("recorded"), "{told:?}");
    let event = erin.ended(grant["id"].as_str().unwrap()).await;
    assert_eq!(event["reason"], "recording_failed", "{event}");
    assert!(event["recording"].is_null(), "{event}");
    let gone = "select count(*) = 0 from pg_stat_activity where usename = 'orders_read'";
    world.postgres.wait_until(gone, LIMIT).await.unwrap();
    let metrics = world.metrics().await;
    assert!(!metrics.contains("curfew_recording_errors_total 0"), "{metrics}");

    // Where no recording can be begun, no session is.
    let all = world.gate.data().join("recordings");
    std::fs::rename(&all, all.with_extension("away")).unwrap();
    std::fs::write(&all, b"").unwrap();
    let before = world.target_side.connections();
    world.grant(&alice, "orders_write", "30m").await;
    let mut wire = world.wire("orders_write").await;
    let link = wire.link(&world.gate.url()).await.unwrap();
    alice.consent(&link).await.unwrap();
    let told = wire.until(b'E').await.unwrap().pop().unwrap();
    assert!(told.field('M').unwrap().contains("can't be recorded"), "{told:?}");
    assert_eq!(world.target_side.connections(), before, "something reached the target");
}

/// Takes the locks that every reader of a SQLite store in WAL mode needs (wal-index, bytes 120 to 127), until killed.
const HOLD: &str = "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX, 8, 120); \
                    print('held', flush=True); sys.stdin.read()";

#[tokio::test]
async fn store_lost() {
    let world = World::open(|mut options| {
        options.tables.push_str("\n[session]\nmax_staleness = \"3s\"\n");
        options
    })
    .await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.auditor());
    let grant = world.grant(&alice, "orders_read", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;
    let mut holder = tokio::process::Command::new("python3")
        .args(["-c", HOLD])
        .arg(world.gate.data().join("curfew.db-shm"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("held"));
    let rest = wire.rest().await.unwrap();
    let told = messages(&rest).0.pop().unwrap();
    assert!(
        told.field('C').as_deref() == Some("57P01") && told.field('M').unwrap().contains("store"),
        "{told:?}"
    );
    holder.kill().await.unwrap();
    let event = erin.ended(grant["id"].as_str().unwrap()).await;
    assert_eq!(event["reason"], "store_lost", "{event}");
    // It is back, and so are sessions.
    let back = async || {
        let mut wire = world.wire("orders_read").await;
        let seen = wire.next().await.ok()?;
        (seen.tag == b'R' && wire.link(&world.gate.url()).await.is_ok()).then_some(())
    };
    curfew_harness::until("links to be shown again", LIMIT, back).await.unwrap();
}

#[tokio::test]
async fn interrupted() {
    let mut world = World::open(|options| options).await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.auditor());
    let grant = world.grant(&alice, "orders_read", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;
    wire.query("select pg_sleep(600)").await.unwrap();
    world.gate.kill9().await.unwrap();
    wire.rest().await.unwrap();
    world.gate.restart().await.unwrap();
    let event = erin.ended(grant["id"].as_str().unwrap()).await;
    assert_eq!(event["reason"], "interrupted", "{event}");
    assert!(event["recording"]["chunks"].as_u64().unwrap() >= 1, "{event}");
    // The grant still runs: it is the session that was interrupted.
    world.signed_in_wire(&alice, "orders_read").await;
}

/// As on a machine that was suspended: nothing of the gate runs while the end passes.
#[tokio::test]
async fn a_machine_that_slept_through_the_end_lets_no_byte_pass_when_it_wakes() {
    let world = World::open(|options| options).await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.auditor());
    let grant = world.grant(&alice, "orders_read", "10s").await;
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;
    wire.query("select 'ready'").await.unwrap();
    wire.until(b'Z').await.unwrap();
    let clock = Clock::read();
    let end = clock.instant(grant["ends_at"].as_str().unwrap()).unwrap();
    world.gate.freeze().await.unwrap();
    // Sent in time, and still unread when the end comes.
    wire.query("select 'late'").await.unwrap();
    tokio::time::sleep_until((end + Duration::from_millis(200)).into()).await;
    world.gate.thaw().unwrap();
    let rest = wire.rest().await.unwrap();
    let (heard, _) = messages(&rest);
    assert!(heard.iter().all(|message| message.tag != b'D'), "rows after the end: {heard:?}");
    assert_eq!(heard.last().unwrap().field('C').as_deref(), Some("57P01"), "{heard:?}");
    let passed = world.target_side.bytes(0, Direction::ToTarget);
    assert!(
        !passed.windows(6).any(|window| window == b"'late'"),
        "the query reached the target after the end"
    );
    assert_eq!(erin.ended(grant["id"].as_str().unwrap()).await["reason"], "expired");
}
