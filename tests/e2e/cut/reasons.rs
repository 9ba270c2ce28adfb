//! Each end reason, brought about as it comes about.

use std::time::Duration;

use curfew_harness::wire::{Message, messages, query};
use curfew_harness::{Direction, Wire};
use serde_json::Value;

use crate::world::{LIMIT, NOW, World};

/// The last words that a client of bytes got.
async fn last_words(wire: &mut Wire) -> Message {
    let rest = wire.rest().await.unwrap();
    let (heard, rest) = messages(&rest);
    assert!(rest.is_empty(), "a message cut short: {rest:?}");
    heard.last().filter(|last| last.tag == b'E').unwrap_or_else(|| panic!("no last words: {heard:?}")).clone()
}

fn id(grant: &Value) -> &str {
    grant["id"].as_str().unwrap()
}

const NOBODY: &str =
    "select count(*) = 0 from pg_stat_activity where usename in ('orders_read', 'orders_write')";

#[tokio::test]
async fn client_closed() {
    let world = World::open(|options| options).await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.auditor());
    let grant = world.grant(&alice, "orders_read", "30m").await;
    let mut psql = world.terminal(&alice, "orders_read").await;
    psql.send_line("\\q").await.unwrap();
    let event = erin.ended(id(&grant)).await;
    assert_eq!(event["reason"], "client_closed", "{event}");
    assert!(event["cut"].is_null(), "{event}");
    assert_eq!(event["actor"]["email"], "alice@example.com", "{event}");

    // A client that is gone in the middle of its work: the work is not left behind.
    let grant = world.grant(&alice, "orders_write", "30m").await;
    let mut psql = world.terminal(&alice, "orders_write").await;
    psql.send_line("select pg_sleep(600);").await.unwrap();
    let asleep =
        "select count(*) = 1 from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'";
    world.postgres.wait_until(&format!("{asleep} and usename = 'orders_write'"), LIMIT).await.unwrap();
    psql.kill().unwrap();
    let event = erin.ended(id(&grant)).await;
    assert_eq!(event["reason"], "client_closed", "{event}");
    world.postgres.wait_until(NOBODY, Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn target_closed_and_target_unreachable() {
    let mut world = World::open(|options| options).await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.auditor());
    let grant = world.grant(&alice, "orders_read", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'orders_read'";
    world.postgres.query(end).await.unwrap();
    // What the target itself said is what the client hears.
    let told = last_words(&mut wire).await;
    assert!(
        told.field('M').unwrap().contains("terminating connection due to administrator command"),
        "{told:?}"
    );
    assert_eq!(erin.ended(id(&grant)).await["reason"], "target_closed");

    let grant = world.grant(&alice, "orders_write", "30m").await;
    world.postgres.stop();
    let mut wire = world.wire("orders_write").await;
    let link = wire.link(&world.gate.url()).await.unwrap();
    alice.consent(&link).await.unwrap();
    let told = last_words(&mut wire).await;
    assert!(["08001", "08006"].contains(&told.field('C').unwrap().as_str()), "{told:?}");
    assert!(told.field('M').unwrap().contains("orders"), "{told:?}");
    assert!(!told.field('H').unwrap().is_empty(), "{told:?}");
    assert_eq!(erin.ended(id(&grant)).await["reason"], "target_unreachable");
}

#[tokio::test]
async fn protocol_error() {
    let world = World::open(|options| options).await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.auditor());
    for (account, garbage) in [
        ("orders_read", b"\0\0\0\0\0garbage".as_slice()),
        ("orders_write", b"Q\xff\xff\xff\xffselect".as_slice()),
    ] {
        let grant = world.grant(&alice, account, "30m").await;
        let mut wire = world.signed_in_wire(&alice, account).await;
        wire.send(&query("select 1")).await.unwrap();
        wire.until(b'Z').await.unwrap();
        wire.send(garbage).await.unwrap();
        assert_eq!(last_words(&mut wire).await.field('C').as_deref(), Some("08P01"));
        assert_eq!(erin.ended(id(&grant)).await["reason"], "protocol_error");
    }
    world.postgres.wait_until(NOBODY, LIMIT).await.unwrap();
}

