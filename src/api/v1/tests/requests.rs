//! Asking, deciding, extending, returning, revoking: the loop, and who may do what.

use serde_json::{Value, json};

use crate::api::tests::Gate;

#[tokio::test]
async fn the_loop_from_the_ask_to_the_revocation() {
    let gate = Gate::alone().await;
    let [alice, bob, ..] = gate.everybody().await;
    let ask =
        json!({ "target": "orders", "account": "orders_read", "duration_seconds": 7200, "reason": "slow" });
    let asked = gate.post("/requests", &alice, ask).await.is(201);
    let id = asked.get("id");
    assert_eq!(asked.headers["location"], format!("/api/v1/requests/{id}"));
    assert_eq!((asked.get("state"), asked.get("kind")), ("pending".into(), "access".into()));
    assert_eq!(asked.get("url"), format!("https://gate.example/requests/{id}"));
    assert_eq!(asked.json()["can"], json!(["cancel"]));
    assert_eq!(asked.json()["approvers"], json!(["group sre-leads"]));
    assert_eq!(asked.get("address"), "192.0.2.9");

    let waiting = gate.get("/requests?scope=to-approve", &bob).await.is(200).json();
    assert_eq!(waiting["items"][0]["id"], id);
    assert_eq!(waiting["items"][0]["can"], json!(["approve", "deny"]));
    assert_eq!(waiting["next"], Value::Null);

    let approve = format!("/requests/{id}/approve");
    gate.post(&approve, &bob, json!({ "duration_seconds": 14_400 })).await.is(422);
    let approved = gate.post(&approve, &bob, json!({ "duration_seconds": 600, "note": "ok" })).await.is(200);
    assert_eq!(approved.get("state"), "approved");
    assert_eq!(approved.json()["votes"][0]["duration_seconds"], 600);
    let grant = approved.get("grant_id");
    gate.post(&approve, &bob, json!({})).await.is(409);

    let held = gate.get(&format!("/grants/{grant}"), &alice).await.is(200);
    assert_eq!(
        (held.get("state"), held.json()["can"].clone()),
        ("active".into(), json!(["extend", "return"]))
    );
    let targets = gate.get("/targets", &alice).await.is(200).json();
    assert_eq!(targets["items"][0]["accounts"][0]["grant"], grant);

    let more =
        gate.post(&format!("/grants/{grant}/extend"), &alice, json!({ "reason": "nearly" })).await.is(201);
    assert_eq!((more.get("kind"), more.get("grant")), ("extension".into(), grant.clone()));
    gate.post(&format!("/grants/{grant}/extend"), &alice, json!({})).await.is(409);
    gate.post(&format!("/requests/{}/approve", more.get("id")), &bob, json!({})).await.is(200);
    let longer = gate.get(&format!("/grants/{grant}"), &alice).await.json();
    assert_eq!((longer["extensions"].clone(), longer["extensions_left"].clone()), (json!(1), json!(1)));

    let revoke = format!("/grants/{grant}/revoke");
    gate.post(&revoke, &bob, json!({})).await.is(422);
    gate.post(&revoke, &bob, json!({ "reason": "  " })).await.is(422);
    let revoked = gate.post(&revoke, &bob, json!({ "reason": "done" })).await.is(200);
    assert_eq!((revoked.get("state"), revoked.get("ended_by")), ("revoked".into(), "bob@example.com".into()));
    gate.post(&revoke, &bob, json!({ "reason": "again" })).await.is(409);
    gate.post(&format!("/grants/{grant}/return"), &alice, json!({})).await.is(409);
}

#[tokio::test]
async fn what_one_may_not_see_answers_like_what_is_not_there() {
    let gate = Gate::alone().await;
    let [alice, bob, carol, ..] = gate.everybody().await;
    let (request, grant) = (gate.pending(&alice).await, gate.granted(&alice, &bob).await);
    let nowhere = ["req_aaaaaaaaaaaaaaaa", "gra_aaaaaaaaaaaaaaaa"];
    for verb in ["", "/approve", "/deny", "/cancel"] {
        let both = [&request, nowhere[0]].map(|id| format!("/requests/{id}{verb}"));
        same(&gate, &carol, verb, both).await;
    }
    for verb in ["", "/extend", "/return", "/revoke"] {
        same(&gate, &carol, verb, [&grant, nowhere[1]].map(|id| format!("/grants/{id}{verb}"))).await;
    }
    // A target that no contract names for her looks like none.
    let ask = |target: &str| json!({ "target": target, "reason": "x" });
    let hidden = gate.post("/requests", &carol, ask("payroll")).await.is(404).get("detail");
    let none = gate.post("/requests", &carol, ask("nowhere")).await.is(404).get("detail");
    assert_eq!(hidden.replace("payroll", "nowhere"), none);
}

