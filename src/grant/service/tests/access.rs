//! Asking and being given: contracts, choices, keys, who sees what.

use std::time::Duration;

use curfew_adapter::GrantId;

use super::{an_ask, orders_worlds, takes_two, worlds};
use crate::audit::Digest;
use crate::contract::fixtures::{AT_ONCE, ORDERS_DEBUG, key};
use crate::grant::service::{Approve, Ask, Fault, GrantsError, Scope};
use crate::grant::{AskRefused, GrantState, Refused, RequestState};
use crate::store::{Once, Slice};

const NO_ASK_RULES: &str = r#"
[contract]
name = "orders-night"
[who]
groups = ["sre"]
[what]
targets = { names = ["orders"] }
accounts = ["orders_read", "orders_write", "billing_read"]
[when]
duration = { max = "30m" }
[[approve]]
from = { users = ["bob@example.com"] }
"#;

#[tokio::test]
async fn the_clock_of_a_grant_starts_when_it_is_approved() {
    for world in orders_worlds().await {
        let id = world.ask("alice").await.id;
        world.advance(90);
        let approved = world.approve("bob", &id).await.unwrap();
        let grant = world.grants.grant(&world.caller("alice"), &approved.grant_id.unwrap()).await.unwrap();
        assert_eq!(grant.starts_at, world.backend.hand.clock().wall());
        assert_eq!(grant.ends_at.duration_since(grant.starts_at).as_secs(), 3_600);
        assert_eq!(grant.state, GrantState::Active);
        let now = grant.ends_at;
        let active = world.grants.active_grants(&key("alice"), "orders", "orders_read", now).await.unwrap();
        assert!(active.is_empty(), "the end is the first instant that it no longer admits");
    }
}

#[tokio::test]
async fn a_contract_without_approval_grants_at_once() {
    for world in worlds(&[AT_ONCE]).await {
        let ask = Ask { target: "orders".to_owned(), ..Ask::default() };
        let request = world.grants.ask(&world.caller("alice"), ask, None).await.unwrap();
        assert_eq!((request.state, request.approvals_needed), (RequestState::Approved, 0));
        assert!(request.grant_id.is_some());
        assert_eq!(world.kinds().await, ["request.created", "request.decided", "grant.activated"]);
        let (alice, now) = (key("alice"), request.created_at);
        let active = world.grants.active_grants(&alice, "orders", "orders_read", now).await.unwrap();
        assert_eq!(active.len(), 1);
    }
}

#[tokio::test]
async fn a_scheduled_grant_begins_at_its_start() {
    for world in orders_worlds().await {
        let starts_at = "2026-03-02T12:00:00Z".parse().ok();
        let ask = Ask { starts_at, duration: Some(Duration::from_secs(600)), ..an_ask() };
        let id = world.grants.ask(&world.caller("alice"), ask, None).await.unwrap().id;
        world.approve("bob", &id).await.unwrap();
        assert_eq!(world.all_grants().await[0].state, GrantState::Scheduled);
        let at = |minutes: u64| starts_at.unwrap() + Duration::from_secs(60 * minutes);
        assert_eq!(world.grants.tick(at(0) - Duration::from_secs(1)).await.unwrap().begun, 0);
        world.advance(180);
        assert_eq!(world.grants.tick(at(0)).await.unwrap().begun, 1);
        assert_eq!(world.grants.tick(at(0)).await.unwrap().begun, 0);
        world.advance(10);
        assert_eq!(world.grants.tick(at(10)).await.unwrap().ended, 1);
        assert_eq!(world.all_grants().await[0].state, GrantState::Expired);
        assert_eq!(world.kinds().await[3..], ["grant.activated", "grant.ended"]);
    }
}

