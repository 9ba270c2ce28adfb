//! What no sequence of events may bring about, checked against rules told a second time, from the files' words.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use curfew_adapter::{GrantId, RequestId};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::contract::fixtures::{ORDERS_DEBUG, key, person, tuesday};
use crate::contract::{Open, People};

use super::fixtures::{World, asked, minutes};
use super::{AskAccess, Grant, Outcome, RequestEvent, RequestState};

const NAMES: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];
const GROUPS: [&[&str]; 5] =
    [&[], &["sre"], &["sre-leads"], &["sre-leads", "heads"], &["sre", "sre-leads", "heads"]];

/// One thing that happens, some minutes after the one before.
#[derive(Debug, Clone)]
enum Happening {
    Approve { by: usize, minutes: Option<u64> },
    Deny { by: usize },
    Cancel { by: usize },
    Tick,
    ChangeGroups { who: usize, groups: usize },
    Leave { who: usize },
}

fn happening() -> impl Strategy<Value = Happening> {
    let who = 0..NAMES.len();
    prop_oneof![
        6 => (who.clone(), proptest::option::of(0_u64..300))
            .prop_map(|(by, minutes)| Happening::Approve { by, minutes }),
        1 => who.clone().prop_map(|by| Happening::Deny { by }),
        1 => who.clone().prop_map(|by| Happening::Cancel { by }),
        1 => Just(Happening::Tick),
        3 => (who.clone(), 0..GROUPS.len()).prop_map(|(who, groups)| Happening::ChangeGroups { who, groups }),
        1 => who.prop_map(|who| Happening::Leave { who }),
    ]
}

#[derive(Debug, Clone)]
struct Scene {
    count: usize,
    groups: Vec<usize>,
    requester: usize,
    beneficiary: usize,
    duration: u64,
    start: Option<u64>,
    happenings: Vec<(u64, Happening)>,
}

fn scene() -> impl Strategy<Value = Scene> {
    (
        1_usize..4,
        proptest::collection::vec(0..GROUPS.len(), NAMES.len()),
        (0..NAMES.len(), 0..NAMES.len()),
        (1_u64..=240, proptest::option::of(0_u64..600)),
        proptest::collection::vec((0_u64..90, happening()), 0..24),
    )
        .prop_map(|(count, groups, (requester, beneficiary), (duration, start), happenings)| Scene {
            count,
            groups,
            requester,
            beneficiary,
            duration,
            start,
            happenings,
        })
}

type Crowd = BTreeMap<usize, usize>;

fn people(crowd: &Crowd) -> People {
    crowd.iter().map(|(who, groups)| person(NAMES[*who], GROUPS[*groups])).collect()
}

fn leads(crowd: &Crowd, who: usize) -> bool {
    crowd
        .get(&who)
        .is_some_and(|groups| GROUPS[*groups].iter().any(|group| ["sre-leads", "heads"].contains(group)))
}

fn engineer(crowd: &Crowd, who: usize) -> bool {
    crowd.get(&who).is_some_and(|groups| GROUPS[*groups].contains(&"sre"))
}

/// Plays a scene; the grant it leads to, if any, after checking that the rules led there.
fn play(scene: &Scene) -> Result<Option<(World, Grant, Timestamp)>, TestCaseError> {
    let text = ORDERS_DEBUG
        .replace("count = 1", &format!("count = {}", scene.count))
        .replace(r#"["sre-leads"]"#, r#"["sre-leads", "heads"]"#);
    let mut world = World::new(&text);
    let mut crowd: Crowd = scene.groups.iter().copied().enumerate().collect();
    world.people = people(&crowd);
    let mut now = tuesday();
    let (requester, beneficiary) = (key(NAMES[scene.requester]), key(NAMES[scene.beneficiary]));
    let ask = AskAccess {
        id: RequestId::random(),
        requester: &requester,
        duration: Some(minutes(scene.duration)),
        starts_at: scene.start.map(|start| now + minutes(start)),
        ..asked(&beneficiary)
    };
    let Ok(step) = world.ask(ask, now) else { return Ok(None) };
    let mut request = step.request;
    let nobody_yet = matches!(step.outcome, Outcome::Waiting { have: 0, .. });
    prop_assert!(nobody_yet);
    // The second telling: who said yes last for how long.
    let mut said_yes: BTreeMap<usize, u64> = BTreeMap::new();
    for (pause, happening) in &scene.happenings {
        now += minutes(*pause);
        let event = match happening {
            Happening::ChangeGroups { who, groups } => {
                crowd.insert(*who, *groups);
                world.people = people(&crowd);
                continue;
            }
            Happening::Leave { who } => {
                crowd.remove(who);
                world.people = people(&crowd);
                continue;
            }
            Happening::Approve { by, minutes: n } => {
                RequestEvent::Approve { by: key(NAMES[*by]), duration: n.map(minutes), note: None, at: now }
            }
            Happening::Deny { by } => RequestEvent::Deny { by: key(NAMES[*by]), note: None, at: now },
            Happening::Cancel { by } => RequestEvent::Cancel { by: key(NAMES[*by]), at: now },
            Happening::Tick => RequestEvent::Tick { now },
        };
        let Ok(step) = request.apply(event, world.facts()) else { continue };
        if let Happening::Approve { by, minutes: n } = happening {
            let length = n.unwrap_or(scene.duration);
            prop_assert!(length <= scene.duration && length >= 1, "lengthened, or nothing at all");
            prop_assert!(*by != scene.requester && *by != scene.beneficiary, "decided their own");
            prop_assert!(leads(&crowd, *by), "decided without the role");
            said_yes.insert(*by, length);
        }
        request = step.request;
        let counting: BTreeMap<_, _> = said_yes.iter().filter(|(who, _)| leads(&crowd, **who)).collect();
        match step.outcome {
            Outcome::Granted(approved) => {
                prop_assert!(counting.len() >= scene.count, "{} of {}", counting.len(), scene.count);
                prop_assert!(engineer(&crowd, scene.beneficiary), "for somebody whom it does not name");
                prop_assert!(now < tuesday() + minutes(180), "decided after it lapsed");
                let grant = Grant::open(GrantId::random(), approved);
                let (starts, ends) = (grant.record().starts_at, grant.record().ends_at);
                let shortest = minutes(**counting.values().min().unwrap());
                prop_assert!(starts >= now, "the clock ran while pending");
                prop_assert!(starts == now || Some(starts) == scene.start.map(|n| tuesday() + minutes(n)));
                prop_assert!(ends > starts && ends <= starts + shortest, "longer than approved");
                prop_assert!(matches!(
                    world.contract.hours_at(starts), Open::Until(closes) if ends <= closes
                ));
                prop_assert_eq!(request.record().state, RequestState::Approved);
                return Ok(Some((world, grant, now)));
            }
            Outcome::Waiting { have, need } => {
                prop_assert_eq!((have, need), (counting.len(), scene.count));
                let approving = matches!(happening, Happening::Approve { .. });
                prop_assert!(have < need || !approving);
            }
            Outcome::Denied | Outcome::Cancelled | Outcome::Expired => {
                prop_assert_ne!(request.record().state, RequestState::Approved);
            }
            Outcome::Extended(_) => prop_assert!(false, "nobody asked to extend"),
        }
    }
    Ok(None)
}

/// What happens to a grant, some minutes after the one before.
#[derive(Debug, Clone)]
enum Turn {
    Extend { minutes: Option<u64> },
    Revoke,
    Return,
    Tick,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        6 => proptest::option::of(0_u64..40).prop_map(|minutes| Turn::Extend { minutes }),
        1 => Just(Turn::Revoke),
        1 => Just(Turn::Return),
        2 => Just(Turn::Tick),
    ]
}

