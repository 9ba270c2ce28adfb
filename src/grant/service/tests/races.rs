//! Two at once: of any two acts on one request, one finds that it was second.

use tokio::join;

use super::{World, orders_worlds, takes_two, worlds};
use crate::contract::NotApprover;
use crate::grant::service::{Approve, GrantsError};
use crate::grant::{GrantState, Refused, RequestState};

async fn one_grant(world: &World) {
    assert_eq!(world.all_grants().await.len(), 1);
    let kinds = world.kinds().await;
    for kind in ["request.decided", "grant.activated"] {
        assert_eq!(kinds.iter().filter(|found| *found == kind).count(), 1, "{kinds:?}");
    }
}

fn already<T>(outcome: &Result<T, GrantsError>) -> bool {
    matches!(outcome, Err(GrantsError::Request(Refused::NotPending { .. })))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_on_approve_makes_one_grant() {
    for world in orders_worlds().await {
        let id = world.ask("alice").await.id;
        let (one, two) = join!(world.approve("bob", &id), world.approve("bob", &id));
        assert!(one.is_ok() != two.is_ok());
        assert!(already(&one) || already(&two));
        assert!(already(&world.approve("bob", &id).await));
        one_grant(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvers_at_once_make_one_grant() {
    for world in orders_worlds().await {
        let id = world.ask("alice").await.id;
        let (one, two) = join!(world.approve("bob", &id), world.approve("erin", &id));
        assert!(one.is_ok() != two.is_ok());
        assert!(already(&one) || already(&two));
        one_grant(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvers_at_once_are_both_counted_where_it_takes_two() {
    for world in worlds(&[&takes_two()]).await {
        let id = world.ask("alice").await.id;
        let (one, two) = join!(world.approve("bob", &id), world.approve("erin", &id));
        let states = [one.unwrap().state, two.unwrap().state];
        assert!(states.contains(&RequestState::Approved), "{states:?}");
        one_grant(&world).await;
    }
}

#[tokio::test]
async fn the_same_person_twice_is_one_approval() {
    for world in worlds(&[&takes_two()]).await {
        let id = world.ask("alice").await.id;
        for before in [false, true] {
            let after = world.approve("bob", &id).await.unwrap();
            assert_eq!((after.state, after.approvals, after.votes.len()), (RequestState::Pending, 1, 1));
            assert_eq!(after.counted_before, before);
        }
        let done = world.approve("erin", &id).await.unwrap();
        assert_eq!((done.state, done.counted_before), (RequestState::Approved, false));
        one_grant(&world).await;
    }
}

#[tokio::test]
async fn nobody_approves_their_own_request() {
    for world in orders_worlds().await {
        let request = world.ask("erin").await;
        assert_eq!(request.can, ["cancel"]);
        let refused = world.approve("erin", &request.id).await.unwrap_err();
        let own = GrantsError::Request(Refused::MayNotDecide(NotApprover::Requester));
        assert_eq!(refused.to_string(), own.to_string());
        assert!(world.all_grants().await.is_empty());
        assert_eq!(world.kinds().await, ["request.created"]);
    }
}

#[tokio::test]
async fn an_approver_who_lost_the_role_no_longer_counts() {
    for world in worlds(&[&takes_two()]).await {
        let id = world.ask("alice").await.id;
        world.approve("bob", &id).await.unwrap();
        world.regroup("bob", &["sales"]);
        let after = world.approve("erin", &id).await.unwrap();
        assert_eq!((after.state, after.approvals), (RequestState::Pending, 1));
        assert!(world.approve("bob", &id).await.is_err());
        world.regroup("bob", &["sre-leads"]);
        assert_eq!(world.approve("bob", &id).await.unwrap().state, RequestState::Approved);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_and_approve_at_once_leave_one_truth() {
    for world in orders_worlds().await {
        for _ in 0..10 {
            let before = world.all_grants().await.len();
            let (id, alice) = (world.ask("alice").await.id, world.caller("alice"));
            let (cancelled, approved) = join!(world.grants.cancel(&alice, &id), world.approve("bob", &id));
            let made = world.all_grants().await.len() - before;
            match (&cancelled, &approved) {
                (Ok(view), second) => {
                    assert!(already(second) && made == 0);
                    assert_eq!(view.state, RequestState::Cancelled);
                }
                (first, Ok(view)) => {
                    assert!(already(first) && made == 1);
                    assert_eq!(view.state, RequestState::Approved);
                }
                both => panic!("{both:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_and_return_at_once_end_a_grant_once() {
    for world in orders_worlds().await {
        let grant = world.granted().await.id;
        let (alice, bob) = (world.caller("alice"), world.caller("bob"));
        let (returned, revoked) =
            join!(world.grants.give_back(&alice, &grant), world.grants.revoke(&bob, &grant, "leaked"));
        assert!(returned.is_ok() != revoked.is_ok());
        let state = world.all_grants().await.remove(0).state;
        assert!(matches!(state, GrantState::Returned | GrantState::Revoked));
        let ended = world.kinds().await.into_iter().filter(|kind| kind == "grant.ended").count();
        assert_eq!(ended, 1);
    }
}

#[tokio::test]
async fn a_decision_without_its_audit_event_is_none() {
    for world in orders_worlds().await {
        let id = world.ask("alice").await.id;
        let sql = async |text: &'static str| {
            let mut tx = world.backend.store.begin().await.unwrap();
            sqlx::Executor::execute(tx.connection(), sqlx::raw_sql(text)).await.unwrap();
            tx.commit().await.unwrap();
        };
        sql("ALTER TABLE audit_lines RENAME TO audit_away").await;
        let yes = Approve { note: Some("go".to_owned()), ..Approve::default() };
        let failed = world.grants.approve(&world.caller("bob"), &id, yes).await.unwrap_err();
        assert!(matches!(failed, GrantsError::Store(_)), "{failed:?}");
        sql("ALTER TABLE audit_away RENAME TO audit_lines").await;

        let after = world.grants.request(&world.caller("alice"), &id).await.unwrap();
        assert_eq!((after.state, after.votes.len()), (RequestState::Pending, 0));
        assert!(world.all_grants().await.is_empty());
        world.approve("bob", &id).await.unwrap();
        one_grant(&world).await;
    }
}

/// SQLite's one writer never lets it come to this; two nodes on Postgres do.
#[tokio::test]
async fn a_step_from_a_reading_that_is_stale_changes_nothing() {
    for world in worlds(&[&takes_two()]).await {
        let store = &world.backend.store;
        let id = world.ask("alice").await.id;
        let stale = store.request(&id).await.unwrap().unwrap();
        world.approve("bob", &id).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert!(!tx.step_request(&stale, &stale.record).await.unwrap(), "a vote came between");
        tx.rollback().await.unwrap();
        world.approve("erin", &id).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let decided = tx.request(&id).await.unwrap().unwrap();
        assert!(!tx.step_request(&decided, &stale.record).await.unwrap(), "it is decided");

        let before = tx.grant(&decided.granted.unwrap()).await.unwrap().unwrap().grant;
        assert!(!tx.insert_grant(&before, before.record().starts_at).await.unwrap(), "one for each request");
        assert!(!tx.activate_grant(&before.record().id, before.record().starts_at).await.unwrap());
        tx.rollback().await.unwrap();
        world.grants.give_back(&world.caller("alice"), &before.record().id).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let over = before.tick(before.record().ends_at).unwrap();
        assert!(!tx.step_grant(&before, &over).await.unwrap(), "it was returned");
        tx.rollback().await.unwrap();
        one_grant(&world).await;
    }
}
