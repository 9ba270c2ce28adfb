//! The gate's memory (VmRSS) under attack.

use std::time::Duration;

use curfew_harness::wire::{message, query};
use curfew_harness::{Person, Wire};
use tokio::time::timeout;

use super::target::{Does, Hostile};
use crate::world::{LIMIT, NOW, World};

/// What it may grow by, in KiB: some sessions, their buffers, and what an allocator keeps.
const BOUND: u64 = 24 * 1024;

/// Sessions at once.
const SESSIONS: usize = 8;

/// How long nothing may move until it counts as stuck.
const STUCK: Duration = Duration::from_secs(3);

/// A world with another target, named `evil`.
async fn world(does: Does) -> (World, Hostile, Person) {
    let hostile = Hostile::start(does).await;
    let address = hostile.address;
    let world = World::open(|options| {
        let contract = NOW.replace("names = [\"orders\"]", "names = [\"orders\", \"evil\"]");
        options.target_with("evil", address, "mode = \"disable\"").contract("orders-now", &contract)
    })
    .await;
    let alice = world.signed_in("alice").await;
    for target in ["orders", "evil"] {
        let asked = ["request", target, "--as", "orders_read", "--reason", "a test", "--for", "1h", "--json"];
        alice.json(asked).await.unwrap();
    }
    (world, hostile, alice)
}

async fn session(world: &World, alice: &Person, target: &str) -> Wire {
    let mut wire = Wire::psql(world.gate.postgres(), "orders_read", target).await.unwrap();
    let link = wire.link(&world.gate.url()).await.unwrap();
    alice.consent(&link).await.unwrap();
    wire.until(b'Z').await.unwrap();
    wire
}

/// A head that announces so many bytes, and a few of them.
fn announced(tag: u8, length: i32) -> Vec<u8> {
    [&[tag][..], &length.to_be_bytes(), &[b'x'; 100]].concat()
}

#[tokio::test]
async fn russh_cve_2026_42189_lengths_that_either_side_announces_take_no_memory() {
    let row = [&announced(b'T', 900_000_000)[..]].concat();
    let (world, _hostile, alice) = world(Does::Says(row)).await;
    let mut held = Vec::new();
    for _ in 0..SESSIONS {
        held.push(session(&world, &alice, "evil").await);
        held.push(session(&world, &alice, "orders").await);
    }
    let lies = async {
        for (n, wire) in held.iter_mut().enumerate() {
            // By turns: the target lies, or the client.
            let lie = match n % 4 {
                0 | 2 => query("select 1"),
                1 => announced(b'Q', 16_000_000),
                _ => announced(b'B', 1_000_000_000),
            };
            wire.send(&lie).await.unwrap();
        }
        // The gate has read all that by the time that it has served somebody else.
        drop(session(&world, &alice, "orders").await);
    };
    let ((), grown) = world.gate.growth(lies).await.unwrap();
    assert!(grown < BOUND, "the gate grew by {grown} KiB");
}

#[tokio::test]
async fn thousands_of_prepared_names_cost_little_and_have_an_end() {
    let (world, _hostile, alice) = world(Does::ReadsNothing).await;
    let mut wire = session(&world, &alice, "orders").await;
    // Names as long as they come, hundreds of types, and never a Sync: the server has them all, and is asked no more.
    let types = [0, 0, 0, 25].repeat(400);
    let flood = async {
        let mut told = None;
        for block in 0..200 {
            let mut parses = Vec::new();
            for n in 0..100 {
                let name = format!("{:0>800}\0select 1\0", block * 100 + n);
                // What tells them apart is at the end of a name: the first 63 letters are what counts.
                let name = format!("{:0>60}{name}", block * 100 + n);
                let body = [name.as_bytes(), &[1, 144], &types].concat();
                parses.extend(message(b'P', &body));
            }
            parses.extend(message(b'H', b""));
            if wire.send(&parses).await.is_err() {
                break;
            }
            // Their answers, or the end.
            while let Ok(Ok(answer)) = timeout(Duration::from_millis(1), wire.next()).await {
                if answer.tag == b'E' {
                    told = answer.field('C');
                }
            }
        }
        told
    };
    let (_, grown) = world.gate.growth(flood).await.unwrap();
    assert!(grown < BOUND, "the gate grew by {grown} KiB");
}

#[tokio::test]
async fn binds_without_a_sync_cost_no_memory() {
    let (world, _hostile, alice) = world(Does::ReadsNothing).await;
    let mut wire = session(&world, &alice, "orders").await;
    wire.send(&message(b'P', b"\0select $1::text\0\0\0")).await.unwrap();
    let value = [b'v'; 1000];
    let bind = [b"\0\0\0\0\0\x01\0\0\x03\xe8".as_slice(), &value, &[0, 0]].concat();
    let block = message(b'B', &bind).repeat(500);
    let flood = async {
        // A hundred megabytes; the answers are taken as they come.
        for _ in 0..200 {
            wire.send(&block).await.unwrap();
            for _ in 0..100 {
                match timeout(Duration::from_millis(1), wire.next()).await {
                    Ok(answer) => assert_eq!(
                        answer.map(|answer| answer.tag == b'2' || answer.tag == b'1').ok(),
                        Some(true)
                    ),
                    Err(_) => break,
                }
            }
        }
    };
    let (_, grown) = world.gate.growth(timeout(LIMIT, flood)).await.unwrap();
    assert!(grown < BOUND, "the gate grew by {grown} KiB");
}

#[tokio::test]
async fn a_client_that_reads_nothing_costs_no_memory() {
    let (world, _hostile, alice) = world(Does::ReadsNothing).await;
    let mut wires = Vec::new();
    for _ in 0..SESSIONS {
        wires.push(session(&world, &alice, "orders").await);
    }
    let flood = async {
        for wire in &mut wires {
            wire.query("select repeat('x', 100000) from generate_series(1, 100000)").await.unwrap();
        }
        // All of them stand in the server, which can't write any more.
        let stuck = format!(
            "select count(*) = {SESSIONS} from pg_stat_activity where usename = 'orders_read' and wait_event = 'ClientWrite'"
        );
        world.postgres.wait_until(&stuck, LIMIT).await.unwrap();
    };
    let ((), grown) = world.gate.growth(flood).await.unwrap();
    assert!(grown < BOUND, "the gate grew by {grown} KiB");
}

#[tokio::test]
async fn a_target_that_reads_nothing_costs_no_memory() {
    let (world, _hostile, alice) = world(Does::ReadsNothing).await;
    let mut wires = Vec::new();
    for _ in 0..SESSIONS {
        wires.push(session(&world, &alice, "evil").await);
    }
    let (copy, ask) = (message(b'd', &[b'x'; 60_000]), query(&format!("select '{}'", "x".repeat(60_000))));
    let flood = async {
        for (n, wire) in wires.iter_mut().enumerate() {
            let block = if n % 2 == 0 { &copy } else { &ask };
            let (mut sent, mut stuck) = (0, false);
            while sent < 64 * 1024 * 1024 && !stuck {
                stuck = timeout(STUCK, wire.send(block)).await.is_err();
                sent += block.len();
            }
            assert!(stuck, "the gate takes {sent} bytes that nobody reads");
        }
    };
    let ((), grown) = world.gate.growth(flood).await.unwrap();
    assert!(grown < BOUND, "the gate grew by {grown} KiB");
}
