//! psql comes back by itself after a cut: it must be told at once, and neither be let in nor made to wait.

use curfew_harness::wire::messages;
use curfew_harness::{Direction, Person, Terminal};
use serde_json::Value;

use crate::world::{LIMIT, World};

/// psql under a grant of its own. Each kind of end has an account of its own: whoever was cut a moment ago is told so.
async fn psql(world: &World, alice: &Person, account: &str, duration: &str) -> (Value, Terminal) {
    let grant = world.grant(alice, account, duration).await;
    (grant, world.terminal(alice, account).await)
}

#[tokio::test]
async fn psql_that_reconnects_after_a_cut_is_told_and_not_made_to_wait() {
    let world = World::open(|options| options).await;
    let (alice, dave, erin) =
        tokio::join!(world.signed_in("alice"), world.signed_in("dave"), world.auditor());
    for (account, duration, reason) in [("orders_write", "30m", "revoked"), ("orders_read", "12s", "expired")]
    {
        let place = world.client_side.connections();
        let (grant, mut psql) = psql(&world, &alice, account, duration).await;
        let id = grant["id"].as_str().unwrap();
        if reason == "revoked" {
            dave.json(["revoke", id, "--reason", "a test", "--json"]).await.unwrap();
        }
        assert_eq!(erin.ended(id).await["reason"], reason);
        // psql notices when it next speaks, and tries again by itself.
        psql.send_line("select 1;").await.unwrap();
        let shown = psql.wait_for("!?> ", LIMIT).await.unwrap();
        assert!(shown.contains("57P01") && shown.contains("DETAIL:") && shown.contains("HINT:"), "{shown}");
        let told = |connection| {
            let said = world.client_side.bytes(connection, Direction::ToClient);
            messages(&said).0.pop().unwrap()
        };
        let (goodbye, again) = (told(place), told(place + 1));
        assert_eq!(again.field('M'), goodbye.field('M'), "its reconnect was told {again:?}");
        assert!(!psql.transcript().contains("Succeeded"), "{}", psql.transcript());
        // The same for one who starts psql anew at once.
        let told = world.open_psql(account).run(["-c", "select 1"]).await.unwrap();
        assert!(told.code == Some(2) && told.stderr.contains("has ended"), "{told:?}");
        assert!(!told.stderr.contains("/link/"), "{told:?}");
    }
    // Every cut is in the histogram.
    let metrics = world.metrics().await;
    let counted = |line: &str| metrics.lines().any(|found| found == line);
    assert!(counted("curfew_cut_latency_seconds_count 2"), "{metrics}");
}
