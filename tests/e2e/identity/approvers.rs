//! Whose word counts: distinct people, in the role at that moment, never the one who asks; and once.

use curfew_harness::Person;
use reqwest::Method;
use serde_json::{Value, json};

use super::{asked, request};
use crate::world::World;

/// The contract with an approval by two, from either of two groups.
const TWO: &str = r#"
[contract]
name = "orders-debug"

[who]
groups = ["sre"]

[what]
targets = { names = ["orders"] }
accounts = ["orders_read"]

[when]
duration = { default = "30m", max = "4h" }

[[approve]]
from = { groups = ["sre-leads", "platform"] }
count = 2
"#;

/// Signs in again at the provider, so that what it says now is known.
async fn again(world: &World, who: &Person) {
    let page = who.open(&world.gate.page("/signin?again=1&next=/requests")).await.unwrap();
    assert_eq!(page.status, 200, "{}", page.text());
}

#[tokio::test]
async fn one_person_in_two_groups_counts_once_and_nobody_approves_their_own() {
    let world = World::secure(|options| options.contract("orders-debug", TWO)).await;
    world.provider.person("bob", &json!({ "groups": ["sre-leads", "platform"] })).await.unwrap();
    world.provider.person("alice", &json!({ "groups": ["sre", "sre-leads", "platform"] })).await.unwrap();
    let (alice, bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let dave = world.signed_in("dave").await;
    let id = asked(&alice).await;
    let own = alice.curfew(["approve", &id]).await.unwrap();
    assert_eq!(own.code, Some(1), "{}", own.stdout);
    bob.curfew(["approve", &id]).await.unwrap().success().unwrap();
    bob.curfew(["approve", &id]).await.unwrap().success().unwrap();
    let seen = request(&alice, &id).await;
    assert_eq!(
        (&seen["state"], &seen["approvals"], &seen["approvals_needed"]),
        (&json!("pending"), &json!(1), &json!(2))
    );
    let done = dave.json(["approve", &id, "--json"]).await.unwrap();
    assert_eq!(done["state"], "approved", "{done}");
}

#[tokio::test]
async fn an_approver_who_has_lost_the_role_no_longer_counts() {
    let world = World::secure(|options| options.contract("orders-debug", TWO)).await;
    let (alice, bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let dave = world.signed_in("dave").await;
    let id = asked(&alice).await;
    bob.curfew(["approve", &id]).await.unwrap().success().unwrap();
    world.provider.person("bob", &json!({ "groups": [] })).await.unwrap();
    bob.browser.forget();
    again(&world, &bob).await;
    dave.curfew(["approve", &id]).await.unwrap().success().unwrap();
    let seen = request(&alice, &id).await;
    assert_eq!((&seen["state"], &seen["approvals"]), (&json!("pending"), &json!(1)), "{seen}");
    let refused = bob.curfew(["approve", &id]).await.unwrap();
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
}

#[tokio::test]
async fn a_double_click_and_two_approvers_at_once_make_one_grant() {
    let world = World::secure(|options| options).await;
    world.provider.person("frank", &json!({ "groups": ["sre-leads"] })).await.unwrap();
    let (alice, erin) = (world.signed_in("alice").await, world.signed_in("erin").await);
    let (bob, frank) = (world.gate.person("bob").unwrap(), world.gate.person("frank").unwrap());
    let id = asked(&alice).await;
    let url = world.gate.page(&format!("/requests/{id}"));
    let mut clicks = Vec::new();
    for person in [&bob, &bob, &frank, &frank] {
        let page = person.open(&url).await.unwrap();
        let (form, button) = page.action("approve").unwrap();
        let fields = form.filled(&[], Some(&button)).unwrap();
        let to = page.url.join(&form.action).unwrap();
        let click = person.browser.request(Method::POST, to.as_str()).unwrap();
        clicks.push(
            click.header("origin", world.gate.url()).header("sec-fetch-site", "same-origin").form(&fields),
        );
    }
    let mut going = tokio::task::JoinSet::new();
    for click in clicks {
        going.spawn(async move { click.send().await.unwrap().status().as_u16() });
    }
    let statuses = going.join_all().await;
    assert!(statuses.iter().all(|status| *status < 500), "{statuses:?}");
    let grants = erin.json(["grants", "--all", "--json"]).await.unwrap();
    assert_eq!(grants["items"].as_array().unwrap().len(), 1, "{grants}");
    let seen = request(&alice, &id).await;
    assert_eq!((&seen["state"], &seen["approvals"]), (&json!("approved"), &json!(1)), "{seen}");
    let log = erin.curfew(["audit", "export"]).await.unwrap().success().unwrap().stdout;
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let decided =
        events.filter(|event| event["kind"] == "request.decided" && event["request"] == id.as_str());
    assert_eq!(decided.count(), 1, "{log}");
}
