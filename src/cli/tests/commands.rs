//! Commands of a signed-in person: what the gate is asked, and what is shown.

use serde_json::{Value, json};

use super::fake::{Fake, Person};
use crate::audit::chain::{Head, next_line};
use crate::audit::{Actor, Checkpoint, SigningKey, What};
use crate::cli::Exit;

const A: &str = "req_aaaaaaaaaaaaaaaa";
const AB: &str = "req_aabbbbbbbbbbbbbb";

fn request(id: &str, state: &str) -> Value {
    json!({
        "id": id, "kind": "access", "state": state, "contract": "orders-debug", "contract_version": "1",
        "target": "orders", "protocol": "postgres", "account": "orders_read",
        "requester": { "identity": "ide_a", "email": "alice@example.com", "name": "Alice" },
        "reason": "INC-7: orders\u{1b}[2J are stuck", "ticket": null, "duration_seconds": 3600,
        "created_at": "2026-11-21T14:20:00Z", "expires_at": "2026-11-21T17:20:00Z", "address": "192.0.2.7",
        "votes": [], "approvals_needed": 2, "approvals": 0, "approvers": ["group sre-leads"],
        "url": format!("https://gate.example.com/requests/{id}"), "can": ["cancel"],
    })
}

fn list(items: &[Value]) -> Value {
    json!({ "items": items, "next": null })
}

fn changed(mut value: Value, changes: Value) -> Value {
    value.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    value
}

