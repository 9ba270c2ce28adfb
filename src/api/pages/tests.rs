//! The pages, opened and used in memory by several people.

use crate::api::tests::Gate;
use crate::api::tests::world::Answer;

/// The value of a hidden field.
#[track_caller]
fn hidden(page: &Answer, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page.text.split(&start).nth(1).unwrap_or_else(|| panic!("no {name} on {}", page.text));
    rest.split('"').next().unwrap().to_owned()
}

#[track_caller]
fn says(page: &Answer, parts: &[&str]) {
    let words = page.words();
    for part in parts {
        assert!(words.contains(part), "no `{part}` in: {words}");
    }
}

#[track_caller]
fn says_not(page: &Answer, parts: &[&str]) {
    let words = page.words();
    for part in parts {
        assert!(!words.contains(part), "`{part}` in: {words}");
    }
}

#[tokio::test]
async fn a_person_asks_an_approver_shortens_and_the_person_returns_it() {
    let gate = Gate::alone().await;
    let [alice, bob, ..] = gate.everybody().await;
    let home = gate.page("/", Some(&alice)).await.is(200);
    says(
        &home,
        &["You have no access right now", "orders as orders_read", "stock as stock_read", "granted at once"],
    );
    says_not(&home, &["payroll"]);

    let form = gate.page("/requests/new?target=orders&account=orders_read", Some(&alice)).await.is(200);
    says(
        &form,
        &["Ask for orders as orders_read", "Read the orders database", "Up to 4 h, somebody approves"],
    );
    let once = hidden(&form, "once");
    let fields = [
        ("target", "orders"),
        ("account", "orders_read"),
        ("contract", "orders-debug"),
        ("duration", "7200"),
        ("reason", "pool exhausted <b>"),
        ("ticket", ""),
        ("starts_at", ""),
        ("once", &once),
        ("next", ""),
    ];
    let page = gate.form("/requests", &alice, &fields).await.leads_to();
    // A double click asks once.
    assert_eq!(gate.form("/requests", &alice, &fields).await.leads_to(), page);
    let (path, _) = page.split_once('?').unwrap();
    let asked = gate.page(&page, Some(&alice)).await.is(200);
    says(
        &asked,
        &[
            "You asked.",
            "pending",
            "Waits for 1 approval by group sre-leads",
            "Lapses in 3 h (12:00 UTC)",
            "alice@example.com",
            "For 2 h",
            "Asked from 192.0.2.9",
            "Take it back",
            "pool exhausted &#60;b&#62;",
        ],
    );
    assert!(asked.text.contains("http-equiv=\"refresh\""), "the page of one who waits looks again by itself");

    let list = gate.page("/requests", Some(&bob)).await.is(200);
    says(&list, &["Waiting for you", "orders as orders_read", "alice@example.com · 2 h"]);
    says(&gate.page("/", Some(&bob)).await, &["1 request waits for your decision"]);
    let decide = gate.page(path, Some(&bob)).await.is(200);
    says(&decide, &["Your decision", "2 h (as asked)", "Approve", "Deny"]);
    says_not(&decide, &["Take it back", "Revoke"]);
    assert!(!decide.text.contains("http-equiv=\"refresh\""), "a form does not vanish under the hands");
    let act = format!("{path}/approve");
    let fields = [("action", "approve"), ("duration", "1800"), ("note", "be quick")];
    let done = gate.form(&act, &bob, &fields).await.leads_to();
    assert_eq!(gate.form(&act, &bob, &fields).await.leads_to(), done, "a double click is no error");
    let done = gate.page(&done, Some(&bob)).await.is(200);
    says(
        &done,
        &["You approved.", "bob@example.com approved 30 min", "be quick", "until 09:30 UTC", "Revoke"],
    );

    let home = gate.page("/", Some(&alice)).await.is(200);
    says(&home, &["ends in 30 min 09:30 UTC", "Return", "Ask for more time"]);
    let granted = gate.page(path, Some(&alice)).await.is(200);
    says(&granted, &["approved", "active", "Return it now", "Need longer?"]);
    let grant = granted.text.split("/grants/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let once = hidden(&granted, "once");
    let more = format!("/grants/{grant}/extend");
    let fields = [("once", once.as_str()), ("reason", "nearly there")];
    let asked = gate.form(&more, &alice, &fields).await.leads_to();
    assert_eq!(gate.form(&more, &alice, &fields).await.leads_to(), asked);
    let (extension, _) = asked.split_once('?').unwrap();
    says(&gate.page(extension, Some(&bob)).await, &["More time for orders as orders_read", "nearly there"]);
    gate.form(&format!("{extension}/approve"), &bob, &[("duration", "1800")]).await.leads_to();
    says(&gate.page(path, Some(&bob)).await, &["More time asked for: approved", "until 10:00 UTC"]);

    let back = gate.form(&format!("/grants/{grant}/return"), &alice, &[]).await.leads_to();
    assert_eq!(gate.form(&format!("/grants/{grant}/return"), &alice, &[]).await.leads_to(), back);
    let page = gate.page(&back, Some(&alice)).await.is(200);
    says(&page, &["You returned the access.", "returned"]);
    says_not(&page, &["Return it now", "Ask for more time"]);
}

#[tokio::test]
async fn a_second_approval_by_the_same_person_is_said_to_have_counted_already() {
    let gate = Gate::alone().await;
    let [alice, bob, _, _, erin, _] = gate.everybody().await;
    let ask = serde_json::json!({ "target": "orders", "account": "orders_write", "reason": "x", "ticket": "INC-7" });
    let id = gate.post("/requests", &alice, ask).await.is(201).get("id");
    let act = format!("/requests/{id}/approve");
    let mut said = Vec::new();
    for by in [&bob, &bob, &erin] {
        let done = gate.form(&act, by, &[("duration", "3600")]).await.leads_to();
        said.push(gate.page(&done, Some(by)).await.is(200));
    }
    says(&said[0], &["Your approval counts. It takes another one."]);
    says(&said[1], &["Your approval had been counted already", "It takes another one."]);
    says(&said[2], &["You approved."]);
    // The words come from how it stands, not from the address.
    let late = gate.page(&format!("/requests/{id}?done=approved-again"), Some(&alice)).await.is(200);
    says_not(&late, &["counted already"]);
}

#[tokio::test]
async fn a_denial_and_a_revocation_say_why() {
    let gate = Gate::alone().await;
    let [alice, bob, _, dave, erin, _] = gate.everybody().await;
    let id = gate.pending(&alice).await;
    let deny = format!("/requests/{id}/deny");
    let page = gate.form(&deny, &bob, &[("reason", " ")]).await.is(422);
    says(&page, &["Say why", "Your decision"]);
    let done = gate.form(&deny, &bob, &[("reason", "use the replica")]).await.leads_to();
    says(&gate.page(&done, Some(&bob)).await, &["You denied.", "bob@example.com denied", "use the replica"]);
    says(&gate.page(&done, Some(&alice)).await, &["denied", "use the replica"]);
    says_not(&gate.page(&done, Some(&alice)).await, &["You denied."]);
    // Another approver comes too late, and is told.
    let late = gate.form(&format!("/requests/{id}/approve"), &erin, &[]).await.is(409);
    says(&late, &["This request is denied already: nothing was changed."]);

    let grant = gate.granted(&alice, &bob).await;
    let revoke = format!("/grants/{grant}/revoke");
    gate.form(&revoke, &dave, &[("reason", "")]).await.is(422);
    let done = gate.form(&revoke, &dave, &[("reason", "incident over")]).await.leads_to();
    says(
        &gate.page(&done, Some(&dave)).await,
        &["You revoked the access.", "dave@example.com revoked", "incident over"],
    );
    let late = gate.form(&revoke, &bob, &[("reason", "me too")]).await.is(409);
    says(&late, &["This grant is revoked already"]);
}

#[tokio::test]
async fn what_is_wrong_with_an_ask_stands_next_to_its_field() {
    let gate = Gate::alone().await;
    let heidi = gate.person("heidi", &["sre", "counters"]).await;
    let send = async |fields: &[(&str, &str)]| gate.form("/requests", &heidi, fields).await;
    let orders = [("target", "orders"), ("account", "orders_write"), ("contract", "orders-write")];
    let page = send(&[&orders[..], &[("reason", ""), ("ticket", "INC-1"), ("duration", "60")]].concat())
        .await
        .is(422);
    assert!(page.text.contains("id=\"wrong-reason\"") && !page.text.contains("id=\"wrong-ticket\""));
    assert!(page.text.contains("value=\"INC-1\""), "what was typed is kept");
    let page = send(&[&orders[..], &[("reason", "fix"), ("ticket", "1")]].concat()).await.is(422);
    assert!(page.text.contains("id=\"wrong-ticket\""), "{}", page.words());
    let right = [&orders[..], &[("reason", "fix"), ("ticket", "INC-1")]].concat();
    for (field, value, place) in [
        ("duration", "9999", "wrong-duration"),
        ("duration", "long", "wrong-duration"),
        ("starts_at", "tomorrow", "wrong-starts"),
        ("starts_at", "2027-03-02T10:00", "wrong-starts"),
    ] {
        let page = send(&[&right[..], &[(field, value)]].concat()).await.is(422);
        assert!(page.text.contains(&format!("id=\"{place}\"")), "{field}={value}");
    }
    // Two contracts give the stock: both are shown, and one must be chosen.
    let form = gate.page("/requests/new?target=stock", Some(&heidi)).await.is(200);
    says(&form, &["Under which contract?", "stock-count", "stock-peek", "granted at once"]);
    let stock = [("target", "stock"), ("account", "stock_read")];
    assert!(send(&stock).await.is(422).text.contains("id=\"wrong-contract\""));
    let done = send(&[&stock[..], &[("contract", "stock-peek")]].concat()).await.leads_to();
    says(&gate.page(&done, Some(&heidi)).await, &["You have it: nobody needed to approve.", "active"]);
    let form = gate.page("/requests/new?target=stock", Some(&heidi)).await.is(200);
    says(&form, &["You have it already: it ends in 15 min."]);
    // A later start is said in words.
    let later =
        [&orders[..], &[("reason", "fix"), ("ticket", "INC-1"), ("starts_at", "2026-03-02T20:00")]].concat();
    let done = send(&later).await.leads_to();
    says(&gate.page(&done, Some(&heidi)).await, &["from 20:00 UTC in 11 h", "Waits for 2 approvals"]);
    assert_eq!(gate.page("/requests/new", Some(&heidi)).await.leads_to(), "/targets");
    says(&gate.page("/requests/new?target=orders", Some(&heidi)).await, &["Which account do you need?"]);
}

#[tokio::test]
async fn pages_show_nothing_to_those_who_may_not_see_it() {
    let gate = Gate::alone().await;
    let [alice, bob, carol, ..] = gate.everybody().await;
    let id = gate.pending(&alice).await;
    let grant = gate.granted(&alice, &bob).await;
    let hidden = gate.page(&format!("/requests/{id}"), Some(&carol)).await.is(404);
    let none = gate.page("/requests/req_aaaaaaaaaaaaaaaa", Some(&carol)).await.is(404);
    assert_eq!(hidden.words(), none.words());
    gate.form(&format!("/requests/{id}/approve"), &carol, &[]).await.is(404);
    gate.form(&format!("/grants/{grant}/revoke"), &carol, &[("reason", "x")]).await.is(404);
    gate.form(&format!("/requests/{id}/burn"), &bob, &[]).await.is(404);
    gate.form(&format!("/grants/{grant}/burn"), &bob, &[]).await.is(404);
    let hidden = gate.page("/requests/new?target=payroll", Some(&carol)).await.is(404).words();
    let none = gate.page("/requests/new?target=nowhere", Some(&carol)).await.is(404).words();
    assert_eq!(hidden.replace("payroll", "nowhere"), none);
    // One's own can't be approved by sending the form all the same.
    let page = gate.form(&format!("/requests/{id}/approve"), &alice, &[]).await.is(403);
    says(&page, &["Nobody decides their own request", "Take it back"]);
}

#[tokio::test]
async fn nobody_is_signed_in_and_forged_forms_do_nothing() {
    let gate = Gate::alone().await;
    let [alice, bob, ..] = gate.everybody().await;
    let id = gate.pending(&alice).await;
    let page = format!("/requests/{id}");
    let next = gate.page(&page, None).await.leads_to();
    assert_eq!(next, format!("/signin?next=%2Frequests%2F{id}"));
    let act = format!("{page}/approve");
    gate.form_with(&act, Some(&bob), &[]).await.is(403);
    let proof = crate::api::csrf::proof(&alice.cookie);
    gate.form_with(&act, Some(&bob), &[("csrf", &proof)]).await.is(403);
    assert_eq!(gate.get(&format!("/requests/{id}"), &alice).await.get("state"), "pending");
    // Whoever comes back to the address of a form is shown its page.
    assert_eq!(gate.page(&act, Some(&bob)).await.leads_to(), page);
    // A crafted address claims nothing that is not so.
    says_not(&gate.page(&format!("{page}?done=approved"), Some(&bob)).await, &["You approved"]);
}

#[tokio::test]
async fn a_person_is_told_of_a_new_ssh_key_and_takes_it_away() {
    let gate = Gate::alone().await;
    let [alice, bob, ..] = gate.everybody().await;
    says_not(&gate.page("/", Some(&alice)).await, &["SSH key", "Keys that sign you in"]);
    gate.bind_key(&alice, "SHA256:hers").await;
    let told = "An SSH key was bound to your sign-in now, from 127.0.0.1.";
    says(&gate.page("/", Some(&alice)).await, &[told, "Keys that sign you in with ssh", "SHA256:hers"]);
    says_not(&gate.page("/", Some(&bob)).await, &["SHA256:hers"]);
    gate.backend.hand.advance(std::time::Duration::from_secs(3601));
    let later = gate.page("/", Some(&alice)).await;
    says(&later, &["SHA256:hers"]);
    says_not(&later, &["was bound to your sign-in"]);

    let fields = [("fingerprint", "SHA256:hers")];
    assert_eq!(gate.form("/keys/remove", &bob, &fields).await.leads_to(), "/");
    says(&gate.page("/", Some(&alice)).await, &["SHA256:hers"]);
    // The second click of a double one changes nothing.
    for _ in 0..2 {
        assert_eq!(gate.form("/keys/remove", &alice, &fields).await.leads_to(), "/");
        says_not(&gate.page("/", Some(&alice)).await, &["SHA256:hers"]);
    }
}

#[tokio::test]
async fn an_approver_sees_both_addresses_where_they_differ() {
    let gate = Gate::alone().await;
    let [alice, bob, ..] = gate.everybody().await;
    let id = gate.pending(&alice).await;
    let page = format!("/requests/{id}");
    says_not(&gate.page(&page, Some(&bob)).await, &["their client at"]);
    let client = "198.51.100.7".parse().unwrap();
    gate.app.identities.by_link(&alice.viewer, client).await.unwrap();
    let shown = gate.page(&page, Some(&bob)).await.is(200);
    says(&shown, &["Their browser is at 192.0.2.9, and their client at 198.51.100.7."]);
}

#[tokio::test]
async fn auditors_see_everybodys_requests_in_pieces() {
    let gate = Gate::alone().await;
    let [alice, .., frank] = gate.everybody().await;
    for _ in 0..32 {
        gate.pending(&alice).await;
        gate.backend.hand.advance(std::time::Duration::from_secs(1));
    }
    let page = gate.page("/requests?scope=all", Some(&frank)).await.is(200);
    assert_eq!(page.text.matches("class=\"row-link\"").count(), 30);
    let older = page.text.split("href=\"").find(|part| part.contains("cursor=")).unwrap();
    let older = older.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    let rest = gate.page(&older, Some(&frank)).await.is(200);
    assert_eq!(rest.text.matches("class=\"row-link\"").count(), 2);
    // The scope is not everybody's to choose.
    let own = gate.page("/requests?scope=all", Some(&gate.person("ivan", &["sre"]).await)).await.is(200);
    says(&own, &["You have not asked for anything yet."]);
}

#[tokio::test]
async fn the_page_of_a_target_tells_how_to_connect_and_shows_a_credential_once() {
    let gate = Gate::alone().await;
    let [alice, ..] = gate.everybody().await;
    let page = gate.page("/targets/orders", Some(&alice)).await.is(200);
    says(&page, &["as orders_read", "psql -h", "[orders]", "sslcert=~/.config/curfew/", "Make a credential"]);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    // What is not offered is not told apart from what there is not.
    for name in ["payroll", "nowhere", "%2e%2e"] {
        gate.page(&format!("/targets/{name}"), Some(&alice)).await.is(404);
    }

    let made = gate.form("/targets/orders/credential", &alice, &[("account", "orders_read")]).await.is(200);
    says(&made, &["shown once", "postgresql://c-", "channel_binding=require", "jdbc:postgresql://"]);
    let credentials = gate.app.identities.credentials(Some(&alice.viewer.identity)).await.unwrap();
    let [credential] = credentials.as_slice() else { panic!("{credentials:?}") };
    assert!(made.text.contains(&credential.name));
    assert_eq!((credential.target.as_str(), credential.account.as_str()), ("orders", "orders_read"));
    let again = gate.page("/targets/orders/credential", Some(&alice)).await;
    assert_eq!(again.leads_to(), "/targets/orders");
    for (target, account) in [("orders", "root"), ("payroll", "payroll_read")] {
        let path = format!("/targets/{target}/credential");
        gate.form(&path, &alice, &[("account", account)]).await.is(404);
    }
}
