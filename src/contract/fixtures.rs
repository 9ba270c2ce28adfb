//! Contracts, people and targets that the tests of contracts and grants share.

use curfew_adapter::{IdentityKind, Protocol};
use jiff::Timestamp;

use crate::toml_doc::Problems;

use super::{Contract, ContractSet, Databases, People, Person, PersonKey, TargetFacts};

/// The contract of the guide: hours, a ticket, one approver, extensions with approval.
pub(crate) const ORDERS_DEBUG: &str = r#"
[contract]
name = "orders-debug"
description = "Read the orders database while debugging an incident"

[who]
groups = ["sre", "contractors"]
except = { users = ["intern@example.com"] }

[what]
targets = { protocol = "postgres", labels = { env = "prod", app = "orders" } }
accounts = ["orders_read"]
databases = ["orders"]

[when]
duration = { default = "1h", max = "4h" }
hours = { days = "Mon-Fri", from = "08:00", to = "20:00", zone = "Europe/Berlin" }

[ask]
reason = "required"
ticket = '^(INC|OPS)-[0-9]+$'
expires = "3h"

[[approve]]
from = { groups = ["sre-leads"] }
count = 1

[end]
idle = "15m"
sessions = 5
extend = { max = 2, by = "30m", approval = "again" }

[record]
parameters = "full"
mask = ['(?i)iban']
"#;

/// As little as a contract can say: granted at once, at any hour.
pub(crate) const AT_ONCE: &str = r#"
[contract]
name = "at-once"
[who]
users = ["alice@example.com"]
[what]
targets = { names = ["orders"] }
accounts = ["orders_read"]
[when]
duration = { max = "30m" }
"#;

pub(crate) fn contract(text: &str) -> Contract {
    Contract::parse("test.toml", text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

pub(crate) fn set(texts: &[&str]) -> ContractSet {
    let mut problems = Problems::default();
    let contracts = texts.iter().map(|text| ("test.toml".to_owned(), contract(text))).collect();
    let set = ContractSet::unique(contracts, &mut problems);
    assert!(problems.is_empty(), "{problems:#?}");
    set
}

pub(crate) fn key(name: &str) -> PersonKey {
    PersonKey::new(format!("{name}@example.com"))
}

pub(crate) fn person(name: &str, groups: &[&str]) -> Person {
    let email = format!("{name}@example.com");
    Person::new(key(name), Some(&email), groups.iter().copied(), IdentityKind::User)
}

/// alice an engineer, bob and erin approvers, carol a contractor.
pub(crate) fn people() -> People {
    [
        person("alice", &["sre"]),
        person("bob", &["sre-leads"]),
        person("carol", &["contractors"]),
        person("erin", &["sre", "sre-leads"]),
    ]
    .into_iter()
    .collect()
}

pub(crate) fn orders() -> TargetFacts {
    TargetFacts {
        name: "orders".to_owned(),
        protocol: Protocol::Postgres,
        labels: [("env", "prod"), ("app", "orders")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        databases: Databases::Only(["orders", "archive"].map(str::to_owned).into()),
    }
}

/// A Tuesday, 10:00 in Berlin.
pub(crate) fn tuesday() -> Timestamp {
    at("2026-01-06T09:00:00Z")
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