#[tokio::test]
async fn a_request_says_what_is_asked_and_shows_what_it_waits_for() {
    let gate = Fake::plain().await;
    gate.says("POST /api/v1/requests", 201, request(A, "pending"));
    let mut person = Person::signed_in(&gate);
    let line = [
        "request",
        "orders",
        "--as",
        "orders_read",
        "--for",
        "90m",
        "--at",
        "2026-11-22T09:00+01:00",
        "--reason",
        "INC-7",
        "--contract",
        "orders-debug",
    ];
    person.types(&line).await.unwrap();
    let expected = json!({
        "target": "orders", "account": "orders_read", "contract": "orders-debug", "duration_seconds": 5400,
        "starts_at": "2026-11-22T08:00:00Z", "reason": "INC-7",
    });
    assert_eq!(gate.asked_once("POST /api/v1/requests").json(), expected);
    insta::assert_snapshot!(person.printed.text(), @r"
    req_aaaaaaaaaaaaaaaa  pending
      who        alice@example.com
      what       orders as orders_read
      for        1h
      contract   orders-debug
      reason     INC-7: orders\u{1b}[2J are stuck
      asked      2 min ago (14:20 UTC), from 192.0.2.7
      waits      for 2 approvals by group sre-leads; lapses in 2 h 58 min (17:20 UTC)
      page       https://gate.example.com/requests/req_aaaaaaaaaaaaaaaa
      next       type `curfew cancel req_aaaaaaaaaaaaaaaa` to take it back
    ");
}

#[tokio::test]
async fn a_time_that_is_none_is_a_usage_error_before_anything_is_asked() {
    let gate = Fake::plain().await;
    let mut person = Person::signed_in(&gate);
    let error = person.types(&["request", "orders", "--at", "noon"]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    assert!(error.to_string().starts_with("--at must be a time such as 14:00"), "{error}");
    assert!(gate.asked().is_empty());
}

#[tokio::test]
async fn waiting_ends_with_the_decision_and_only_a_grant_is_success() {
    let vote = json!({ "email": "bob@example.com", "verdict": "approved", "at": "2026-11-21T14:21:00Z" });
    let half = changed(request(A, "pending"), json!({ "approvals": 1, "votes": [vote] }));
    let done =
        changed(request(A, "approved"), json!({ "approvals": 2, "votes": [vote], "grant_id": "gra_1" }));
    let gate = Fake::plain().await;
    gate.says("POST /api/v1/requests", 201, request(A, "pending"))
        .says(&format!("GET /api/v1/requests/{A}"), 200, half)
        .says(&format!("GET /api/v1/requests/{A}"), 200, done);
    let mut person = Person::signed_in(&gate);
    person.types(&["request", "orders", "--wait"]).await.unwrap();
    insta::assert_snapshot!(person.aside.text(), @r"
    Asked as req_aaaaaaaaaaaaaaaa 2 min ago (14:20 UTC); the page is https://gate.example.com/requests/req_aaaaaaaaaaaaaaaa
    Waiting for 2 approvals by group sre-leads; lapses in 2 h 58 min (17:20 UTC)
    Waiting for 1 more approval by group sre-leads; lapses in 2 h 58 min (17:20 UTC)
    ");
    let text = person.printed.text();
    assert!(
        text.contains("approved") && text.contains("type `curfew psql orders --as orders_read`"),
        "{text}"
    );

    let vote = json!({ "email": "bob@example.com", "verdict": "denied", "note": "not now", "at": "2026-11-21T14:21:00Z" });
    let denied = changed(request(A, "denied"), json!({ "votes": [vote] }));
    let gate = Fake::plain().await;
    gate.says("POST /api/v1/requests", 201, request(A, "pending")).says(
        &format!("GET /api/v1/requests/{A}"),
        200,
        denied,
    );
    let error = Person::signed_in(&gate).types(&["request", "orders", "--wait"]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert!(error.to_string().contains("was denied by bob@example.com: not now"), "{error}");

    // Ctrl-C leaves it pending. It stands here because the signal is for the whole process.
    let gate = Fake::plain().await;
    gate.says("POST /api/v1/requests", 201, request(A, "pending"));
    let mut person = Person::signed_in(&gate);
    let aside = person.aside.clone();
    let (done, ()) = tokio::join!(person.types(&["request", "orders", "--wait"]), async {
        aside.wait_for("Waiting").await;
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT).unwrap();
    });
    let error = done.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert!(error.to_string().contains(&format!("still pending\n  type `curfew cancel {A}`")), "{error}");
    assert!(gate.asked().iter().all(|asked| !asked.what.ends_with("cancel")));
}

#[tokio::test]
async fn lists_are_tables_and_json_is_raw() {
    let gate = Fake::plain().await;
    gate.says("GET /api/v1/requests", 200, list(&[request(A, "pending"), request(AB, "denied")]));
    let mut person = Person::signed_in(&gate);
    person.types(&["requests", "--to-approve"]).await.unwrap();
    insta::assert_snapshot!(person.printed.text(), @r"
    ID                    STATE    WHO                TARGET  ACCOUNT      FOR  ASKED                  REASON
    req_aaaaaaaaaaaaaaaa  pending  alice@example.com  orders  orders_read  1h   2 min ago (14:20 UTC)  INC-7: orders\u{1b}[2J are stuck
    req_aabbbbbbbbbbbbbb  denied   alice@example.com  orders  orders_read  1h   2 min ago (14:20 UTC)  INC-7: orders\u{1b}[2J are stuck
    ");
    assert_eq!(gate.asked_once("GET /api/v1/requests").query, "scope=to-approve&limit=500");
    let mut person = Person::signed_in(&gate);
    person.types(&["requests", "--json"]).await.unwrap();
    let raw: Value = serde_json::from_str(&person.printed.text()).unwrap();
    assert_eq!(raw, list(&[request(A, "pending"), request(AB, "denied")]));
}

#[tokio::test]
async fn an_id_may_be_begun_as_long_as_it_is_the_only_one() {
    let gate = Fake::plain().await;
    gate.says("GET /api/v1/requests", 200, list(&[request(A, "pending"), request(AB, "pending")])).says(
        &format!("POST /api/v1/requests/{AB}/approve"),
        200,
        changed(request(AB, "approved"), json!({ "grant_id": "gra_9" })),
    );
    let mut person = Person::signed_in(&gate);
    for typed in ["req_aab", "aab", "AAB", AB] {
        person.types(&["approve", typed, "--for", "30m", "--note", "ok"]).await.unwrap();
    }
    let approved: Vec<_> = gate.asked().into_iter().filter(|asked| asked.what.ends_with("approve")).collect();
    assert_eq!(approved.len(), 4);
    assert_eq!(approved[0].json(), json!({ "duration_seconds": 1800, "note": "ok" }));

    let error = person.types(&["approve", "aa"]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    assert!(error.to_string().contains(&format!("type more of it: {A}, {AB}")), "{error}");
    let error = person.types(&["deny", "zz", "--reason", "no"]).await.unwrap_err();
    assert!(error.to_string().contains("no request that you can see"), "{error}");
    let error = person.types(&["deny", "../x", "--reason", "no"]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
}

#[tokio::test]
async fn a_second_approval_is_said_to_have_counted_already() {
    let half = changed(request(A, "pending"), json!({ "approvals": 1 }));
    let gate = Fake::plain().await;
    gate.says("GET /api/v1/requests", 200, list(std::slice::from_ref(&half)))
        .says(&format!("POST /api/v1/requests/{A}/approve"), 200, half.clone())
        .says(
            &format!("POST /api/v1/requests/{A}/approve"),
            200,
            changed(half, json!({ "counted_before": true })),
        );
    let mut person = Person::signed_in(&gate);
    person.types(&["approve", "aaa"]).await.unwrap();
    person.types(&["approve", "aaa"]).await.unwrap();
    let text = person.printed.text();
    let (first, second) = text.trim().split_once('\n').unwrap();
    assert!(
        first.starts_with("Your approval counts. alice@example.com still waits for 1 more approval"),
        "{first}"
    );
    assert!(second.starts_with("Your approval had been counted already: it counts once"), "{second}");
}

#[tokio::test]
async fn an_approver_revokes_by_the_first_letters_of_a_grant_that_is_not_theirs() {
    let grant = json!({
        "id": "gra_ccccccccccccccccc", "request": A, "state": "active", "contract": "orders-debug", "target": "orders",
        "protocol": "postgres", "account": "orders_read",
        "holder": { "identity": "ide_a", "email": "alice@example.com", "name": "Alice" },
        "starts_at": "2026-11-21T14:20:00Z", "ends_at": "2026-11-21T15:20:00Z", "extensions": 0,
        "extensions_left": 2, "sessions_live": 1, "url": "https://gate.example.com/requests/x", "can": ["revoke"],
    });
    let (answer, shown) = (changed(grant.clone(), json!({ "state": "revoked" })), grant);
    let gate = Fake::plain().await;
    gate.does("GET /api/v1/grants", move |asked| match asked.query.contains("scope=to-revoke") {
        true => (200, list(std::slice::from_ref(&shown)).to_string()),
        // A plain approver has none of their own, and may not see everybody's.
        false if asked.query.contains("scope=mine") => (200, list(&[]).to_string()),
        false => (403, json!({ "title": "Not allowed", "detail": "auditors only" }).to_string()),
    })
    .says("POST /api/v1/grants/gra_ccccccccccccccccc/revoke", 200, answer);
    let mut person = Person::signed_in(&gate);
    person.types(&["revoke", "gra_cc", "--reason", "enough"]).await.unwrap();
    assert!(person.printed.text().starts_with("Revoked: alice@example.com"), "{}", person.printed.text());
    person.types(&["grants", "--to-revoke"]).await.unwrap();
    assert!(person.printed.text().contains("orders_read"), "{}", person.printed.text());
}

#[tokio::test]
async fn a_scope_that_one_may_not_see_does_not_stop_the_search() {
    let gate = Fake::plain().await;
    gate.does("GET /api/v1/requests", |asked| match asked.query.contains("scope=mine") {
        true => (200, list(&[request(A, "pending")]).to_string()),
        false => (403, json!({ "title": "Not allowed", "detail": "approvers only" }).to_string()),
    })
    .says(&format!("POST /api/v1/requests/{A}/cancel"), 200, request(A, "cancelled"));
    Person::signed_in(&gate).types(&["cancel", "aaa"]).await.unwrap();
}

#[tokio::test]
async fn targets_show_what_is_open_and_what_can_be_asked_for() {
    let contract = json!({
        "name": "orders-debug", "max_seconds": 14400, "default_seconds": 3600, "needs_approval": true,
        "reason_required": true, "ticket": null,
    });
    let target = json!({
        "name": "orders", "protocol": "postgres", "labels": {}, "accounts": [
            { "name": "orders_read", "contracts": [contract], "grant": "gra_1" },
            { "name": "orders_write", "contracts": [contract], "grant": null },
        ],
    });
    let gate = Fake::plain().await;
    gate.says("GET /api/v1/targets", 200, list(&[target])).says(
        "GET /api/v1/gate",
        200,
        json!({ "listeners": [{ "protocol": "postgres", "address": "gate.example.com:5432" }] }),
    );
    let mut person = Person::signed_in(&gate);
    person.types(&["targets"]).await.unwrap();
    insta::assert_snapshot!(person.printed.text(), @r"
    TARGET  ACCOUNT       NOW   CONTRACT      AT MOST  ASK
    orders  orders_read   open  orders-debug  4h       approval, with a reason
    orders  orders_write  ask   orders-debug  4h       approval, with a reason
    ");
    let error = person.types(&["connect", "order"]).await.unwrap_err();
    assert!(error.to_string().contains("did you mean `orders`?"), "{error}");
}

#[tokio::test]
async fn logout_removes_the_sign_in_even_from_a_gate_that_is_gone() {
    let gate = Fake::plain().await;
    gate.says("POST /api/v1/signout", 503, json!({ "title": "Unavailable", "detail": "the store is down" }));
    let mut person = Person::signed_in(&gate);
    let error = person.types(&["logout"]).await.unwrap_err();
    assert!(error.to_string().starts_with("the store is down"), "{error}");
    let aside = person.aside.text();
    assert!(
        aside.contains("the gate still knows it. It ends in 11 h 38 min (Sun 22 Nov 02:00 UTC) by itself"),
        "{aside}"
    );
    assert!(person.saved(&gate).token().is_err());
}

/// Lines of a chain, and a gate that gives them as the API says.
async fn audited(count: u64, spoil: Option<usize>) -> (Fake, SigningKey) {
    let (key, _) = SigningKey::generate().unwrap();
    let (mut lines, mut head) = (Vec::new(), Head::EMPTY);
    for n in 0..count {
        let actor = Actor::Stranger { address: None };
        let event = actor.did(What::SigninRefused { method: "link".to_owned(), why: format!("reason {n}") });
        let (line, next) = next_line(head, super::fake::NOW.parse().unwrap(), "n1", &event).unwrap();
        lines.push(line);
        head = next;
    }
    let checkpoint =
        Checkpoint::new(super::fake::NOW.parse().unwrap(), "n1", head, Vec::new()).sign(&key).unwrap();
    if let Some(at) = spoil {
        lines[at] = lines[at].replace("reason", "treason");
    }
    let gate = Fake::plain().await;
    gate.does("GET /api/v1/audit", move |asked| {
        let value = |name: &str| -> Option<usize> {
            let pairs = url::form_urlencoded::parse(asked.query.as_bytes());
            pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.parse().unwrap())
        };
        let (after, limit) = (value("after").unwrap(), value("limit").unwrap());
        assert!(limit <= 500);
        let page: String = lines.iter().skip(after).take(limit).map(|line| format!("{line}\n")).collect();
        (200, page)
    })
    .says("GET /api/v1/audit/checkpoints", 200, checkpoint + "\n")
    .says("GET /api/v1/keys", 200, json!([{ "key": key.id(), "pem": key.public_pem().unwrap() }]));
    (gate, key)
}

#[tokio::test]
async fn the_audit_log_is_verified_here_page_by_page() {
    let (gate, key) = audited(1201, None).await;
    let mut person = Person::signed_in(&gate);
    person.types(&["audit", "verify"]).await.unwrap();
    assert_eq!(
        person.printed.text(),
        "node n1: a checkpoint vouches for 1201 lines\nok  1201 lines of the audit log\n"
    );
    assert!(person.aside.text().contains("as the gate at http://127.0.0.1"), "{}", person.aside.text());

    // The same from files, with the key from elsewhere and no gate.
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    person.types(&["audit", "export", "--output", &path("log")]).await.unwrap();
    person.types(&["audit", "export", "--checkpoints", "--output", &path("points")]).await.unwrap();
    std::fs::write(path("key"), key.public_pem().unwrap()).unwrap();
    let mut stranger = Person::new();
    let line = ["audit", "verify", &path("log"), "--checkpoint", &path("points"), "--key", &path("key")];
    stranger.types(&line).await.unwrap();
    stranger.types(&["audit", "verify", &path("log")]).await.unwrap();
    let text = stranger.printed.text();
    assert!(text.contains("ok  1201 lines of the audit log\ncompleteness not proven"), "{text}");

    let shorter = std::fs::read_to_string(path("log")).unwrap();
    let cut = shorter.trim_end().rfind('\n').unwrap();
    std::fs::write(path("log"), &shorter[..=cut]).unwrap();
    let error = stranger.types(&line).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert!(stranger.printed.text().contains("shortened  node n1"), "{}", stranger.printed.text());
}

#[tokio::test]
async fn a_changed_line_of_the_audit_log_is_found() {
    let (gate, _) = audited(700, Some(600)).await;
    let mut person = Person::signed_in(&gate);
    let error = person.types(&["audit", "verify"]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert!(person.printed.text().contains("altered  "), "{}", person.printed.text());
}

#[tokio::test]
async fn the_tail_of_the_audit_log_is_its_last_lines() {
    for (count, expected) in [(0, 0), (1, 1), (5, 3), (1024, 3), (1025, 3), (5000, 3)] {
        let (gate, _) = audited(count, None).await;
        let mut person = Person::signed_in(&gate);
        person.types(&["audit", "tail", "-n", "3"]).await.unwrap();
        let text = person.printed.text();
        assert_eq!(text.lines().count(), expected, "{count}: {text}");
        if let Some(last) = text.lines().last() {
            let wanted = format!(
                "14:22 UTC  signin.refused        stranger  method=link why=\"reason {}\"",
                count - 1
            );
            assert_eq!(last, wanted);
        }
        assert!(gate.asked().len() < 40, "{} requests for {count} lines", gate.asked().len());
    }
}
