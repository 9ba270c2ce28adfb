use super::*;
use crate::contract::fixtures::{AT_ONCE, ORDERS_DEBUG, at, key, tuesday};
use crate::grant::fixtures::{World, minutes};
use crate::grant::{AskRefused, Outcome};

const NANO: Duration = Duration::from_nanos(1);

fn later(n: u64) -> Timestamp {
    tuesday() + minutes(n)
}

#[test]
fn it_admits_from_its_start_until_its_end_and_no_nanosecond_more() {
    let grant = World::new(ORDERS_DEBUG).granted(minutes(60), tuesday());
    for (instant, state) in [
        (tuesday() - NANO, GrantState::Scheduled),
        (tuesday(), GrantState::Active),
        (later(60) - NANO, GrantState::Active),
        (later(60), GrantState::Expired),
        (Timestamp::MAX, GrantState::Expired),
    ] {
        assert_eq!(grant.state(instant), state, "{instant}");
        assert_eq!(grant.admits(instant), state == GrantState::Active);
    }
}

#[test]
fn its_end_is_put_on_record_once() {
    let grant = World::new(ORDERS_DEBUG).granted(minutes(60), tuesday());
    assert!(grant.tick(later(59)).is_none());
    let over = grant.tick(later(61)).unwrap();
    assert_eq!(over.record().ended.as_ref().unwrap().at, later(60), "the end, not when it was noticed");
    assert!(over.tick(later(62)).is_none());
}

#[test]
fn what_was_revoked_or_returned_never_comes_back() {
    let world = World::new(ORDERS_DEBUG);
    let grant = world.granted(minutes(60), tuesday());
    let revoked = grant.revoke(key("bob"), Some("wrong target".into()), later(10)).unwrap();
    let returned = grant.give_back(key("alice"), later(10)).unwrap();
    assert_eq!(revoked.state(later(11)).ends_sessions(), Some(EndReason::Revoked));
    assert_eq!(returned.state(later(11)).ends_sessions(), Some(EndReason::Returned));
    for over in [revoked, returned] {
        // Also by a clock that is set back.
        assert!([tuesday(), later(10), later(30)].iter().all(|now| !over.admits(*now)));
        let state = over.state(later(11));
        assert_eq!(over.revoke(key("bob"), None, later(11)), Err(GrantRefused::Over { state }));
        assert_eq!(over.give_back(key("alice"), later(11)), Err(GrantRefused::Over { state }));
        assert_eq!(world.extended(&over, later(11)), Err(AskRefused::Grant(GrantRefused::Over { state })));
        assert!(over.tick(later(61)).is_none());
    }
    let expired = Err(GrantRefused::Over { state: GrantState::Expired });
    assert_eq!(grant.revoke(key("bob"), None, later(60)), expired);
}

#[test]
fn only_the_person_whose_it_is_returns_it() {
    let grant = World::new(ORDERS_DEBUG).granted(minutes(60), tuesday());
    assert_eq!(grant.give_back(key("bob"), later(1)), Err(GrantRefused::NotYours));
}

#[test]
fn it_is_extended_as_often_and_by_as_much_as_the_contract_says() {
    let world = World::new(ORDERS_DEBUG);
    let grant = world.granted(minutes(60), tuesday());
    let once = world.extended(&grant, later(50)).unwrap();
    assert_eq!((once.record().ends_at, once.record().extensions), (later(90), 1));
    let twice = world.extended(&once, later(80)).unwrap();
    assert_eq!(twice.record().ends_at, later(120));
    let used_up = world.extended(&twice, later(110)).unwrap_err();
    assert_eq!(
        used_up.to_string(),
        "this grant was extended 2 times, as often as its contract allows: ask for a new one"
    );
}

#[test]
fn an_extension_approved_twice_does_not_slip_past_the_limit() {
    let world = World::new(&ORDERS_DEBUG.replace("max = 2", "max = 1"));
    let grant = world.granted(minutes(60), tuesday());
    let ask = || world.ask_extension(&grant, &key("alice"), later(10)).unwrap().request;
    let approved = |request| match world.approve(&request, "bob", later(11)).unwrap().outcome {
        Outcome::Extended(approved) => approved,
        other => panic!("{other:?}"),
    };
    let (first, second) = (approved(ask()), approved(ask()));
    let grant = grant.extend(first, &world.contract, later(11)).unwrap();
    assert_eq!(grant.extend(second, &world.contract, later(11)), Err(GrantRefused::UsedUp { max: 1 }));
}

