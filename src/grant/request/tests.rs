use curfew_adapter::IdentityKind;

use super::*;
use crate::contract::Person;
use crate::contract::fixtures::{AT_ONCE, ORDERS_DEBUG, at, key, people, person, tuesday};
use crate::grant::fixtures::{World, asked, minutes, opened};

fn pending(world: &World) -> Request {
    let (alice, step) = (key("alice"), |ask| world.ask(ask, tuesday()).unwrap());
    step(asked(&alice)).request
}

fn two_approvals() -> World {
    World::new(&ORDERS_DEBUG.replace("count = 1", "count = 2"))
}

fn waiting(step: Result<Step, Refused>) -> (Request, usize, usize) {
    match step.unwrap() {
        Step { request, outcome: Outcome::Waiting { have, need } } => (request, have, need),
        other => panic!("{other:?}"),
    }
}

fn later(n: u64) -> Timestamp {
    tuesday() + minutes(n)
}

#[test]
fn no_approval_needed_means_granted_at_once() {
    let world = World::new(AT_ONCE);
    let step = world.ask(asked(&key("alice")), tuesday()).unwrap();
    assert_eq!(step.request.record().state, RequestState::Approved);
    assert!(opened(step).admits(tuesday()));
}

#[test]
fn the_clock_of_a_grant_starts_when_it_is_approved_never_while_pending() {
    let world = World::new(ORDERS_DEBUG);
    let step = world.approve(&pending(&world), "bob", later(50)).unwrap();
    let grant = opened(step);
    assert_eq!((grant.record().starts_at, grant.record().ends_at), (later(50), later(110)));
}

#[test]
fn a_scheduled_start_is_kept_and_one_that_passed_means_now() {
    let world = World::new(ORDERS_DEBUG);
    let (alice, at_noon) = (key("alice"), Some(at("2026-01-06T11:00:00Z")));
    let request = world.ask(AskAccess { starts_at: at_noon, ..asked(&alice) }, tuesday()).unwrap().request;
    let early = opened(world.approve(&request, "bob", later(5)).unwrap());
    assert_eq!(early.record().starts_at, at("2026-01-06T11:00:00Z"));
    assert!(!early.admits(at("2026-01-06T10:59:59.999Z")) && early.admits(at("2026-01-06T11:00:00Z")));
    let late = opened(world.approve(&request, "bob", at("2026-01-06T11:30:00Z")).unwrap());
    assert_eq!(late.record().starts_at, at("2026-01-06T11:30:00Z"));
    assert_eq!(late.record().ends_at, at("2026-01-06T12:30:00Z"));
}

#[test]
fn the_close_of_hours_ends_a_grant_early() {
    let world = World::new(ORDERS_DEBUG);
    let evening = at("2026-01-06T18:40:00Z");
    let request = world.ask(asked(&key("alice")), evening).unwrap().request;
    let grant = opened(world.approve(&request, "bob", evening).unwrap());
    assert_eq!(grant.record().ends_at, at("2026-01-06T19:00:00Z"));
    // Approved after the close: refused, and still pending.
    assert_eq!(
        world.approve(&request, "bob", at("2026-01-06T19:00:00Z")).unwrap_err().to_string(),
        "the hours of the contract orders-debug are closed then: they open again at 2026-01-07T07:00:00Z"
    );
}

#[test]
fn neither_the_requester_nor_the_person_it_is_for_decides() {
    let world = World::new(ORDERS_DEBUG);
    let (alice, erin, bob) = (key("alice"), key("erin"), key("bob"));
    let own = world.ask(asked(&erin), tuesday()).unwrap().request;
    assert_eq!(
        world.approve(&own, "erin", later(1)).unwrap_err(),
        Refused::MayNotDecide(crate::contract::NotApprover::Requester)
    );
    let for_erin = AskAccess { requester: &alice, ..asked(&erin) };
    let request = world.ask(for_erin, tuesday()).unwrap().request;
    assert_eq!(
        world.approve(&request, "erin", later(1)).unwrap_err(),
        Refused::MayNotDecide(crate::contract::NotApprover::Beneficiary)
    );
    let by_bob = AskAccess { requester: &bob, ..asked(&alice) };
    let request = world.ask(by_bob, tuesday()).unwrap().request;
    let deny = RequestEvent::Deny { by: bob.clone(), note: None, at: later(1) };
    assert!(matches!(request.apply(deny, world.facts()), Err(Refused::MayNotDecide(_))));
    assert!(world.approve(&request, "erin", later(1)).is_ok());
}

