//! Asking, deciding, extending and ending access, by commands in several terminals at once.

use curfew_harness::{Clock, Person, Process};
use serde_json::Value;

use super::{ended, only, refused};
use crate::world::{LIMIT, World};

/// Starts a request that waits, and gives it when it says that it does.
async fn asked(who: &Person, reason: &str) -> Process {
    let args =
        ["request", "orders", "--as", "orders_read", "--for", "1h", "--reason", reason, "--wait", "--json"];
    let waiting = who.spawn(args).unwrap();
    waiting.logs().wait_for("Waiting for 1 approval", LIMIT).await.unwrap();
    waiting
}

/// The request that waits for this approver.
async fn to_decide(who: &Person) -> Value {
    let list = who.json(["requests", "--to-approve", "--json"]).await.unwrap();
    let id = only(&list);
    assert_eq!(list["items"][0]["id"], id);
    list["items"][0].clone()
}

fn seconds(grant: &Value) -> f64 {
    let clock = Clock::read();
    let at = |name: &str| clock.instant(grant[name].as_str().unwrap()).unwrap();
    (at("ends_at") - at("starts_at")).as_secs_f64()
}

#[tokio::test]
async fn access_is_asked_for_shortened_extended_and_given_back() {
    let world = World::secure(|options| options).await;
    let (alice, bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let targets = alice.json(["targets", "--json"]).await.unwrap();
    let account = &targets["items"][0]["accounts"][0];
    assert_eq!((&targets["items"][0]["name"], &account["name"]), (&"orders".into(), &"orders_read".into()));
    assert_eq!(account["grant"], Value::Null);
    let shown = alice.curfew(["targets"]).await.unwrap().success().unwrap().stdout;
    assert!(shown.contains("orders-debug") && !shown.contains('\u{1b}'), "{shown}");

    let waiting = asked(&alice, "INC-1: orders are stuck").await;
    let request = to_decide(&bob).await;
    let id = request["id"].as_str().unwrap();
    assert_eq!(request["requester"]["email"], "alice@example.com");
    assert_eq!(request["reason"], "INC-1: orders are stuck");
    assert_eq!(request["duration_seconds"], 3600);
    let approved =
        bob.json(["approve", id, "--for", "30m", "--note", "half will do", "--json"]).await.unwrap();
    assert_eq!(approved["state"], "approved");
    let (said, granted) = ended(waiting).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!((&granted["id"], &granted["state"]), (&request["id"], &"approved".into()));
    let said = refused(&bob, ["approve", id], 1).await;
    assert!(said.contains("approved"), "{said}");

    let grants = alice.json(["grants", "--json"]).await.unwrap();
    let grant = only(&grants);
    assert_eq!(grants["items"][0]["state"], "active");
    assert!((seconds(&grants["items"][0]) - 1800.0).abs() < 1.0, "{grants}");

    let extending = alice.spawn(["extend", &grant, "--reason", "nearly there", "--wait", "--json"]).unwrap();
    extending.logs().wait_for("Waiting for 1 approval", LIMIT).await.unwrap();
    let extension = to_decide(&bob).await;
    assert_eq!(extension["kind"], "extension");
    // The first letters of an id are enough.
    let short = &extension["id"].as_str().unwrap()[..12];
    bob.curfew(["approve", short]).await.unwrap().success().unwrap();
    let (said, _) = ended(extending).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let longer = alice.json(["grants", &grant, "--json"]).await.unwrap();
    assert!((seconds(&longer) - 3600.0).abs() < 1.0, "{longer}");
    assert_eq!(longer["extensions"], 1);

    let given_back = alice.json(["return", &grant, "--json"]).await.unwrap();
    assert_eq!(given_back["state"], "returned");
    refused(&alice, ["return", &grant], 1).await;
    let shown = alice.curfew(["requests", id]).await.unwrap().success().unwrap().stdout;
    for part in ["INC-1: orders are stuck", "bob@example.com", "half will do", "approved"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[tokio::test]
async fn waiting_succeeds_only_when_it_is_granted() {
    let world = World::secure(|options| options).await;
    let (alice, bob) = (world.signed_in("alice").await, world.signed_in("bob").await);

    let waiting = asked(&alice, "to be denied").await;
    let id = to_decide(&bob).await["id"].as_str().unwrap().to_owned();
    let said = refused(&alice, ["approve", &id], 1).await;
    assert!(said.contains("your own") || said.contains("own request"), "{said}");
    let denied = bob.json(["deny", &id, "--reason", "not on a Friday", "--json"]).await.unwrap();
    assert_eq!(denied["state"], "denied");
    let (said, _) = ended(waiting).await;
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("denied by bob@example.com: not on a Friday"), "{}", said.stderr);

    let waiting = asked(&alice, "to be taken back").await;
    let id = to_decide(&bob).await["id"].as_str().unwrap().to_owned();
    refused(&bob, ["cancel", &id], 1).await;
    assert_eq!(alice.json(["cancel", &id, "--json"]).await.unwrap()["state"], "cancelled");
    let (said, _) = ended(waiting).await;
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("was cancelled"), "{}", said.stderr);

    let waiting = asked(&alice, "to be revoked").await;
    let id = to_decide(&bob).await["id"].as_str().unwrap().to_owned();
    bob.curfew(["approve", &id]).await.unwrap().success().unwrap();
    let (said, granted) = ended(waiting).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let grant = granted["grant_id"].as_str().unwrap();
    let said = refused(&world.signed_in("carol").await, ["revoke", grant, "--reason", "mine now"], 1).await;
    assert!(said.contains("no grant") || said.contains("There is no"), "{said}");
    let revoked = bob.json(["revoke", grant, "--reason", "the incident is over", "--json"]).await.unwrap();
    assert_eq!(revoked["state"], "revoked");
    let shown = alice.json(["grants", grant, "--json"]).await.unwrap();
    assert_eq!((&shown["state"], &shown["end_note"]), (&"revoked".into(), &"the incident is over".into()));

    let said = refused(&alice, ["request", "orders", "--as", "orders_read"], 1).await;
    assert!(said.contains("reason"), "{said}");
    // A target that one may not know of reads like one that does not exist.
    let hidden = refused(&bob, ["request", "orders", "--as", "orders_read", "--reason", "x"], 1).await;
    let absent = refused(&bob, ["request", "nothing", "--as", "orders_read", "--reason", "x"], 1).await;
    assert_eq!(hidden, absent.replace("nothing", "orders"));
}
