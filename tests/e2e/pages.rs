//! The pages in a real browser, at the width of a phone.

use curfew_harness::chromium::chromium;
use curfew_harness::{Gate, GateOptions, Provider};

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