#[test]
fn one_person_in_two_groups_counts_once() {
    let two_groups = ORDERS_DEBUG
        .replace("count = 1", "count = 2")
        .replace(r#"["sre-leads"]"#, r#"["sre-leads", "heads"]"#);
    let mut world = World::new(&two_groups);
    world.people = people().iter().cloned().chain([person("bob", &["sre-leads", "heads"])]).collect();
    let (once, have, need) = waiting(world.approve(&pending(&world), "bob", later(1)));
    assert_eq!((have, need), (1, 2));
    let (twice, have, _) = waiting(world.approve(&once, "bob", later(2)));
    assert_eq!(have, 1, "a double click");
    assert!(opened(world.approve(&twice, "erin", later(3)).unwrap()).admits(later(3)));
}

#[test]
fn an_approver_who_lost_the_role_no_longer_counts() {
    let mut world = two_approvals();
    let (request, ..) = waiting(world.approve(&pending(&world), "bob", later(1)));
    world.people =
        people().iter().cloned().chain([person("bob", &["sre"]), person("dave", &["sre-leads"])]).collect();
    let (request, have, _) = waiting(world.approve(&request, "erin", later(2)));
    assert_eq!(have, 1);
    assert!(opened(world.approve(&request, "dave", later(3)).unwrap()).admits(later(3)));
}

#[test]
fn an_approver_who_is_gone_no_longer_counts() {
    let mut world = two_approvals();
    let (request, ..) = waiting(world.approve(&pending(&world), "bob", later(1)));
    world.people = people().iter().filter(|person| person.key != key("bob")).cloned().collect();
    assert_eq!(waiting(world.approve(&request, "erin", later(2))).1, 1);
    assert_eq!(world.approve(&request, "bob", later(2)).unwrap_err(), Refused::Unknown);
}

#[test]
fn more_approvals_than_needed_are_enough() {
    let mut world = two_approvals();
    world.people = people().iter().cloned().chain([person("dave", &["sre-leads"])]).collect();
    let mut record = waiting(world.approve(&pending(&world), "bob", later(1))).0.record().clone();
    // As after a change of roles: two others said yes while it did not count.
    record.approvals.push(Approval { by: key("dave"), duration: minutes(60), note: None, at: later(1) });
    let request = Request::restore(record);
    assert!(opened(world.approve(&request, "erin", later(2)).unwrap()).admits(later(2)));
}

#[test]
fn approvals_told_twice_in_the_store_count_once() {
    let world = two_approvals();
    let mut record = pending(&world).record().clone();
    let approval = Approval { by: key("bob"), duration: minutes(60), note: None, at: later(1) };
    record.approvals = vec![approval.clone(), approval];
    assert_eq!(Request::restore(record).approvals_that_count(world.facts()), 1);
}

#[test]
fn a_service_never_approves() {
    let mut world = World::new(ORDERS_DEBUG);
    let robot = Person::new(key("robot"), Some("robot@example.com"), ["sre-leads"], IdentityKind::Service);
    world.people = people().iter().cloned().chain([robot]).collect();
    assert!(matches!(world.approve(&pending(&world), "robot", later(1)), Err(Refused::MayNotDecide(_))));
}

#[test]
fn an_approver_shortens_and_never_lengthens() {
    let world = two_approvals();
    let request = pending(&world);
    let longer = world.approve_for(&request, "bob", Some(minutes(61)), later(1)).unwrap_err();
    assert_eq!(
        longer.to_string(),
        "1h were asked for, and an approver can only shorten that: leave the duration out, or give less"
    );
    let shorter = world.approve_for(&request, "bob", Some(minutes(20)), later(1));
    let grant = opened(world.approve(&waiting(shorter).0, "erin", later(2)).unwrap());
    assert_eq!(grant.record().ends_at, later(22), "the shortest that an approver gave");
}

#[test]
fn a_decided_request_stays_decided() {
    let world = World::new(ORDERS_DEBUG);
    let events = |at| {
        [
            RequestEvent::Approve { by: key("bob"), duration: None, note: None, at },
            RequestEvent::Deny { by: key("bob"), note: Some("no".into()), at },
            RequestEvent::Cancel { by: key("alice"), at },
            RequestEvent::Tick { now: at + minutes(24 * 60) },
        ]
    };
    for first in events(later(1)) {
        let decided = pending(&world).apply(first, world.facts()).unwrap().request;
        let state = decided.record().state;
        assert_ne!(state, RequestState::Pending);
        for second in events(later(2)) {
            assert_eq!(decided.apply(second, world.facts()).unwrap_err(), Refused::NotPending { state });
        }
    }
}

#[test]
fn a_request_lapses_after_what_its_contract_says() {
    let world = World::new(ORDERS_DEBUG);
    let (request, lapsed) = (pending(&world), later(180));
    assert_eq!(request.record().expires_at, lapsed);
    assert_eq!(world.approve(&request, "bob", lapsed).unwrap_err(), Refused::Lapsed { expires_at: lapsed });
    let tick = |now| request.apply(RequestEvent::Tick { now }, world.facts()).unwrap().request.record().state;
    assert_eq!(tick(lapsed - minutes(1)), RequestState::Pending);
    assert_eq!(tick(lapsed), RequestState::Expired);
}

#[test]
fn only_those_whom_it_is_about_cancel() {
    let world = World::new(ORDERS_DEBUG);
    let cancel =
        |by| pending(&world).apply(RequestEvent::Cancel { by: key(by), at: later(1) }, world.facts());
    assert_eq!(cancel("bob").unwrap_err(), Refused::NotYours);
    assert!(matches!(cancel("alice").unwrap().outcome, Outcome::Cancelled));
}

#[test]
fn a_person_who_left_the_group_while_waiting_gets_nothing() {
    let mut world = World::new(ORDERS_DEBUG);
    let request = pending(&world);
    world.people = people().iter().cloned().chain([person("alice", &[])]).collect();
    assert!(matches!(world.approve(&request, "bob", later(1)), Err(Refused::NoLongerAllowed(_))));
    world.people = [person("bob", &["sre-leads"])].into_iter().collect();
    assert_eq!(world.approve(&request, "bob", later(1)).unwrap_err(), Refused::BeneficiaryGone);
}

#[test]
fn another_version_of_the_contract_decides_nothing() {
    let world = World::new(ORDERS_DEBUG);
    let newer = World::new(&ORDERS_DEBUG.replace("max = \"4h\"", "max = \"8h\""));
    assert_eq!(newer.approve(&pending(&world), "bob", later(1)).unwrap_err(), Refused::OtherContract);
}

#[test]
fn an_ask_must_bring_what_the_contract_wants() {
    let world = World::new(ORDERS_DEBUG);
    let (alice, bob) = (key("alice"), key("bob"));
    let good = || asked(&alice);
    let saturday = Some(at("2026-01-10T09:00:00Z"));
    let long = "x".repeat(2001);
    let refused: Vec<String> = [
        AskAccess { reason: Some("  "), ..good() },
        AskAccess { reason: Some(&long), ..good() },
        AskAccess { ticket: None, ..good() },
        AskAccess { ticket: Some("INC-1 and more"), ..good() },
        AskAccess { duration: Some(minutes(241)), ..good() },
        AskAccess { duration: Some(Duration::from_secs(9)), ..good() },
        AskAccess { starts_at: saturday, ..good() },
        AskAccess { starts_at: Some(at("2027-01-06T09:00:00Z")), ..good() },
        AskAccess { account: "postgres", ..good() },
        AskAccess { beneficiary: &bob, ..good() },
    ]
    .into_iter()
    .map(|ask| world.ask(ask, tuesday()).unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(refused.join("\n"));
}

#[test]
fn a_request_reads_back_from_json() {
    let world = two_approvals();
    let (request, ..) = waiting(world.approve(&pending(&world), "bob", later(1)));
    let json = serde_json::to_string(request.record()).unwrap();
    assert_eq!(Request::restore(serde_json::from_str(&json).unwrap()), request);
}