#[tokio::test]
async fn returned_and_killed() {
    let world = World::open(|options| options).await;
    let (alice, dave, erin) =
        tokio::join!(world.signed_in("alice"), world.signed_in("dave"), world.auditor());
    let grant = world.grant(&alice, "orders_read", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;
    alice.json(["return", id(&grant), "--json"]).await.unwrap();
    let told = last_words(&mut wire).await;
    assert!(
        told.field('C').as_deref() == Some("57P01") && told.field('M').unwrap().contains("returned"),
        "{told:?}"
    );
    assert_eq!(erin.ended(id(&grant)).await["reason"], "returned");

    let grant = world.grant(&alice, "orders_write", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "orders_write").await;
    let started = erin.event("session.started", |event| event["grant"] == grant["id"]).await;
    let session = started["session"].as_str().unwrap();
    let refused = alice.curfew(["sessions", "kill", session, "--reason", "mine"]).await.unwrap();
    assert_ne!(refused.code, Some(0), "alice is no admin: {refused:?}");
    dave.curfew(["sessions", "kill", session, "--reason", "a test"]).await.unwrap().success().unwrap();
    let told = last_words(&mut wire).await;
    assert!(
        told.field('C').as_deref() == Some("57P01") && told.field('M').unwrap().contains("a test"),
        "{told:?}"
    );
    let event = erin.ended(id(&grant)).await;
    assert!(event["reason"] == "killed" && event["cut"]["latency_us"].is_u64(), "{event}");
    let killed = erin.event("session.killed", |event| event["session"] == session).await;
    assert_eq!(killed["actor"]["email"], "dave@example.com", "{killed}");

    // Barred for a minute, the grant notwithstanding; the hint of a cut a moment ago comes first.
    let grants = alice.json(["grants", id(&grant), "--json"]).await.unwrap();
    assert_eq!(grants["state"], "active", "{grants}");
    let mut again = world.wire("orders_write").await;
    let told = last_words(&mut again).await;
    assert_eq!(told.field('C').as_deref(), Some("55000"), "{told:?}");
    // From elsewhere a link is shown; past it, the bar is on the person.
    let mut elsewhere =
        Wire::connect_from("127.0.0.3".parse().unwrap(), world.gate.postgres()).await.unwrap();
    let ask = [("user", "orders_write"), ("database", "orders"), ("application_name", "psql")];
    elsewhere.send(&curfew_harness::wire::startup(&ask)).await.unwrap();
    let link = elsewhere.link(&world.gate.url()).await.unwrap();
    world.gate.person_from("alice", "127.0.0.3").unwrap().consent(&link).await.unwrap();
    let told = last_words(&mut elsewhere).await;
    assert!(
        told.field('C').as_deref() == Some("55000")
            && told.field('M').unwrap().contains("refused for another"),
        "{told:?}"
    );
    // Another account is none of it.
    world.grant(&alice, "admin", "30m").await;
    world.signed_in_wire(&alice, "admin").await;
}

#[tokio::test]
async fn idle_and_only_idle() {
    let contract = format!("{NOW}\n").replace("[end]", "[end]\nidle = \"10s\"");
    let world = World::open(|options| options.contract("orders-now", &contract)).await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.auditor());
    let grant = world.grant(&alice, "orders_read", "30m").await;
    let busy = world.grant(&alice, "orders_write", "30m").await;
    let mut idle = world.signed_in_wire(&alice, "orders_read").await;
    let mut wire = world.signed_in_wire(&alice, "orders_write").await;
    // The other one says something each second for as long.
    let chat = async {
        let ended = erin.ended(id(&grant));
        tokio::pin!(ended);
        loop {
            tokio::select! {
                event = &mut ended => break event,
                () = async {
                    wire.query("select pg_sleep(1)").await.unwrap();
                    wire.until(b'Z').await.unwrap();
                } => {}
            }
        }
    };
    let event = chat.await;
    assert_eq!(event["reason"], "idle", "{event}");
    let told = last_words(&mut idle).await;
    assert!(
        told.field('C').as_deref() == Some("57P01") && told.field('H').unwrap().contains("still runs"),
        "{told:?}"
    );
    let still = erin.get(&format!("/api/v1/grants/{}", id(&busy))).await;
    assert_eq!(still["sessions_live"], 1, "{still}");
    // The grant of the idle one still runs, so it may come back at once.
    world.signed_in_wire(&alice, "orders_read").await;
}

