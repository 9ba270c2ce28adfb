//! The gate as whoever runs it meets it: what it measures, logs, reloads, and how it starts, ends and fails.

mod disk;
mod ending;
mod metrics;
mod quiet;
mod reload;
mod start;

use curfew_harness::{GateOptions, Page, Person};

use crate::world::{NOW, World};

/// Grants at once, checkpoints each second, logs for machines.
fn brisk(mut options: GateOptions) -> GateOptions {
    options.contracts.clear();
    options.record = "checkpoint = { file = \"data/checkpoints.jsonl\", every = \"1s\" }\n".to_owned();
    options.tables.push_str("\n[log]\nformat = \"json\"\n");
    options.contract("orders-now", NOW)
}

/// A gate with alice signed in, and her grant for an hour.
async fn with_grant(change: impl FnOnce(GateOptions) -> GateOptions) -> (World, Person, String) {
    let world = World::secure(|options| change(brisk(options))).await;
    let alice = world.signed_in("alice").await;
    let grant = world.grant(&alice, "orders_read", "1h").await;
    let grant = grant["id"].as_str().unwrap().to_owned();
    (world, alice, grant)
}

/// An address of the metrics listener.
async fn plain(world: &World, path: &str) -> Page {
    let browser = curfew_harness::Browser::new().unwrap();
    browser.get(&format!("http://{}{path}", world.gate.metrics())).await.unwrap()
}

/// Waits until a scrape shows a sample that begins like this.
async fn shows(world: &World, sample: &str) {
    let there = async || world.metrics().await.lines().any(|line| line.starts_with(sample)).then_some(());
    curfew_harness::until(sample, crate::world::LIMIT, there).await.unwrap();
}