#[tokio::test]
async fn an_approver_shortens_and_never_lengthens() {
    for world in orders_worlds().await {
        let id = world.ask("alice").await.id;
        let yes = |minutes: u64| Approve { duration: Some(Duration::from_secs(60 * minutes)), note: None };
        let longer = world.grants.approve(&world.caller("bob"), &id, yes(61)).await.unwrap_err();
        assert!(matches!(longer, GrantsError::Request(Refused::Longer { .. })), "{longer}");
        world.grants.approve(&world.caller("bob"), &id, yes(20)).await.unwrap();
        let grant = world.all_grants().await.remove(0);
        assert_eq!(grant.ends_at.duration_since(grant.starts_at).as_secs(), 1_200);
    }
}

#[tokio::test]
async fn several_contracts_or_accounts_are_for_the_person_to_pick() {
    for world in worlds(&[ORDERS_DEBUG, NO_ASK_RULES]).await {
        let alice = world.caller("alice");
        let ask = async |account: Option<&str>, contract: Option<&str>| {
            let ask = Ask {
                account: account.map(str::to_owned),
                contract: contract.map(str::to_owned),
                ..an_ask()
            };
            world.grants.ask(&alice, ask, None).await
        };
        assert!(matches!(ask(None, None).await, Err(GrantsError::SeveralAccounts { accounts, .. })
            if accounts == ["orders_read", "orders_write"]));
        let several = ask(Some("orders_read"), None).await.unwrap_err();
        assert_eq!(several.fault(), Fault::Conflict);
        assert!(
            several.to_string().contains("orders-debug (up to 4h), orders-night (up to 30m)"),
            "{several}"
        );
        assert_eq!(ask(Some("orders_write"), None).await.unwrap().contract, "orders-night");
        assert_eq!(ask(None, Some("orders-debug")).await.unwrap().account, "orders_read");
        assert!(matches!(ask(Some("postgres"), None).await, Err(GrantsError::NoContract { .. })));
        assert!(matches!(ask(Some("billing_read"), None).await, Err(GrantsError::NoContract { .. })));
        let other = ask(None, Some("payroll")).await.unwrap_err().to_string();
        assert!(other.ends_with("you may ask under orders-debug, orders-night"), "{other}");
    }
}

#[tokio::test]
async fn a_target_that_is_hidden_and_one_that_is_not_there_look_the_same() {
    for world in orders_worlds().await {
        let carol = world.caller("carol");
        let hidden = world.grants.ask(&carol, an_ask(), None).await.unwrap_err().to_string();
        let ask = Ask { target: "nowhere".to_owned(), ..an_ask() };
        let absent = world.grants.ask(&carol, ask, None).await.unwrap_err().to_string();
        assert_eq!(hidden.replace("orders", "nowhere"), absent);
    }
}

#[tokio::test]
async fn a_repeated_call_asks_once_and_a_key_is_for_one_ask() {
    for world in orders_worlds().await {
        let once = |body: &str| Some(Once { key: "k1".to_owned(), body: Digest::of(body.as_bytes()) });
        let alice = world.caller("alice");
        let first = world.grants.ask(&alice, an_ask(), once("a")).await.unwrap();
        let again = world.grants.ask(&alice, an_ask(), once("a")).await.unwrap();
        assert_eq!(first, again);
        let other = world.grants.ask(&alice, an_ask(), once("b")).await.unwrap_err();
        assert!(matches!(other, GrantsError::KeyReused));
        // Keys are each person's own, and forgotten after a day.
        assert_ne!(world.grants.ask(&world.caller("erin"), an_ask(), once("b")).await.unwrap().id, first.id);
        world.advance(24 * 60);
        assert_ne!(world.grants.ask(&alice, an_ask(), once("b")).await.unwrap().id, first.id);
        let bad = Once { key: "white space".to_owned(), body: Digest::ZERO };
        assert!(matches!(world.grants.ask(&alice, an_ask(), Some(bad)).await, Err(GrantsError::BadKey)));
    }
}

#[tokio::test]
async fn a_request_keeps_the_contract_that_it_was_made_under() {
    for world in orders_worlds().await {
        let id = world.ask("alice").await.id;
        world.replace_contract(&takes_two());
        assert_eq!(world.approve("bob", &id).await.unwrap().state, RequestState::Approved);
        let later = world.ask("alice").await.id;
        assert_eq!(world.approve("bob", &later).await.unwrap().state, RequestState::Pending);
    }
}

