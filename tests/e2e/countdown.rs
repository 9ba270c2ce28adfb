//! The countdown: said at its steps, between messages and never inside one; and an extension that moves it.

use std::time::Duration;

use curfew_harness::clock::{Clock, millis};
use curfew_harness::tap::What;
use curfew_harness::wire::{Message, messages};
use curfew_harness::{Direction, Wire};
use serde_json::Value;

use crate::world::{LIMIT, NOW, World};

/// A gate that counts down from these.
async fn counting(steps: &str, contract: &str) -> World {
    World::open(|mut options| {
        options.tables.push_str(&format!("\n[session]\ncountdown = {steps}\n"));
        options.contract("orders-now", contract)
    })
    .await
}

fn ends_at(grant: &Value) -> std::time::Instant {
    Clock::read().instant(grant["ends_at"].as_str().unwrap()).unwrap()
}

fn is_countdown(message: &Message) -> bool {
    message.tag == b'N' && message.field('M').is_some_and(|said| said.contains("this access ends in"))
}

/// The countdown's notices among these messages.
fn notices(heard: &[Message]) -> Vec<String> {
    heard.iter().filter(|message| is_countdown(message)).map(|notice| notice.field('M').unwrap()).collect()
}

#[tokio::test]
async fn notices_come_at_their_steps_between_the_rows_of_a_stream() {
    let world = counting("[\"8s\", \"5s\", \"2s\"]", NOW).await;
    let alice = world.signed_in("alice").await;
    let grant = world.grant(&alice, "orders_read", "12s").await;
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;
    let end = ends_at(&grant);
    // Some 3 MB a second, in pieces that end anywhere but between rows.
    let stream = "copy (select generate_series(1, 1000000000), repeat('x', 997), pg_sleep(0.0002)) to stdout";
    wire.query(stream).await.unwrap();
    let heard = wire.rest().await.unwrap();

    // Each message is whole, and the rows are all there, in their order: nothing was put inside one.
    let (heard, _) = messages(&heard);
    let mut next = 1_u64;
    for message in &heard {
        match message.tag {
            b'd' => {
                assert_eq!(
                    message.body,
                    format!("{next}\t{}\t\n", "x".repeat(997)).into_bytes(),
                    "row {next}"
                );
                next += 1;
            }
            b'H' => {}
            b'N' => assert!(is_countdown(message), "{message:?}"),
            b'E' => assert_eq!(message.field('C').as_deref(), Some("57P01")),
            tag => panic!("a message of type {}", char::from(tag)),
        }
    }
    assert!(next > 1000, "only {next} rows ran");
    let said = notices(&heard);
    let steps: Vec<_> = said.iter().map(|text| text.split(" (").next().unwrap().to_owned()).collect();
    let expected =
        ["8 seconds", "5 seconds", "2 seconds"].map(|left| format!("curfew: this access ends in {left}"));
    assert_eq!(steps, expected);
    // With the command that extends it, whole.
    let hint = heard.iter().find(|message| is_countdown(message)).unwrap().field('H').unwrap();
    assert_eq!(hint, format!("curfew extend {}", grant["id"].as_str().unwrap()));
    // When they passed the tap.
    let seen = |text: &str| {
        let events = world.client_side.events();
        let with = |what: &What| matches!(what, What::Bytes(bytes) if bytes.windows(text.len()).any(|w| w == text.as_bytes()));
        events.iter().find(|e| e.direction == Direction::ToClient && with(&e.what)).map(|e| e.at)
    };
    for (text, left) in expected.iter().zip([8, 5, 2]) {
        let due = end - Duration::from_secs(left);
        // A notice that straddles two pieces is seen in neither; those that are seen are in time.
        if let Some(at) = seen(text) {
            assert!(
                (-50.0..1500.0).contains(&millis(due, at)),
                "{text}: {} ms from its time",
                millis(due, at)
            );
        }
    }
}

