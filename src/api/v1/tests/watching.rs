//! Who one is, sign-ins, identities, contracts and certificates.

use serde_json::json;

use crate::api::tests::Gate;

#[tokio::test]
async fn whoami_tells_the_roles() {
    let gate = Gate::alone().await;
    let [alice, bob, _, dave, _, frank] = gate.everybody().await;
    for (who, roles) in [
        (&alice, json!(["user"])),
        (&bob, json!(["user", "approver"])),
        (&dave, json!(["user", "admin"])),
        (&frank, json!(["user", "auditor"])),
    ] {
        let told = gate.get("/whoami", who).await.is(200).json();
        assert_eq!(told["roles"], roles);
        assert_eq!(told["identity"]["email"], who.viewer.identity.email);
        assert_eq!(told["signin"]["method"], "loopback");
    }
}

#[tokio::test]
async fn a_sign_in_is_revoked_by_its_owner_or_an_admin() {
    let gate = Gate::alone().await;
    let [alice, _, carol, dave, _, frank] = gate.everybody().await;
    let mine = gate.get("/signins", &alice).await.is(200).json();
    let items = mine["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "the browser and the command line");
    let current = items.iter().find(|item| item["current"] == true).unwrap();
    assert_eq!(current["method"], "loopback");
    let browser = format!("/signins/{}/revoke", alice.viewer.signin.id);
    gate.post(&browser, &carol, json!({})).await.is(404);
    gate.post(&browser, &frank, json!({})).await.is(403);
    gate.get("/signins?scope=all", &alice).await.is(403);
    let all = gate.get("/signins?scope=all", &frank).await.is(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 12);

    let ended = gate.post(&browser, &dave, json!({})).await.is(200).json();
    assert!(ended["ended_at"].is_string());
    gate.post(&browser, &dave, json!({})).await.is(200);
    // What came from it ended too.
    gate.get("/whoami", &alice).await.is(401);
    gate.post("/signout", &carol, json!({})).await.is(200);
    gate.get("/whoami", &carol).await.is(401);
    assert!(gate.audit().await.contains("\"why\":\"logout\""));
}

#[tokio::test]
async fn identities_are_for_auditors_to_see_and_admins_to_shut_out() {
    let gate = Gate::alone().await;
    let [alice, bob, _, dave, _, frank] = gate.everybody().await;
    gate.get("/identities", &alice).await.is(403);
    let all = gate.get("/identities", &frank).await.is(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 6);
    assert_eq!(all["items"][0]["groups"], json!(["sre"]));
    let disable = format!("/identities/{}/disable", bob.viewer.identity.id);
    gate.post(&disable, &alice, json!({})).await.is(404);
    gate.post(&disable, &frank, json!({})).await.is(403);
    let shut = gate.post(&disable, &dave, json!({ "reason": "left" })).await.is(200).json();
    assert_eq!((&shut["disabled"], &shut["disabled_reason"]), (&json!(true), &json!("left")));
    gate.post(&disable, &dave, json!({})).await.is(200);
    let own = format!("/identities/{}/disable", dave.viewer.identity.id);
    gate.post(&own, &dave, json!({})).await.is(409);
    // One who is shut out no longer counts as an approver.
    let explained =
        gate.get("/contracts/explain?target=orders&account=orders_read", &alice).await.is(200).json();
    assert_eq!(explained["contracts"][0]["approvers"], json!(["erin@example.com"]));
}

#[tokio::test]
async fn contracts_are_explained_to_oneself_and_to_auditors() {
    let gate = Gate::alone().await;
    let [alice, _, carol, _, _, frank] = gate.everybody().await;
    let names = gate.get("/contracts", &carol).await.is(200).json();
    assert_eq!(names["items"].as_array().unwrap().len(), 4);
    let mine = gate.get("/contracts/explain?target=orders", &alice).await.is(200).json();
    assert_eq!((&mine["who"], &mine["contracts"][0]["matches"]), (&json!("alice@example.com"), &json!(true)));
    gate.get("/contracts/explain?target=orders&who=ALICE@example.com", &alice).await.is(200);
    gate.get("/contracts/explain?target=orders&who=carol@example.com", &alice).await.is(403);
    gate.get("/contracts/explain?target=payroll", &alice).await.is(404);
    gate.get("/contracts/explain?target=nowhere", &alice).await.is(404);
    gate.get("/contracts/explain?target=payroll&who=carol@example.com", &frank).await.is(200);
    gate.get("/contracts/explain?target=orders&who=nobody@example.com", &frank).await.is(404);
    gate.get("/contracts/explain", &frank).await.is(400);
}

#[tokio::test]
async fn a_certificate_is_made_for_the_key_of_a_csr_only() {
    let gate = Gate::alone().await;
    let alice = gate.person("alice", &["sre"]).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let made = gate.post("/certificates", &alice, json!({ "csr": csr })).await.is(201);
    assert!(made.get("certificate").starts_with("-----BEGIN CERTIFICATE-----"));
    let ends: jiff::Timestamp = made.get("expires_at").parse().unwrap();
    assert!(ends <= alice.viewer.signin.ends_at);
    gate.post("/certificates", &alice, json!({ "csr": "nonsense" })).await.is(422);
}