#[tokio::test]
async fn a_request_that_nobody_decides_lapses() {
    for world in orders_worlds().await {
        let request = world.ask("alice").await;
        world.advance(180);
        let late = world.approve("bob", &request.id).await.unwrap_err();
        assert!(matches!(late, GrantsError::Request(Refused::Lapsed { .. })), "{late}");
        assert_eq!(world.grants.tick(request.expires_at).await.unwrap().lapsed, 1);
        let after = world.grants.request(&world.caller("alice"), &request.id).await.unwrap();
        assert_eq!((after.state, after.can.len()), (RequestState::Expired, 0));
        assert_eq!(world.kinds().await, ["request.created", "request.decided"]);
    }
}

#[tokio::test]
async fn people_see_their_own_and_what_they_could_decide() {
    for world in orders_worlds().await {
        let id = world.ask("alice").await.id;
        for (name, can) in [("alice", vec!["cancel"]), ("bob", vec!["approve", "deny"])] {
            assert_eq!(world.grants.request(&world.caller(name), &id).await.unwrap().can, can);
        }
        let carol = world.caller("carol");
        assert!(matches!(world.grants.request(&carol, &id).await, Err(GrantsError::NoRequest)));
        let all = world.grants.requests(&carol, Scope::All, None, &Slice::default()).await;
        assert!(matches!(all, Err(GrantsError::MayNotReadAll)));
        assert!(world.grants.request(&world.auditor(), &id).await.is_ok());

        assert_eq!(world.grants.to_approve(&world.caller("bob")).await.unwrap().len(), 1);
        assert!(world.grants.to_approve(&world.caller("alice")).await.unwrap().is_empty());
        assert!(world.grants.is_approver(&key("bob")).await.unwrap());
        assert!(!world.grants.is_approver(&key("alice")).await.unwrap());
        assert!(world.grants.could_approve(&key("erin"), &id).await.unwrap());
        assert_eq!(
            world.grants.pending_requests(&key("alice"), "orders", "orders_read").await.unwrap().len(),
            1
        );

        let grant = world.approve("bob", &id).await.unwrap().grant_id.unwrap();
        assert!(matches!(world.grants.grant(&carol, &grant).await, Err(GrantsError::NoGrant)));
        assert_eq!(world.grants.grant(&world.caller("bob"), &grant).await.unwrap().can, ["revoke"]);
        assert!(matches!(
            world.grants.grant(&world.auditor(), &GrantId::random()).await,
            Err(GrantsError::NoGrant)
        ));
    }
}

#[tokio::test]
async fn whoever_is_disabled_neither_asks_nor_decides_nor_gets() {
    for world in orders_worlds().await {
        let id = world.ask("alice").await.id;
        let (bob, alice) = (world.caller("bob"), world.caller("alice"));
        world.disable("bob");
        let refused = world.grants.approve(&bob, &id, Approve::default()).await.unwrap_err();
        assert!(matches!(refused, GrantsError::Request(Refused::Unknown)));
        world.disable("alice");
        assert!(matches!(
            world.approve("erin", &id).await,
            Err(GrantsError::Request(Refused::BeneficiaryGone))
        ));
        let asked = world.grants.ask(&alice, an_ask(), None).await;
        assert!(matches!(asked, Err(GrantsError::Ask(AskRefused::Unknown))));
    }
}

#[tokio::test]
async fn a_request_for_a_target_that_went_away_can_only_be_closed() {
    for world in orders_worlds().await {
        let id = world.ask("alice").await.id;
        world.book.targets.lock().unwrap().clear();
        assert!(matches!(world.approve("bob", &id).await, Err(GrantsError::TargetGone { .. })));
        let denied = world.grants.deny(&world.caller("bob"), &id, " no such host any more ").await.unwrap();
        assert_eq!(denied.state, RequestState::Denied);
        assert_eq!(denied.votes[0].note.as_deref(), Some("no such host any more"));
        let again = world.grants.deny(&world.caller("bob"), &id, "  ").await;
        assert!(matches!(again, Err(GrantsError::ReasonMissing)));
    }
}

