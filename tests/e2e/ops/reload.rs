//! Contracts are replaced while the gate runs, whole or not at all.

use std::fs;

use curfew_harness::Contract;
use serde_json::Value;

use super::{brisk, shows};
use crate::world::{LIMIT, NOW, World};

/// Names of the contracts in force.
async fn in_force(world: &World) -> Vec<String> {
    let alice = world.gate.person("erin").unwrap();
    alice.open(&world.gate.page("/requests")).await.unwrap();
    let url = world.gate.page("/api/v1/contracts");
    let answer = alice.browser.request(reqwest::Method::GET, &url).unwrap().send().await.unwrap();
    let list: Value = answer.error_for_status().unwrap().json().await.unwrap();
    let items = list["items"].as_array().unwrap().iter();
    items.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_bad_set_is_refused_whole_and_the_last_good_one_stays() {
    let mut world = World::secure(brisk).await;
    let auditor = world.auditor().await;
    assert_eq!(in_force(&world).await, ["orders-now"]);

    let second = NOW.replace("orders-now", "orders-too");
    world.gate.contract(Contract::new("second", &second)).unwrap();
    let loaded = |event: &Value| event["contracts"].as_array().is_some_and(|all| all.len() == 2);
    auditor.event("contracts.loaded", loaded).await;
    assert_eq!(in_force(&world).await, ["orders-now", "orders-too"]);

    // One good change and one mistake: neither is taken up.
    let third = NOW.replace("orders-now", "orders-three");
    let path = world.gate.folder().join("contracts/third.toml");
    fs::write(&path, &third).unwrap();
    let wrong = second.replace("[who]", "[who]\nsponsor = \"required\"");
    world.gate.contract(Contract::new("second", &wrong)).unwrap();
    let refused = auditor.event("contracts.refused", |_| true).await;
    let errors = refused["errors"].to_string();
    assert!(errors.contains("second.toml:") && errors.contains("sponsor"), "{errors}");
    let line = world.gate.logs().unwrap().wait_for("contracts refused", LIMIT).await.unwrap();
    assert!(line.contains("sponsor"), "{line}");
    assert_eq!(in_force(&world).await, ["orders-now", "orders-too"]);
    shows(&world, "curfew_contracts_reloads_total{outcome=\"refused\"}").await;

    // Put right without a signal: the folder is watched too.
    fs::write(world.gate.folder().join("contracts/second.toml"), &second).unwrap();
    let loaded = |event: &Value| event["contracts"].as_array().is_some_and(|all| all.len() == 3);
    auditor.event("contracts.loaded", loaded).await;
    assert_eq!(in_force(&world).await, ["orders-now", "orders-three", "orders-too"]);
}
