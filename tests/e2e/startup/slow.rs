//! Clients that take their time, at each stage, while others are served.

use std::time::{Duration, Instant};

use curfew_harness::Wire;
use curfew_harness::wire::{SSL_REQUEST, startup};

use crate::world::World;

#[tokio::test]
async fn a_slow_client_at_each_stage_holds_up_nobody() {
    let world = World::secure(|mut options| {
        options.listen = "limits = { startup = \"5s\" }".to_owned();
        options
    })
    .await;
    let to = world.gate.postgres();
    let ask = startup(&[("user", "orders_read"), ("database", "orders"), ("application_name", "psql")]);
    let mut slow = Vec::new();
    for _ in 0..20 {
        // Says nothing.
        slow.push(Wire::connect(to).await.unwrap());
        // Stops in the middle of its request for TLS.
        let mut wire = Wire::connect(to).await.unwrap();
        wire.send(&SSL_REQUEST[..5]).await.unwrap();
        slow.push(wire);
        // Is told yes, and never begins the handshake.
        let mut wire = Wire::connect(to).await.unwrap();
        wire.send(&SSL_REQUEST).await.unwrap();
        assert_eq!(wire.bytes().await.unwrap(), b"S");
        slow.push(wire);
        // Stops in the middle of its ClientHello.
        let mut wire = Wire::connect(to).await.unwrap();
        wire.send(&SSL_REQUEST).await.unwrap();
        assert_eq!(wire.bytes().await.unwrap(), b"S");
        wire.send(b"\x16\x03\x01\x02\x00\x01\x00").await.unwrap();
        slow.push(wire);
        // Stops in the middle of its startup message.
        let mut wire = Wire::connect(to).await.unwrap();
        wire.send(&ask[..ask.len() / 2]).await.unwrap();
        slow.push(wire);
    }
    let began = Instant::now();
    let psql = world.psql("orders_read").param("application_name", "report");
    let told = psql.run(["-c", "select 1"]).await.unwrap();
    assert!(told.stderr.contains("can't wait here"), "{}", told.stderr);
    assert!(began.elapsed() < Duration::from_secs(4), "served after {:?}", began.elapsed());
    // And each of them is left at its deadline.
    for mut wire in slow {
        wire.rest().await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(8), "the last was left after {:?}", began.elapsed());
}

#[tokio::test]
async fn waiting_for_a_person_stops_the_startup_deadline() {
    let world = World::open(|mut options| {
        options.listen = "limits = { startup = \"1s\" }".to_owned();
        options
    })
    .await;
    let mut waiting = world.wire("orders_read").await;
    let link = waiting.link(&world.gate.url()).await.unwrap();
    // Another one is left at its deadline; who was there before it still waits.
    let mut silent = Wire::connect(world.gate.postgres()).await.unwrap();
    silent.rest().await.unwrap();
    let carol = world.gate.person("carol").unwrap();
    let page = carol.consent(&link).await.unwrap();
    assert_eq!(page.status, 200, "{}", page.text());
    let told = waiting.until(b'E').await.unwrap().pop().unwrap();
    assert_eq!(told.field('C').as_deref(), Some("42501"), "{told:?}");
}