#[tokio::test]
async fn lists_come_in_pieces_that_miss_and_repeat_nothing() {
    for world in orders_worlds().await {
        let mut asked = Vec::new();
        for n in 0..7 {
            // Some share an instant.
            world.advance(n % 2);
            asked.push(world.ask("alice").await.id);
        }
        let (mut found, mut slice) = (Vec::new(), Slice { after: None, limit: 2 });
        loop {
            let page =
                world.grants.requests(&world.caller("alice"), Scope::Mine, None, &slice).await.unwrap();
            found.extend(page.items.into_iter().map(|request| request.id));
            match page.next {
                Some(next) => slice.after = crate::store::Cursor::parse(&next.to_string()),
                None => break,
            }
        }
        assert_eq!(found.len(), 7);
        asked.sort();
        found.sort();
        assert_eq!(asked, found);
    }
}

#[tokio::test]
async fn views_have_the_fields_of_the_api() {
    let keys =
        |value: serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    for world in orders_worlds().await {
        let id = world.ask("alice").await.id;
        let view = world.approve("bob", &id).await.unwrap();
        assert_eq!(view.url, format!("https://gate.example.com/requests/{id}"));
        assert_eq!(view.approvers, ["group sre-leads"]);
        assert_eq!(
            keys(serde_json::to_value(&view).unwrap()),
            "account address approvals approvals_needed approvers can contract contract_version created_at \
             decided_at duration_seconds expires_at grant_id id kind protocol reason requester state target ticket \
             url votes"
        );
        let grant = world.all_grants().await.remove(0);
        assert_eq!(
            keys(serde_json::to_value(&grant).unwrap()),
            "account can contract contract_version ends_at extensions extensions_left holder id protocol request \
             sessions_live starts_at state target url"
        );
    }
}

/// With people from the store itself: two identities of one person, with other groups each.
#[tokio::test]
async fn linked_identities_are_one_person_and_a_disabled_one_gives_nothing() {
    use crate::grant::service::{Grants, StoreDirectory};
    use crate::identity::Vouched;
    for world in orders_worlds().await {
        let store = &world.backend.store;
        let mut ids = Vec::new();
        for (subject, groups) in [("1", ["sre"]), ("2", ["sre-leads"])] {
            let who = Vouched {
                provider: "example".to_owned(),
                issuer: "https://login.example.com".to_owned(),
                subject: subject.to_owned(),
                email: "Frida@example.com".to_owned(),
                name: "Frida".to_owned(),
                groups: groups.map(str::to_owned).into(),
                dropped: Vec::new(),
            };
            let mut tx = store.begin().await.unwrap();
            let now = world.backend.hand.clock().wall();
            ids.push(tx.identity_seen(&who, "frida@example.com", now).await.unwrap().identity.id);
            tx.commit().await.unwrap();
        }
        let directory = std::sync::Arc::new(StoreDirectory::new(store.clone(), []));
        let url = "https://gate.example.com".parse().unwrap();
        let grants = Grants::new(store.clone(), std::sync::Arc::clone(&world.contracts), directory, url);
        let frida = grants.people([&key("frida")]).await.unwrap().find(&key("frida")).cloned().unwrap();
        assert_eq!(frida.groups.into_iter().collect::<Vec<_>>(), ["sre", "sre-leads"]);
        assert_eq!(grants.everyone().await.unwrap().iter().count(), 1);
        assert!(grants.is_approver(&key("frida")).await.unwrap());

        let mut tx = store.begin().await.unwrap();
        assert!(tx.identity_disabled(&ids[1], None, world.backend.hand.clock().wall()).await.unwrap());
        tx.commit().await.unwrap();
        assert!(!grants.is_approver(&key("frida")).await.unwrap());
    }
}
