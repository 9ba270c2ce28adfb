use super::*;
use crate::contract::fixtures::{AT_ONCE, ORDERS_DEBUG, at, orders, people, person, set, tuesday};

const OTHER: &str = r#"
[contract]
name = "invoices-write-for-the-dba"
[who]
groups = ["dba"]
[what]
targets = { names = ["invoices", "ledger"] }
accounts = ["invoices_write"]
[when]
duration = { max = "20m" }
[[approve]]
from = { users = ["bob@example.com"] }
"#;

const TWO: &str = r#"
[contract]
name = "two-of-us"
[who]
groups = ["sre"]
[what]
targets = { names = ["orders"] }
accounts = ["orders_read", "orders_write"]
[when]
duration = { max = "20m" }
[[approve]]
from = { users = ["bob@example.com", "alice@example.com"] }
count = 2
"#;

#[test]
fn each_contract_says_yes_or_each_reason_for_no() {
    let (set, target) = (set(&[ORDERS_DEBUG, AT_ONCE, OTHER, TWO]), orders());
    let wanted = Wanted { target: &target, account: Some("orders_read"), database: None };
    let explanation = explain(&set, &people(), &person("alice", &["sre"]), &wanted, tuesday());
    insta::assert_snapshot!(explanation.to_string());
}

#[test]
fn outside_the_hours_it_says_when_they_open() {
    let (set, target) = (set(&[ORDERS_DEBUG]), orders());
    let wanted = Wanted { target: &target, account: None, database: Some("hr") };
    let explanation =
        explain(&set, &people(), &person("carol", &["contractors"]), &wanted, at("2026-01-10T09:00:00Z"));
    insta::assert_snapshot!(explanation.to_string());
    insta::assert_snapshot!(serde_json::to_string_pretty(&explanation).unwrap());
}

#[test]
fn the_person_who_asks_is_never_among_the_approvers() {
    let (set, target) = (set(&[ORDERS_DEBUG]), orders());
    let wanted = Wanted { target: &target, account: Some("orders_read"), database: None };
    let erin = person("erin", &["sre", "sre-leads"]);
    let explanation = explain(&set, &people(), &erin, &wanted, tuesday());
    assert_eq!(explanation.contracts[0].approvers, ["bob@example.com"]);
}

#[test]
fn an_empty_set_says_so() {
    let target = orders();
    let wanted = Wanted { target: &target, account: None, database: None };
    let explanation = explain(&set(&[]), &people(), &person("alice", &[]), &wanted, tuesday());
    assert_eq!(
        explanation.to_string(),
        "alice@example.com to orders at 2026-01-06T09:00:00Z\n  no contract is in force\n"
    );
}
