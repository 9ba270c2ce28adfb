//! Extending, returning, revoking, and the task that keeps time.

use curfew_adapter::task::supervised;

use super::{World, orders_worlds, worlds};
use crate::contract::fixtures::{ORDERS_DEBUG, key};
use crate::grant::service::{Caller, Fault, GrantsError};
use crate::grant::{AskRefused, GrantRefused, GrantState, Refused, RequestState};
use crate::store::Change;

#[tokio::test]
async fn an_extension_is_decided_by_the_same_approvers_and_moves_the_end() {
    for world in orders_worlds().await {
        let (alice, grant) = (world.caller("alice"), world.granted().await);
        assert_eq!((grant.can.as_slice(), grant.extensions_left), (&["extend", "return"][..], 2));
        world.advance(50);
        let mut news = world.backend.store.changes();
        let asked = world.grants.extend(&alice, &grant.id, Some("not done"), None).await.unwrap();
        assert_eq!((asked.kind, asked.state), ("extension", RequestState::Pending));
        assert_eq!((asked.grant.as_ref(), asked.duration_seconds), (Some(&grant.id), 1_800));
        let second = world.grants.extend(&alice, &grant.id, None, None).await.unwrap_err();
        assert!(matches!(second, GrantsError::ExtensionPending));
        assert_eq!(world.grants.grant(&alice, &grant.id).await.unwrap().ends_at, grant.ends_at);

        assert!(world.approve("alice", &asked.id).await.is_err(), "nobody extends by their own word");
        world.approve("bob", &asked.id).await.unwrap();
        let longer = world.grants.grant(&alice, &grant.id).await.unwrap();
        assert_eq!(longer.ends_at.duration_since(grant.ends_at).as_secs(), 1_800);
        assert_eq!((longer.extensions, longer.extensions_left), (1, 1));
        assert!(world.approve("erin", &asked.id).await.is_err());
        let told = std::iter::from_fn(|| news.try_recv().ok())
            .any(|news| news.change == Change::Grant(grant.id.clone()));
        assert!(told);
        assert_eq!(world.kinds().await[6..], ["request.decided", "grant.extended"]);

        // Twice is as often as the contract gives.
        let asked = world.grants.extend(&alice, &grant.id, None, None).await.unwrap();
        world.approve("bob", &asked.id).await.unwrap();
        let third = world.grants.extend(&alice, &grant.id, None, None).await.unwrap_err();
        assert!(
            matches!(third, GrantsError::Ask(AskRefused::Grant(GrantRefused::UsedUp { max: 2 }))),
            "{third}"
        );
    }
}

#[tokio::test]
async fn an_extension_without_approval_is_there_for_the_asking() {
    let text = ORDERS_DEBUG.replace("approval = \"again\"", "approval = \"none\"");
    for world in worlds(&[&text]).await {
        let grant = world.granted().await;
        let asked = world.grants.extend(&world.caller("alice"), &grant.id, None, None).await.unwrap();
        assert_eq!(asked.state, RequestState::Approved);
        assert_eq!(world.all_grants().await[0].ends_at.duration_since(grant.ends_at).as_secs(), 1_800);
        let other = world.grants.extend(&world.caller("erin"), &grant.id, None, None).await.unwrap_err();
        assert_eq!(other.fault(), Fault::Forbidden);
    }
}

#[tokio::test]
async fn an_extension_approved_after_the_end_moves_nothing() {
    for world in orders_worlds().await {
        let (alice, grant) = (world.caller("alice"), world.granted().await);
        let asked = world.grants.extend(&alice, &grant.id, None, None).await.unwrap();
        // It is over by the clock, and neither is on record yet.
        world.advance(61);
        let late = world.approve("bob", &asked.id).await.unwrap_err();
        assert!(matches!(late, GrantsError::Request(Refused::Lapsed { .. })), "{late}");
        let state = world.grants.request(&alice, &asked.id).await.unwrap().state;
        assert_eq!(state, RequestState::Pending, "what was refused changed nothing");
    }
}

