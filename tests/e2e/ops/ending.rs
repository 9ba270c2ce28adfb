//! SIGTERM: no new sessions, time for those that live, then the cut; and nothing lost over a restart.

use std::time::Duration;

use curfew_harness::Process;
use curfew_harness::psql::output;

use super::{plain, with_grant};
use crate::world::{LIMIT, World};

async fn asleep(world: &World, psql: Process) -> Process {
    let asleep = "select count(*) = 1 from pg_stat_activity where query = 'select pg_sleep(600)'";
    world.postgres.wait_until(asleep, LIMIT).await.unwrap();
    psql
}

const SLEEP: [&str; 7] = ["psql", "orders", "--as", "orders_read", "--", "-Xc", "select pg_sleep(600)"];

#[tokio::test]
async fn sigterm_drains_sessions_live_on_for_a_while_and_are_then_told_why_they_end() {
    let (mut world, alice, _) = with_grant(|mut options| {
        options.server = "drain = \"6s\"\n".to_owned();
        options
    })
    .await;
    let mut psql = asleep(&world, alice.spawn(SLEEP).unwrap()).await;
    world.gate.term().unwrap();
    let draining = async || {
        let page = plain(&world, "/readyz").await;
        (page.status == 503).then_some(page.body)
    };
    let (body, _) = curfew_harness::until("503", Duration::from_secs(3), draining).await.unwrap();
    assert!(body.contains("draining"), "{body}");
    assert_eq!(plain(&world, "/healthz").await.status, 200);
    let said =
        alice.curfew(["psql", "orders", "--as", "orders_read", "--", "-Xc", "select 1"]).await.unwrap();
    assert!(said.stderr.contains("Curfew is being shut down"), "{}", said.stderr);

    let said = output(&mut psql, LIMIT).await.unwrap();
    assert!(said.stderr.contains("Curfew is being shut down"), "{}", said.stderr);
    let ended = world.gate.ended(LIMIT).await.unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    world.gate.restart().await.unwrap();
    let auditor = world.auditor().await;
    let end = auditor.event("session.ended", |_| true).await;
    assert_eq!(end["reason"], "drained", "{end}");
    auditor.event("node.stopped", |_| true).await;
    let starts = auditor.get("/api/v1/sessions?live=true").await;
    assert!(starts["items"].as_array().unwrap().is_empty(), "{starts}");
}

#[tokio::test]
async fn a_second_sigterm_does_not_wait_and_an_idle_gate_stops_at_once() {
    let (mut world, alice, _) = with_grant(|options| options).await;
    let mut psql = asleep(&world, alice.spawn(SLEEP).unwrap()).await;
    world.gate.term().unwrap();
    world.gate.logs().unwrap().wait_for("draining", LIMIT).await.unwrap();
    world.gate.term().unwrap();
    let said = output(&mut psql, Duration::from_secs(10)).await.unwrap();
    assert!(said.stderr.contains("Curfew is being shut down"), "{}", said.stderr);
    assert_eq!(world.gate.ended(Duration::from_secs(10)).await.unwrap().code, Some(0));

    world.gate.restart().await.unwrap();
    world.gate.term().unwrap();
    assert_eq!(world.gate.ended(Duration::from_secs(5)).await.unwrap().code, Some(0));
}
