//! What is left to read: sessions, their recordings, the audit log, and why somebody may or may not get in.

use std::fs;

use curfew_harness::Person;
use curfew_harness::psql::output;

use super::{only, refused};
use crate::world::{LIMIT, NOW, World};

const NEEDLE: &str = "select 'a needle in a recording'";

async fn world() -> (World, Person) {
    let world = World::secure(|mut options| {
        options.contracts.clear();
        options.record = "checkpoint = { file = \"data/checkpoints.jsonl\", every = \"1s\" }\n".to_owned();
        options.contract("orders-now", NOW)
    })
    .await;
    let alice = world.signed_in("alice").await;
    world.grant(&alice, "orders_read", "1h").await;
    (world, alice)
}

#[tokio::test]
async fn a_session_is_shown_exported_and_verified_by_whoever_may_read_it() {
    let (world, alice) = world().await;
    let erin = world.signed_in("erin").await;
    let args = ["psql", "orders", "--as", "orders_read", "--", "-XAtc", NEEDLE];
    alice.curfew(args).await.unwrap().success().unwrap();

    let list = erin.json(["sessions", "--json"]).await.unwrap();
    let id = only(&list);
    let ended = async || {
        let session = erin.json(["sessions", "show", &id, "--json"]).await.ok()?;
        (session["recording"]["sealed"] == true).then_some(session)
    };
    let (session, _) = curfew_harness::until("the seal", LIMIT, ended).await.unwrap();
    assert_eq!(session["end_reason"], "client_closed");
    assert_eq!(session["identity"]["email"], "alice@example.com");
    let shown = erin.curfew(["sessions", "show", &id]).await.unwrap().success().unwrap().stdout;
    assert!(shown.contains("client_closed") && shown.contains("alice@example.com"), "{shown}");
    let shown = erin.curfew(["sessions"]).await.unwrap().success().unwrap().stdout;
    assert!(shown.contains(&id) && shown.contains("orders_read"), "{shown}");

    let events = erin.curfew(["sessions", "export", &id]).await.unwrap().success().unwrap().stdout;
    assert!(events.contains(NEEDLE), "{events}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("session.curfew");
    let path = file.to_str().unwrap();
    erin.curfew(["sessions", "export", &id, "--sealed", "-o", path]).await.unwrap().success().unwrap();
    for what in [path, id.as_str()] {
        let said = erin.curfew(["sessions", "verify", what]).await.unwrap().success().unwrap();
        assert!(said.stdout.contains("ok"), "{}", said.stdout);
    }
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let said = refused(&erin, ["sessions", "verify", path], 1).await;
    assert!(said.contains("not what Curfew wrote"), "{said}");
    fs::write(&file, &bytes[..middle]).unwrap();
    refused(&erin, ["sessions", "verify", path], 1).await;

    // One's own session, but not its recording; and nobody else's at all.
    assert_eq!(only(&alice.json(["sessions", "--json"]).await.unwrap()), id);
    refused(&alice, ["sessions", "export", &id], 1).await;
    refused(&world.signed_in("carol").await, ["sessions", "show", &id], 1).await;
    let log = erin.curfew(["audit", "export"]).await.unwrap().success().unwrap().stdout;
    let reads = log.lines().filter(|line| line.contains("\"kind\":\"recording.read\"") && line.contains(&id));
    assert!(reads.count() >= 3, "{log}");
}

#[tokio::test]
async fn killing_a_session_keeps_its_person_out_for_a_minute_and_is_for_admins() {
    let (world, alice) = world().await;
    let (dave, erin) = (world.signed_in("dave").await, world.signed_in("erin").await);
    let args = ["psql", "orders", "--as", "orders_read", "--", "-Xc", "select pg_sleep(600)"];
    let mut psql = alice.spawn(args).unwrap();
    let asleep = "select count(*) = 1 from pg_stat_activity where query = 'select pg_sleep(600)'";
    world.postgres.wait_until(asleep, LIMIT).await.unwrap();
    let id = only(&dave.json(["sessions", "--live", "--json"]).await.unwrap());
    for person in [&alice, &erin] {
        refused(person, ["sessions", "kill", &id, "--reason", "no"], 1).await;
    }
    dave.curfew(["sessions", "kill", &id, "--reason", "it locks a table"]).await.unwrap().success().unwrap();
    let said = output(&mut psql, LIMIT).await.unwrap();
    assert!(said.stderr.contains("an admin ended this session"), "{}", said.stderr);
    assert!(said.stderr.contains("it locks a table"), "{}", said.stderr);
    let said =
        alice.curfew(["psql", "orders", "--as", "orders_read", "--", "-Xc", "select 1"]).await.unwrap();
    assert!(said.stderr.contains("an admin ended your session here"), "{}", said.stderr);
    let ended = async || {
        let session = dave.json(["sessions", "show", &id, "--json"]).await.ok()?;
        (session["end_reason"] == "killed").then_some(())
    };
    curfew_harness::until("the end", LIMIT, ended).await.unwrap();
    let said = refused(&dave, ["sessions", "kill", &id], 1).await;
    assert!(said.contains("ended already"), "{said}");
    assert!(
        dave.json(["sessions", "--live", "--json"]).await.unwrap()["items"].as_array().unwrap().is_empty()
    );
}

#[tokio::test]
async fn the_audit_log_is_followed_exported_and_verified_to_its_checkpoint() {
    let (world, alice) = world().await;
    let erin = world.signed_in("erin").await;
    let said = refused(&alice, ["audit", "tail"], 1).await;
    assert!(said.contains("auditor"), "{said}");

    let tail = erin.curfew(["audit", "tail", "-n", "5", "--json"]).await.unwrap().success().unwrap().stdout;
    assert_eq!(tail.lines().count(), 5, "{tail}");
    let shown = erin.curfew(["audit", "tail", "-n", "50"]).await.unwrap().success().unwrap().stdout;
    assert!(shown.contains("request.created") && shown.contains("alice@example.com"), "{shown}");
    let following = erin.spawn(["audit", "tail", "-n", "1", "-f", "--json"]).unwrap();
    following.logs().wait_for("\"kind\"", LIMIT).await.unwrap();
    let grant = only(&alice.json(["grants", "--json"]).await.unwrap());
    alice.curfew(["return", &grant]).await.unwrap().success().unwrap();
    let line = following.logs().wait_for("grant.ended", LIMIT).await.unwrap();
    assert!(line.contains(&grant), "{line}");
    drop(following);

    let folder = tempfile::tempdir().unwrap();
    let (log, points) = (folder.path().join("log.jsonl"), folder.path().join("points.jsonl"));
    let (log, points) = (log.to_str().unwrap(), points.to_str().unwrap());
    erin.curfew(["audit", "export", "-o", log]).await.unwrap().success().unwrap();
    // Something happens after the export, and is covered by a checkpoint.
    world.grant(&alice, "orders_read", "5m").await;
    let lines = fs::read_to_string(log).unwrap().lines().count();
    let covered = async || {
        erin.curfew(["audit", "export", "--checkpoints", "-o", points]).await.ok()?.success().ok()?;
        let said = erin.curfew(["audit", "verify", log, "--checkpoint", points]).await.ok()?;
        (said.code == Some(1)).then_some(said)
    };
    let (said, _) = curfew_harness::until("a checkpoint beyond the export", LIMIT, covered).await.unwrap();
    assert!(said.stdout.contains("missing") || said.stdout.contains("short"), "{}", said.stdout);
    erin.curfew(["audit", "export", "-o", log]).await.unwrap().success().unwrap();
    let said =
        erin.curfew(["audit", "verify", log, "--checkpoint", points]).await.unwrap().success().unwrap();
    assert!(said.stdout.contains("ok"), "{}", said.stdout);
    erin.curfew(["audit", "verify"]).await.unwrap().success().unwrap();

    // Without a checkpoint a log that was cut short can't be told from a whole one, and verify says so.
    let text = fs::read_to_string(log).unwrap();
    let short: String = text.lines().take(lines - 2).map(|line| format!("{line}\n")).collect();
    fs::write(log, &short).unwrap();
    let said = erin.curfew(["audit", "verify", log]).await.unwrap();
    assert!(said.stdout.contains("not proven"), "{}", said.stdout);
    refused(&erin, ["audit", "verify", log, "--checkpoint", points], 1).await;
    fs::write(log, text.replacen("alice@example.com", "mallory@example.com", 1)).unwrap();
    refused(&erin, ["audit", "verify", log], 1).await;
}

#[tokio::test]
async fn explain_says_who_may_reach_what_and_who_could_approve() {
    let world = World::secure(|options| options.contract("orders-now", NOW)).await;
    let (alice, bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let erin = world.signed_in("erin").await;
    let ask =
        ["contracts", "explain", "--who", "alice@example.com", "--target", "orders", "--as", "orders_read"];
    for person in [&alice, &erin] {
        let shown = person.curfew(ask).await.unwrap().success().unwrap().stdout;
        for part in ["orders-debug", "orders-now", "bob@example.com"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
    let said = refused(&bob, ask, 1).await;
    assert!(!said.contains("orders-debug"), "{said}");
    let other = ["contracts", "explain", "--who", "bob@example.com", "--target", "orders", "--json"];
    let said = erin.json(other).await.unwrap();
    for verdict in said["contracts"].as_array().unwrap() {
        assert_eq!(verdict["matches"], false, "{verdict}");
        assert!(!verdict["reasons"].as_array().unwrap().is_empty(), "{verdict}");
    }
}