#[tokio::test]
async fn a_notice_waits_for_the_end_of_a_message_that_is_half_sent() {
    let world = counting("[\"6s\"]", NOW).await;
    let alice = world.signed_in("alice").await;
    let grant = world.grant(&alice, "orders_read", "16s").await;
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;
    let end = ends_at(&grant);
    // One row of 40 MB, of which a part is on its way when the client stops reading.
    const LONG: usize = 40_000_000;
    world.client_side.stall(Direction::ToClient);
    wire.query(&format!("select repeat('x', {LONG})")).await.unwrap();
    let stuck = "select count(*) = 1 from pg_stat_activity where usename = 'orders_read' and wait_event = 'ClientWrite'";
    world.postgres.wait_until(stuck, LIMIT).await.unwrap();
    tokio::time::sleep_until((end - Duration::from_secs(5)).into()).await;
    world.client_side.resume(Direction::ToClient);
    let heard = wire.until(b'Z').await.unwrap();
    let row = heard.iter().find(|message| message.tag == b'D').unwrap();
    assert!(
        row.body.len() == LONG + 6 && row.body[6..].iter().all(|byte| *byte == b'x'),
        "the row was broken"
    );
    let said: Vec<_> = heard.iter().map(|message| char::from(message.tag)).collect();
    let after = if notices(&heard).is_empty() {
        notices(&[wire.until(b'N').await.unwrap().pop().unwrap()])
    } else {
        notices(&heard)
    };
    assert_eq!(after.len(), 1, "{said:?} {after:?}");
}

#[tokio::test]
async fn an_extension_moves_the_end_and_the_live_session_carries_on() {
    let contract = NOW.replace(
        "extend = { max = 2, by = \"30m\", approval = \"none\" }",
        "extend = { max = 1, by = \"10s\", approval = \"again\" }",
    ) + "\n[[approve]]\nfrom = { groups = [\"sre-leads\"] }\ncount = 1\n";
    let world = counting("[\"4s\"]", &contract).await;
    let (alice, bob, erin) = tokio::join!(world.signed_in("alice"), world.signed_in("bob"), world.auditor());
    let asked = ["request", "orders", "--as", "orders_read", "--reason", "x", "--for", "12s", "--json"];
    let request = alice.json(asked).await.unwrap();
    let approved = bob.json(["approve", request["id"].as_str().unwrap(), "--json"]).await.unwrap();
    let id = approved["grant_id"].as_str().unwrap_or_else(|| panic!("no grant: {approved}")).to_owned();
    let grant = alice.json(["grants", &id, "--json"]).await.unwrap();
    let end = ends_at(&grant);
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;

    let more = alice.json(["extend", &id, "--reason", "not done", "--json"]).await.unwrap();
    assert_eq!(
        (more["kind"].as_str(), more["state"].as_str()),
        (Some("extension"), Some("pending")),
        "{more}"
    );
    let still = alice.json(["grants", &id, "--json"]).await.unwrap();
    assert_eq!(still["ends_at"], grant["ends_at"], "asking alone has moved the end");
    bob.json(["approve", more["id"].as_str().unwrap(), "--json"]).await.unwrap();
    let longer = alice.json(["grants", &id, "--json"]).await.unwrap();
    let later = ends_at(&longer);
    let added = millis(end, later);
    assert!((added - 10_000.0).abs() < 5.0, "{added} ms were added: {longer}");

    // Past the first end, on the same connection.
    tokio::time::sleep_until((end + Duration::from_millis(300)).into()).await;
    query(&mut wire).await;
    let heard = wire.rest().await.unwrap();
    let (heard, _) = messages(&heard);
    assert!(!notices(&heard).is_empty(), "no countdown to the new end: {heard:?}");
    assert_eq!(heard.last().unwrap().field('C').as_deref(), Some("57P01"), "{heard:?}");
    let event = erin.ended(&id).await;
    let session = erin.get(&format!("/api/v1/sessions/{}", event["session"].as_str().unwrap())).await;
    let at = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(
        (event["reason"].as_str(), at(&session["ended_at"])),
        (Some("expired"), at(&longer["ends_at"])),
        "{session}"
    );
    // Once was what the contract allows.
    assert_eq!(longer["extensions_left"], 0, "{longer}");
}

async fn query(wire: &mut Wire) {
    wire.query("select 1").await.unwrap();
    let heard = wire.until(b'Z').await.unwrap();
    assert!(heard.iter().any(|message| message.tag == b'D'), "{heard:?}");
}