#[tokio::test]
async fn signin_ended_and_identity_disabled() {
    let world = World::open(|options| options).await;
    let (alice, dave, erin) =
        tokio::join!(world.signed_in("alice"), world.signed_in("dave"), world.auditor());
    let grant = world.grant(&alice, "orders_read", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;
    let signins = alice.json(["signins", "--json"]).await.unwrap();
    let link = signins["items"].as_array().unwrap().iter().find(|one| one["method"] == "link");
    let link = link.unwrap_or_else(|| panic!("no sign-in by link: {signins}"))["id"].as_str().unwrap();
    alice.curfew(["signins", "revoke", link]).await.unwrap().success().unwrap();
    let told = last_words(&mut wire).await;
    assert!(
        told.field('C').as_deref() == Some("57P01") && told.field('M').unwrap().contains("sign-in"),
        "{told:?}"
    );
    assert_eq!(erin.ended(id(&grant)).await["reason"], "signin_ended");
    // Her other sign-ins stand, and so does the grant: a new link is enough.
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;

    let write = world.grant(&alice, "orders_write", "30m").await;
    let mut other = world.signed_in_wire(&alice, "orders_write").await;
    dave.curfew(["identities", "disable", "alice@example.com", "--reason", "gone"])
        .await
        .unwrap()
        .success()
        .unwrap();
    for wire in [&mut wire, &mut other] {
        let told = last_words(wire).await;
        assert!(told.field('M').unwrap().contains("identity was disabled"), "{told:?}");
    }
    assert_eq!(erin.ended(id(&write)).await["reason"], "identity_disabled");
    assert_ne!(alice.curfew(["targets"]).await.unwrap().code, Some(0), "a disabled identity asks on");
}

#[tokio::test]
async fn no_longer_allowed() {
    let mut world = World::open(|options| options).await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.auditor());
    let write = world.grant(&alice, "orders_write", "30m").await;
    let read = world.grant(&alice, "orders_read", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "orders_write").await;
    let mut stays = world.signed_in_wire(&alice, "orders_read").await;
    // A set with a mistake in it changes nothing.
    let wrong = NOW.replace("[who]", "[whom]");
    world.gate.contract(curfew_harness::Contract::new("orders-now", &wrong)).unwrap();
    erin.event("contracts.refused", |_| true).await;
    wire.query("select 1").await.unwrap();
    wire.until(b'Z').await.unwrap();
    // The owner takes one account out.
    let less = NOW.replace("\"orders_read\", \"orders_write\", \"admin\"", "\"orders_read\"");
    world.gate.contract(curfew_harness::Contract::new("orders-now", &less)).unwrap();
    let told = last_words(&mut wire).await;
    assert!(
        told.field('C').as_deref() == Some("57P01") && told.field('M').unwrap().contains("no longer allows"),
        "{told:?}"
    );
    assert_eq!(erin.ended(id(&write)).await["reason"], "no_longer_allowed");
    // The other goes on under it.
    stays.query("select 1").await.unwrap();
    stays.until(b'Z').await.unwrap();
    let still = erin.get(&format!("/api/v1/grants/{}", id(&read))).await;
    assert_eq!(still["sessions_live"], 1, "{still}");
    let closed = world.client_side.connections();
    assert!(closed >= 2 && world.client_side.closed(0, Direction::ToClient, LIMIT).await.is_ok());
}