#[test]
fn an_extension_ends_with_the_hours() {
    let world = World::new(ORDERS_DEBUG);
    let evening = at("2026-01-06T17:50:00Z");
    let grant = world.granted(minutes(60), evening);
    let extended = world.extended(&grant, evening).unwrap();
    assert_eq!(extended.record().ends_at, at("2026-01-06T19:00:00Z"), "ten minutes, not thirty");
    let refused = world.extended(&extended, evening).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the hours of the contract close at 2026-01-06T19:00:00Z, when this grant ends: it can't last longer"
    );
}

#[test]
fn an_extension_is_for_its_grant_and_its_contract_alone() {
    let world = World::new(ORDERS_DEBUG);
    let (one, other) = (world.granted(minutes(60), tuesday()), world.granted(minutes(60), tuesday()));
    let token = |contract: &World| {
        let request = contract.ask_extension(&one, &key("alice"), later(1)).unwrap().request;
        match contract.approve(&request, "bob", later(2)).unwrap().outcome {
            Outcome::Extended(approved) => approved,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(other.extend(token(&world), &world.contract, later(2)), Err(GrantRefused::OtherGrant));
    let newer = World::new(&ORDERS_DEBUG.replace("max = 2", "max = 9"));
    assert_eq!(one.extend(token(&world), &newer.contract, later(2)), Err(GrantRefused::OtherGrant));
    assert_eq!(newer.ask_extension(&one, &key("alice"), later(1)).unwrap_err(), AskRefused::OtherContract);
}

#[test]
fn who_asked_for_a_grant_decides_none_of_its_extensions() {
    use crate::grant::fixtures::{asked, opened};
    let world = World::new(ORDERS_DEBUG);
    let (alice, erin) = (key("alice"), key("erin"));
    let ask = crate::grant::AskAccess { requester: &erin, ..asked(&alice) };
    let request = world.ask(ask, tuesday()).unwrap().request;
    let grant = opened(world.approve(&request, "bob", tuesday()).unwrap());
    // Alice asks for more, and erin, who asked for the grant, is an approver otherwise.
    let more = world.ask_extension(&grant, &alice, later(1)).unwrap().request;
    assert!(world.approve(&more, "erin", later(2)).is_err());
    assert!(world.approve(&more, "alice", later(2)).is_err());
    assert!(world.approve(&more, "bob", later(2)).is_ok());
    assert_eq!(world.ask_extension(&grant, &key("bob"), later(1)).unwrap_err(), AskRefused::NotYours);
}

#[test]
fn an_extension_without_approval_is_there_for_the_asking() {
    let world = World::new(&ORDERS_DEBUG.replace(r#"approval = "again""#, r#"approval = "none""#));
    let grant = world.granted(minutes(60), tuesday());
    let step = world.ask_extension(&grant, &key("alice"), later(1)).unwrap();
    assert!(matches!(step.outcome, Outcome::Extended(_)));
}

#[test]
fn a_contract_without_extensions_gives_none() {
    let world = World::new(AT_ONCE);
    let grant = world.granted(minutes(30), tuesday());
    assert_eq!(
        world.extended(&grant, later(1)).unwrap_err().to_string(),
        "the contract at-once does not extend grants: ask for a new one"
    );
}

#[test]
fn a_request_to_extend_lapses_with_the_grant() {
    let world = World::new(ORDERS_DEBUG);
    let grant = world.granted(minutes(60), tuesday());
    let request = world.ask_extension(&grant, &key("alice"), later(50)).unwrap().request;
    assert_eq!(request.record().expires_at, later(60));
}

#[test]
fn only_a_grant_of_the_same_person_with_terms_that_contain_prolongs() {
    let world = World::new(ORDERS_DEBUG);
    let looser = World::new(&ORDERS_DEBUG.replace(r#"idle = "15m""#, r#"idle = "30m""#));
    let (strict, loose) = (world.granted(minutes(30), tuesday()), looser.granted(minutes(60), tuesday()));
    assert!(loose.may_prolong(&strict) && !strict.may_prolong(&loose));
    let mut record = loose.record().clone();
    record.beneficiary = key("carol");
    assert!(!Grant::restore(record).may_prolong(&strict));
}

#[test]
fn a_grant_reads_back_from_json() {
    let grant = World::new(ORDERS_DEBUG).granted(minutes(60), tuesday());
    let revoked = grant.revoke(key("bob"), None, later(10)).unwrap();
    let json = serde_json::to_string(revoked.record()).unwrap();
    assert_eq!(Grant::restore(serde_json::from_str(&json).unwrap()), revoked);
}
