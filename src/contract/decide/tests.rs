use super::*;
use crate::contract::fixtures::{AT_ONCE, ORDERS_DEBUG, at, contract, key, orders, person, tuesday};
use crate::contract::{NoLonger, Person, still_allowed};

fn wanted<'a>(target: &'a TargetFacts, account: &'a str) -> Wanted<'a> {
    Wanted { target, account: Some(account), database: None }
}

fn reasons(person: &Person, wanted: &Wanted<'_>, now: Timestamp) -> Vec<String> {
    match decide(&contract(ORDERS_DEBUG), person, wanted, now) {
        Decision::Match => Vec::new(),
        Decision::Mismatch(reasons) => reasons.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn who_fits_in_every_way_matches() {
    assert_eq!(reasons(&person("alice", &["sre"]), &wanted(&orders(), "orders_read"), tuesday()), [""; 0]);
}

#[test]
fn every_reason_is_told_at_once() {
    let mut target = orders();
    target.labels.insert("env".into(), "test".into());
    target.labels.remove("app");
    let wanted = Wanted { target: &target, account: Some("postgres"), database: Some("hr") };
    let stranger = person("intern", &["interns"]);
    insta::assert_snapshot!(reasons(&stranger, &wanted, at("2026-01-10T09:00:00Z")).join("\n"), @r"
    it is for members of contractors or sre
    it leaves out intern@example.com
    it is for targets with app=orders, and this one has no app
    it is for targets with env=prod, and this one has env=test
    it offers the account orders_read
    it offers the database orders
    its hours are Mon-Fri 08:00-20:00 Europe/Berlin, open again at 2026-01-12T07:00:00Z
    ");
}

/// Teleport 13.4.26: the case of a user's name.
#[test]
fn accounts_compare_exactly() {
    let target = orders();
    for variant in
        ["Orders_read", "ORDERS_READ", "orders_read ", "\"orders_read\"", "ｏrders_read", "orders_reaḋ", ""]
    {
        assert_eq!(
            reasons(&person("alice", &["sre"]), &wanted(&target, variant), tuesday()),
            ["it offers the account orders_read"],
            "{variant:?}"
        );
    }
}

#[test]
fn targets_and_databases_compare_exactly() {
    let alice = person("alice", &[]);
    let mut target = orders();
    for name in ["Orders", "orders ", "örders"] {
        target.name = name.to_owned();
        assert!(
            !decide(&contract(AT_ONCE), &alice, &wanted(&target, "orders_read"), tuesday()).is_match(),
            "{name}"
        );
    }
    let target = orders();
    for (database, open) in [("orders", true), ("Orders", false), ("archive", false), ("", false)] {
        let wanted = Wanted { target: &target, account: None, database: Some(database) };
        assert_eq!(reasons(&person("alice", &["sre"]), &wanted, tuesday()).is_empty(), open, "{database:?}");
    }
}

#[test]
fn databases_left_out_are_those_of_the_target() {
    let (target, alice) = (orders(), person("alice", &[]));
    for (database, open) in [("orders", true), ("archive", true), ("postgres", false)] {
        let wanted = Wanted { target: &target, account: None, database: Some(database) };
        assert_eq!(decide(&contract(AT_ONCE), &alice, &wanted, tuesday()).is_match(), open, "{database}");
    }
}

#[test]
fn emails_compare_without_case_and_groups_with_it() {
    let target = orders();
    let mallory = person("alice", &["SRE"]);
    assert_eq!(
        reasons(&mallory, &wanted(&target, "orders_read"), tuesday()),
        ["it is for members of contractors or sre"]
    );
    let shouting = Person::new(key("alice"), Some("ALICE@Example.com"), [""; 0], IdentityKind::User);
    assert!(decide(&contract(AT_ONCE), &shouting, &wanted(&target, "orders_read"), tuesday()).is_match());
    // U+212A KELVIN SIGN would fold to `k` in Unicode, and U+0130 to `i` with a dot.
    let kelvin = Person::new(key("x"), Some("al\u{130}ce@example.com"), [""; 0], IdentityKind::User);
    assert!(!decide(&contract(AT_ONCE), &kelvin, &wanted(&target, "orders_read"), tuesday()).is_match());
}

#[test]
fn a_linked_identity_does_not_walk_around_an_exception() {
    let intern = person("someone", &["sre"]).also("intern@EXAMPLE.com");
    assert_eq!(
        reasons(&intern, &wanted(&orders(), "orders_read"), tuesday()),
        ["it leaves out intern@example.com"]
    );
}

#[test]
fn a_service_is_let_in_by_no_group_of_people() {
    let service = Person::new(key("ci"), None, ["sre"], IdentityKind::Service);
    assert_eq!(
        reasons(&service, &wanted(&orders(), "orders_read"), tuesday()),
        ["it is for people, not for services"]
    );
}

#[test]
fn one_may_ask_outside_the_hours_but_not_connect() {
    let (target, alice) = (orders(), person("alice", &["sre"]));
    let (wanted, saturday) = (wanted(&target, "orders_read"), at("2026-01-10T09:00:00Z"));
    assert!(may_ask(&contract(ORDERS_DEBUG), &alice, &wanted).is_match());
    assert!(!decide(&contract(ORDERS_DEBUG), &alice, &wanted, saturday).is_match());
}

#[test]
fn the_latest_end_is_the_longest_duration_or_the_close_of_hours() {
    let (contract, hour) = (contract(ORDERS_DEBUG), Duration::from_secs(3600));
    assert_eq!(contract.latest_end(tuesday(), hour), Some(at("2026-01-06T10:00:00Z")));
    assert_eq!(contract.latest_end(tuesday(), 9 * hour), Some(at("2026-01-06T13:00:00Z")));
    assert_eq!(contract.latest_end(at("2026-01-06T18:30:00Z"), hour), Some(at("2026-01-06T19:00:00Z")));
    assert_eq!(contract.latest_end(at("2026-01-06T19:00:00Z"), hour), None);
}

#[test]
fn a_live_session_needs_the_contract_as_pinned_and_as_it_stands() {
    let (target, alice) = (orders(), person("alice", &["sre"]));
    let wanted = wanted(&target, "orders_read");
    let pinned = contract(ORDERS_DEBUG);
    let shorter_hours = contract(&ORDERS_DEBUG.replace("20:00", "18:00"));
    let other_people =
        contract(&ORDERS_DEBUG.replace(r#"groups = ["sre", "contractors"]"#, r#"groups = ["dba"]"#));
    let check = |current| still_allowed(&pinned, current, &alice, &wanted, tuesday());
    assert_eq!(check(Some(&pinned)), Ok(Some(at("2026-01-06T19:00:00Z"))));
    assert_eq!(check(Some(&shorter_hours)), Ok(Some(at("2026-01-06T17:00:00Z"))));
    assert!(matches!(check(Some(&other_people)), Err(NoLonger::Current(_))));
    assert_eq!(check(None), Err(NoLonger::Withdrawn));
    let left = person("alice", &[]);
    assert!(matches!(
        still_allowed(&pinned, Some(&pinned), &left, &wanted, tuesday()),
        Err(NoLonger::Pinned(_))
    ));
}
