//! Ctrl-C, and the keys that it needs.

use curfew_harness::wire::{cancel_request, startup};
use curfew_harness::{Terminal, Wire};

use crate::world::{LIMIT, NOW, World};

const ASLEEP: &str = "select count(*) = 1 from pg_stat_activity where usename = 'orders_read' and state = 'active' \
                      and query like 'select pg_sleep%'";

/// libpq before 17 sends its CancelRequest in the clear, also from a session in TLS.
#[tokio::test]
async fn ctrl_c_in_psql_cancels_also_from_a_session_in_tls() {
    let world = World::secure(|mut options| {
        options.contracts.clear();
        options.contract("orders-now", NOW)
    })
    .await;
    let alice = world.signed_in("alice").await;
    world.grant(&alice, "orders_read", "30m").await;
    let mut psql = Terminal::psql(&world.psql("orders_read"), ["-v", "VERBOSITY=verbose"]).unwrap();
    let link = psql.link(&world.gate.url(), LIMIT).await.unwrap();
    alice.consent(&link).await.unwrap();
    psql.wait_for("orders=> ", LIMIT).await.unwrap();
    psql.send_line("select pg_sleep(600);").await.unwrap();
    world.postgres.wait_until(ASLEEP, LIMIT).await.unwrap();
    psql.interrupt().await.unwrap();
    psql.wait_for("57014", LIMIT).await.unwrap();
    // The session lives on.
    psql.send_line("select 20 + 22;").await.unwrap();
    psql.wait_for("42", LIMIT).await.unwrap();
}

async fn cancel(world: &World, key: &[u8]) {
    let mut wire = Wire::connect(world.gate.postgres()).await.unwrap();
    wire.send(&cancel_request(key)).await.unwrap();
    assert!(wire.rest().await.unwrap().is_empty(), "an answer to a CancelRequest");
}

#[tokio::test]
async fn a_wrong_key_does_nothing_and_a_right_one_is_dead_after_its_session() {
    let world = World::open(|options| options).await;
    let alice = world.signed_in("alice").await;
    world.grant(&alice, "orders_read", "30m").await;
    let session = async || {
        let mut wire = Wire::connect(world.gate.postgres()).await.unwrap();
        let ask = [("user", "orders_read"), ("database", "orders"), ("application_name", "psql")];
        wire.send(&startup(&ask)).await.unwrap();
        let link = wire.link(&world.gate.url()).await.unwrap();
        alice.consent(&link).await.unwrap();
        let heard = wire.until(b'Z').await.unwrap();
        let key = heard.into_iter().find(|message| message.tag == b'K').unwrap().body;
        (wire, key)
    };
    let (mut first, key) = session().await;
    // It is the gate's own: the target knows none of that number.
    let process = i32::from_be_bytes(key[..4].try_into().unwrap());
    let known = format!("select count(*) = 0 from pg_stat_activity where pid = {process}");
    world.postgres.wait_until(&known, LIMIT).await.unwrap();

    first.query("select pg_sleep(600)").await.unwrap();
    world.postgres.wait_until(ASLEEP, LIMIT).await.unwrap();
    let connections = world.target_side.connections();
    for bit in [0, 13, 31] {
        let mut wrong = key.clone();
        wrong[4 + bit / 8] ^= 1 << (bit % 8);
        cancel(&world, &wrong).await;
    }
    assert_eq!(world.target_side.connections(), connections, "a wrong key reached the target");
    world.postgres.wait_until(ASLEEP, LIMIT).await.unwrap();

    cancel(&world, &key).await;
    let told = first.until(b'Z').await.unwrap();
    assert!(told.iter().any(|message| message.field('C').as_deref() == Some("57014")), "{told:?}");
    first.send(b"X\0\0\0\x04").await.unwrap();
    first.rest().await.unwrap();

    // The next session is none of the old key's business.
    let (mut second, other) = session().await;
    assert_ne!(key, other);
    second.query("select pg_sleep(600)").await.unwrap();
    world.postgres.wait_until(ASLEEP, LIMIT).await.unwrap();
    let connections = world.target_side.connections();
    cancel(&world, &key).await;
    assert_eq!(world.target_side.connections(), connections, "a dead key reached the target");
    world.postgres.wait_until(ASLEEP, LIMIT).await.unwrap();
}