#[tokio::test]
async fn an_extension_that_nobody_decided_is_closed_with_its_grant() {
    for world in orders_worlds().await {
        for end in ["returned", "revoked"] {
            let (alice, grant) = (world.caller("alice"), world.granted().await);
            let asked = world.grants.extend(&alice, &grant.id, None, None).await.unwrap();
            if end == "returned" {
                world.grants.give_back(&alice, &grant.id).await.unwrap();
            } else {
                world.grants.revoke(&world.caller("bob"), &grant.id, "enough").await.unwrap();
            }
            let closed = world.grants.request(&alice, &asked.id).await.unwrap();
            assert_eq!((closed.state, closed.can.len()), (RequestState::Expired, 0), "{end}");
            assert!(world.grants.to_approve(&world.caller("bob")).await.unwrap().is_empty(), "{end}");
            let late = world.approve("bob", &asked.id).await.unwrap_err();
            assert_eq!(late.fault(), Fault::Conflict, "{late}");
            let kinds = world.kinds().await;
            assert_eq!(kinds[kinds.len() - 2..], ["grant.ended", "request.decided"], "{end}");
            let lines = world.backend.store.audit_lines(0, 1000).await.unwrap();
            let last = &lines.last().unwrap().1;
            assert!(last.contains("the grant that it would have extended is over"), "{last}");
        }
    }
}

#[tokio::test]
async fn a_grant_is_returned_by_its_holder_and_revoked_by_its_approvers_and_admins() {
    for world in orders_worlds().await {
        let revoke = async |who: &Caller, world: &World| {
            let grant = world.granted().await;
            (world.grants.revoke(who, &grant.id, "done here").await, grant)
        };
        assert!(matches!(revoke(&world.caller("alice"), &world).await.0, Err(GrantsError::MayNotRevoke)));
        assert!(matches!(revoke(&world.auditor(), &world).await.0, Err(GrantsError::MayNotRevoke)));
        let over = revoke(&world.caller("erin"), &world).await.0.unwrap();
        assert_eq!((over.state, over.ended_by.as_deref()), (GrantState::Revoked, Some("erin@example.com")));
        assert_eq!(over.end_note.as_deref(), Some("done here"));
        let admin = Caller { admin: true, ..world.caller("carol") };
        let (revoked, grant) = revoke(&admin, &world).await;
        assert_eq!(revoked.unwrap().state, GrantState::Revoked);
        let again = world.grants.revoke(&admin, &grant.id, "twice").await.unwrap_err();
        assert_eq!(again.fault(), Fault::Conflict);

        let grant = world.granted().await;
        let other = world.grants.give_back(&world.caller("bob"), &grant.id).await.unwrap_err();
        assert!(matches!(other, GrantsError::Grant(GrantRefused::NotYours)));
        let back = world.grants.give_back(&world.caller("alice"), &grant.id).await.unwrap();
        assert_eq!((back.state, back.can.len()), (GrantState::Returned, 0));
        let now = world.backend.hand.clock().wall();
        let active = world.grants.active_grants(&key("alice"), "orders", "orders_read", now).await.unwrap();
        assert!(active.iter().all(|active| active.record().id != grant.id));
    }
}

#[tokio::test]
async fn the_task_puts_ends_on_record_when_something_stirs() {
    for world in orders_worlds().await {
        let grant = world.granted().await;
        let task = supervised("test.tick", world.grants.clone().run());
        world.advance(61);
        let mut news = world.backend.store.changes();
        world.ask("erin").await;
        loop {
            if news.recv().await.unwrap().change == Change::Grant(grant.id.clone()) {
                break;
            }
        }
        task.abort();
        assert_eq!(world.kinds().await.last().unwrap(), "grant.ended");
        let stored = world.backend.store.grant(&grant.id).await.unwrap().unwrap();
        assert_eq!(
            stored.record().ended.as_ref().unwrap().at,
            grant.ends_at,
            "the end is its time, not the task's"
        );
    }
}
