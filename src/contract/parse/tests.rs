use std::time::Duration;

use curfew_adapter::{ParameterPolicy, Protocol};

use crate::contract::fixtures::{AT_ONCE, ORDERS_DEBUG, contract};
use crate::contract::{Contract, ContractHash, Extend, ExtendApproval};

fn problems(text: &str) -> String {
    Contract::parse("c.toml", text).map_or_else(|problems| problems.to_string(), |read| panic!("{read:?}"))
}

/// A contract in which one line stands in for another.
fn with(line: &str, instead: &str) -> String {
    assert!(ORDERS_DEBUG.contains(line), "{line}");
    ORDERS_DEBUG.replace(line, instead)
}

#[test]
fn every_key_means_what_the_guide_says() {
    let read = contract(ORDERS_DEBUG);
    assert_eq!(read.name, "orders-debug");
    assert_eq!(read.description, "Read the orders database while debugging an incident");
    assert_eq!(read.who.groups, ["sre", "contractors"].map(str::to_owned).into());
    assert_eq!(read.who.except.users, ["intern@example.com".to_owned()].into());
    let shouted = contract(&with("intern@example.com", "Intern@Example.com"));
    assert_eq!(shouted.who.except, read.who.except);
    assert_eq!(read.what.targets.protocol, Some(Protocol::Postgres));
    assert_eq!(read.what.targets.labels.len(), 2);
    assert_eq!(read.what.databases, Some(["orders".to_owned()].into()));
    assert_eq!((read.when.default.as_secs(), read.when.max.as_secs()), (3600, 4 * 3600));
    assert_eq!(read.when.hours.as_ref().unwrap().to_string(), "Mon-Fri 08:00-20:00 Europe/Berlin");
    assert!(read.ask.reason_required && read.ask.ticket.as_ref().unwrap().matches("OPS-7"));
    assert_eq!(read.ask.expires, Duration::from_secs(3 * 3600));
    assert_eq!(read.approve.as_ref().unwrap().count, 1);
    assert_eq!((read.end.idle, read.end.sessions), (Some(Duration::from_secs(900)), Some(5)));
    let extend = Extend { max: 2, by: Duration::from_secs(1800), approval: ExtendApproval::Again };
    assert_eq!(read.end.extend, Some(extend));
    assert_eq!(read.record.mask, ["(?i)iban".to_owned()].into());
    assert_eq!((read.text(), read.hash()), (ORDERS_DEBUG, &ContractHash::of(ORDERS_DEBUG)));
}

#[test]
fn the_contract_of_the_guide_is_the_one_that_is_tested() {
    let guide = include_str!("../../../docs/guide/contracts.md");
    let shown = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(shown.trim(), ORDERS_DEBUG.trim());
}

#[test]
fn what_is_left_out_has_the_default_of_the_guide() {
    let read = contract(AT_ONCE);
    assert_eq!(read.when.default, Duration::from_secs(30 * 60), "an hour, or the longest if that is shorter");
    assert_eq!(contract(&AT_ONCE.replace("30m", "8h")).when.default, Duration::from_secs(3600));
    assert!(read.when.hours.is_none() && read.approve.is_none());
    assert!(!read.ask.reason_required && read.ask.ticket.is_none());
    assert_eq!(read.ask.expires, Duration::from_secs(24 * 3600));
    assert_eq!(read.end, crate::contract::End::default());
    assert_eq!((read.record.parameters, read.record.mask.len()), (ParameterPolicy::Full, 0));
}

#[test]
fn the_version_is_the_sha_256_of_the_text() {
    assert_eq!(
        ContractHash::of("abc").as_str(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn a_ticket_matches_as_a_whole_or_not_at_all() {
    let loose = contract(&with("'^(INC|OPS)-[0-9]+$'", "'INC-[0-9]+|OPS'"));
    let rule = loose.ask.ticket.as_ref().unwrap();
    for (ticket, good) in [
        ("INC-1", true),
        ("OPS", true),
        ("see INC-1", false),
        ("INC-1\n", false),
        ("OPS-1", false),
        ("", false),
    ] {
        assert_eq!(rule.matches(ticket), good, "{ticket:?}");
    }
}

#[test]
fn keys_of_later_versions_refuse_the_file() {
    let mut text = ORDERS_DEBUG.to_owned();
    for (section, key) in [
        ("[who]", "services = ['ci']\nsponsor = 'required'"),
        ("[when]", "condition = 'true'"),
        ("[ask]", "max_age = '15m'"),
        ("[[approve]]", "step_up = true\nescalate = {}"),
        ("[end]", "when_ticket_closes = true"),
    ] {
        text = text.replace(section, &format!("{section}\n{key}"));
    }
    text.push_str("[[approve]]\nfrom = { groups = ['heads'] }\n[[ramp]]\nname = 'write'\n");
    insta::assert_snapshot!(problems(&text));
}

#[test]
fn every_error_is_told_with_its_place_and_what_to_write() {
    insta::assert_snapshot!(problems(
        r#"
[contract]
name = "Orders Debug"
descriptoin = "x"
[who]
groups = []
users = ["alice"]
except = {}
[what]
targets = {}
accounts = []
databases = ["orders", 3]
[when]
duration = { default = "5h", max = "4h" }
hours = { days = "Mo-Fri", from = "24:00", to = "25:00", zone = "Berlin" }
[ask]
reason = "requird"
ticket = '('
expires = "0s"
[[approve]]
from = { users = ["bob@example.com"] }
count = 2
[end]
idle = 15
sessions = 0
extend = { by = "30m", approval = "maybe" }
[record]
parameters = "some"
mask = ['[']
[guests]
"#
    ));
}

#[test]
fn sections_that_must_be_there_are_named() {
    insta::assert_snapshot!(problems("[who]\n[what]\ntargets = { names = ['orders'] }\n[when]\n"));
}

#[test]
fn an_hour_that_opens_and_closes_at_once_is_refused() {
    let same = with(r#"to = "20:00""#, r#"to = "8:00""#);
    assert_eq!(
        problems(&same),
        "c.toml:17:50: `to` is the same as `from`: for the whole day write `from = \"00:00\", to = \"24:00\"`\n"
    );
}

#[test]
fn an_unknown_protocol_gets_a_suggestion() {
    let said = problems(&with(r#""postgres""#, r#""postgresql""#));
    assert!(said.ends_with("did you mean \"postgres\"?\n"), "{said}");
}

#[test]
fn what_only_some_adapters_record_is_refused_for_the_others() {
    let with = |targets: &str, record: &str| {
        let text = ORDERS_DEBUG.replace("[record]", &format!("[record]\n{record}"));
        let at = text.find("targets").unwrap();
        let end = at + text[at..].find('\n').unwrap();
        Contract::parse("c.toml", &text.replace(&text[at..end], &format!("targets = {targets}")))
    };
    let postgres = "{ protocol = \"postgres\", labels = { env = \"prod\" } }";
    let ssh = "{ protocol = \"ssh\", labels = { env = \"prod\" } }";
    let refused = with(postgres, "input = true").unwrap_err().to_string();
    assert!(refused.contains("protocol = \"ssh\""), "{refused}");
    assert!(with("{ names = [\"orders\"] }", "input = true").is_err());
    assert!(with(ssh, "input = true").is_ok());
    assert!(with(postgres, "results = \"full\"\ninput = false").is_ok());
}
