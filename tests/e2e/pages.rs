//! The pages in a real browser, at the width of a phone: nothing scrolls sideways, nothing is too small to press, and
//! the browser complains of nothing.

use curfew_harness::chromium::{Sight, chromium};
use curfew_harness::psql::output;
use curfew_harness::{Gate, GateOptions, Provider};

use crate::identity::linked;
use crate::world::{LIMIT, World};

/// No database stands behind it: pages only speak of it.
const TARGET: &str = r#"
[[target]]
name = "orders"
protocol = "postgres"
address = "127.0.0.1:1"
labels = { env = "demo", app = "orders" }
databases = ["orders"]
tls = { mode = "disable" }
accounts = [{ name = "orders_read", secret = { env = "NOT_READ" } }]
"#;

/// Does these steps as this person, and demands that every page on the way was in order.
async fn done(name: &str, steps: &[&str]) -> Sight {
    let person = ["--width", "360", "--as", name];
    let args = person.iter().chain(steps);
    let said = chromium("look.mjs", args).await.unwrap();
    let seen: Sight = serde_json::from_str(&said.stdout)
        .unwrap_or_else(|_| panic!("{name} {steps:?}\n{}{}", said.stdout, said.stderr));
    assert!(seen.problems.is_empty(), "{name} at {}: {:?}", seen.url, seen.problems);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    seen
}

#[tokio::test]
async fn the_loop_is_done_on_a_phone_while_psql_waits() {
    let world = World::secure(|options| options).await;
    let (alice, carol) = (world.signed_in("alice").await, world.signed_in("carol").await);
    let (mut psql, link) = linked(&world).await;
    let url = |path: &str| world.gate.page(path);
    let reason = "INC-1: <b>orders</b> are stuck & late";
    let fill = format!("reason={reason}");
    let asking = ["open", &link, "see", "Is this you", "press", "Yes, this is me"];
    let filling = ["fill", &fill, "fill", "duration=3600", "press", "Ask", "see", "pending"];
    let seen = done("alice", &[&asking[..], &filling[..]].concat()).await;
    // The same page, which now shows how the request stands.
    assert_eq!(seen.url.split('?').next(), Some(link.as_str()));
    assert!(seen.text.contains("orders_read") && seen.text.contains("alice@example.com"), "{}", seen.text);

    // The approver sees who, why and for how long; and allows less.
    let list = alice.json(["requests", "--json"]).await.unwrap();
    let request = list["items"][0]["url"].as_str().unwrap();
    let seen = done("bob", &["open", &url("/requests"), "see", "alice@example.com", "open", request]).await;
    for part in ["alice@example.com", reason, "orders_read", "1 h", "Asked from 127.0.0.1"] {
        assert!(seen.text.contains(part), "{part}: {}", seen.text);
    }
    let approve =
        ["open", request, "fill", "duration=900", "fill", "note=15 min will do", "press", "Approve"];
    let (home, targets) = (url("/"), url("/targets"));
    let form = url("/requests/new?target=orders&account=orders_read");
    let look = ["see", "approved", "as", "alice", "open", request, "see", "15 min will do", "open", &targets];
    let more = ["open", &form, "open", &home];
    let seen = done("bob", &[&approve[..], &look[..], &more[..]].concat()).await;
    assert!(seen.text.contains("orders as orders_read"), "{}", seen.text);
    let said = output(&mut psql, LIMIT).await.unwrap().success().unwrap();
    assert_eq!(said.stdout.trim(), "in");
    let grants = alice.json(["grants", "--json"]).await.unwrap();
    assert_eq!(grants["items"][0]["state"], "active");

    let args = ["request", "orders", "--as", "orders_read", "--reason", "me too", "--json"];
    let second = carol.json(args).await.unwrap();
    let second = second["url"].as_str().unwrap();
    let revoke = ["open", request, "unfold", "Revoke", "fill", "reason=it is over", "press", "Revoke"];
    let deny =
        ["open", second, "unfold", "Deny", "fill", "reason=not today", "press", "Deny", "see", "denied"];
    let look = ["as", "carol", "open", second, "see", "not today"];
    done("bob", &[&revoke[..], &deny[..], &look[..]].concat()).await;
    let grants = alice.json(["grants", "--json"]).await.unwrap();
    assert_eq!(grants["items"][0]["state"], "revoked", "{grants}");
    assert_eq!(carol.json(["requests", "--json"]).await.unwrap()["items"][0]["state"], "denied");
}

#[tokio::test]
async fn two_people_with_phones_ask_approve_deny_and_revoke_without_scripts() {
    let provider = Provider::start(&[]).await.unwrap();
    let mut options = GateOptions::new(env!("CARGO_BIN_EXE_curfew"));
    options.tables.push_str(TARGET);
    let gate = Gate::start(options, &provider).await.unwrap();
    let pictures = std::env::var("PICTURES").ok();
    let args = [Some(gate.url()), pictures].into_iter().flatten();
    let found = chromium("requests.mjs", args).await.unwrap().success().unwrap();
    assert_eq!(found.stdout.lines().count(), 16, "{}", found.stdout);
}