fn extend(world: &World, grant: &Grant, by: Option<u64>, now: Timestamp) -> Option<Grant> {
    let step = world.ask_extension(grant, &key("alice"), now).ok()?;
    let step = match step.outcome {
        Outcome::Waiting { .. } => world.approve_for(&step.request, "bob", by.map(minutes), now).ok()?,
        _ => step,
    };
    match step.outcome {
        Outcome::Extended(approved) => grant.extend(approved, &world.contract, now).ok(),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_yields_a_grant_that_the_contract_did_not_allow(scene in scene()) {
        play(&scene)?;
    }

    #[test]
    fn no_instant_outside_its_window_admits(
        start in proptest::option::of(0_u64..600),
        duration in 1_u64..=240,
        turns in proptest::collection::vec((0_u64..60, turn()), 0..12),
        probes in proptest::collection::vec(-600_i64..3000, 32),
    ) {
        let world = World::new(ORDERS_DEBUG);
        let (alice, asked_at) = (key("alice"), tuesday());
        let ask = AskAccess {
            duration: Some(minutes(duration)),
            starts_at: start.map(|start| asked_at + minutes(start)),
            ..asked(&alice)
        };
        let Ok(step) = world.ask(ask, asked_at) else { return Ok(()) };
        let Outcome::Granted(approved) = world.approve(&step.request, "bob", asked_at).unwrap().outcome else {
            return Err(TestCaseError::fail("one approval is enough"));
        };
        let mut grant = Grant::open(GrantId::random(), approved);
        let first = grant.record().clone();
        let mut now = asked_at;
        let mut cut: Option<Timestamp> = None;
        let mut extensions = 0_u32;
        for (pause, turn) in turns {
            now += minutes(pause);
            let before = grant.clone();
            let next = match turn {
                Turn::Extend { minutes } => extend(&world, &grant, minutes, now),
                Turn::Revoke => grant.revoke(key("bob"), None, now).ok(),
                Turn::Return => grant.give_back(key("alice"), now).ok(),
                Turn::Tick => grant.tick(now),
            };
            let Some(next) = next else { continue };
            match turn {
                Turn::Extend { .. } => {
                    extensions += 1;
                    prop_assert!(before.admits(now), "extended what was not active");
                }
                Turn::Revoke | Turn::Return => cut = cut.or(Some(now)),
                Turn::Tick => prop_assert!(now >= before.record().ends_at),
            }
            prop_assert!(before.record().ended.is_none(), "an end is final");
            grant = next;
        }
        // The widest window that the contract allows, told from its words: twice thirty minutes more, and 20:00.
        let widest = first.ends_at + minutes(30 * u64::from(extensions));
        let closes = "2026-01-06T19:00:00Z".parse::<Timestamp>().unwrap();
        prop_assert!(extensions <= 2);
        prop_assert!(grant.record().ends_at <= widest.min(closes));
        prop_assert_eq!(grant.record().starts_at, first.starts_at);
        let edges = [first.starts_at, grant.record().ends_at, closes, widest, now];
        let nano = Duration::from_nanos(1);
        let instants: BTreeSet<Timestamp> = probes
            .into_iter()
            .map(|n| asked_at + jiff::SignedDuration::from_secs(n * 60))
            .chain(edges.into_iter().flat_map(|edge| [edge - nano, edge, edge + nano]))
            .collect();
        for instant in instants {
            let within = instant >= first.starts_at && instant < grant.record().ends_at;
            let admitted = grant.admits(instant);
            prop_assert!(within || !admitted, "{} is outside", instant);
            prop_assert!(cut.is_none() || !admitted, "{} is behind the end on record", instant);
        }
    }
}