async fn same(gate: &Gate, who: &crate::api::tests::world::Somebody, verb: &str, paths: [String; 2]) {
    let body = match verb {
        "/deny" | "/revoke" => json!({ "reason": "no" }),
        _ => json!({}),
    };
    let mut answers = Vec::new();
    for path in &paths {
        let answer = match verb {
            "" => gate.get(path, who).await,
            _ => gate.post(path, who, body.clone()).await,
        };
        answers.push(answer.is(404).text);
    }
    assert_eq!(answers[0], answers[1], "{paths:?}");
}

#[tokio::test]
async fn nobody_decides_their_own_and_auditors_only_look() {
    let gate = Gate::alone().await;
    let [alice, bob, _, dave, erin, frank] = gate.everybody().await;
    let own = gate.pending(&erin).await;
    gate.post(&format!("/requests/{own}/approve"), &erin, json!({})).await.is(403);
    let others = gate.pending(&alice).await;
    for who in [&alice, &frank, &dave] {
        gate.get(&format!("/requests/{others}"), who).await.is(200);
        gate.post(&format!("/requests/{others}/approve"), who, json!({})).await.is(403);
        gate.post(&format!("/requests/{others}/deny"), who, json!({ "reason": "no" })).await.is(403);
    }
    gate.post(&format!("/requests/{others}/cancel"), &bob, json!({})).await.is(403);
    gate.post(&format!("/requests/{others}/cancel"), &alice, json!({})).await.is(200);
    let grant = gate.granted(&alice, &bob).await;
    gate.post(&format!("/grants/{grant}/revoke"), &frank, json!({ "reason": "x" })).await.is(403);
    gate.post(&format!("/grants/{grant}/revoke"), &alice, json!({ "reason": "x" })).await.is(403);
    gate.post(&format!("/grants/{grant}/return"), &dave, json!({})).await.is(403);
    gate.post(&format!("/grants/{grant}/revoke"), &dave, json!({ "reason": "x" })).await.is(200);
    gate.get("/requests?scope=all", &alice).await.is(403);
    gate.get("/grants?scope=all", &bob).await.is(403);
    let all = gate.get("/requests?scope=all", &frank).await.is(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn several_contracts_are_listed_to_choose_from() {
    let gate = Gate::alone().await;
    let heidi = gate.person("heidi", &["sre", "counters"]).await;
    let several = gate.post("/requests", &heidi, json!({ "target": "stock" })).await.is(409).json();
    let names: Vec<_> = several["contracts"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
    assert_eq!(names, [json!("stock-count"), json!("stock-peek")]);
    let named = json!({ "target": "stock", "contract": "stock-peek" });
    assert_eq!(gate.post("/requests", &heidi, named).await.is(201).get("state"), "approved");
    let accounts = gate.post("/requests", &heidi, json!({ "target": "orders" })).await.is(422).json();
    assert_eq!(accounts["accounts"], json!(["orders_read", "orders_write"]));
    let ticket =
        json!({ "target": "orders", "account": "orders_write", "reason": "x", "ticket": "INC-1; x" });
    gate.post("/requests", &heidi, ticket).await.is(422);
    let targets = gate.get("/targets", &heidi).await.is(200).json();
    let names: Vec<_> = targets["items"].as_array().unwrap().iter().map(|t| t["name"].clone()).collect();
    assert_eq!(names, [json!("orders"), json!("stock")]);
    let offer = &targets["items"][0]["accounts"][1]["contracts"][0];
    assert_eq!((&offer["ticket"], &offer["needs_approval"]), (&json!("^INC-[0-9]+$"), &json!(true)));
}

#[tokio::test]
async fn lists_come_in_pieces() {
    let gate = Gate::alone().await;
    let alice = gate.person("alice", &["sre"]).await;
    let mut asked = Vec::new();
    for _ in 0..5 {
        asked.insert(0, gate.pending(&alice).await);
        gate.backend.hand.advance(std::time::Duration::from_secs(1));
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = gate.get(&format!("/requests?limit=2{cursor}"), &alice).await.is(200).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, asked);
}

#[tokio::test]
async fn those_who_may_revoke_find_what_they_may_revoke() {
    let gate = Gate::alone().await;
    let [alice, bob, carol, dave, ..] = gate.everybody().await;
    let (grant, over) = (gate.granted(&alice, &bob).await, gate.granted(&alice, &bob).await);
    gate.post(&format!("/grants/{over}/return"), &alice, json!({})).await.is(200);
    for (who, found) in [(&alice, 0), (&bob, 1), (&carol, 0), (&dave, 1)] {
        let list = gate.get("/grants?scope=to-revoke", who).await.is(200).json();
        let ids: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
        assert_eq!(ids.len(), found, "{}", who.viewer.identity.email);
        assert!(ids.iter().all(|id| *id == grant), "{ids:?}");
    }
    gate.get("/signins?scope=to-revoke", &bob).await.is(400);
}
