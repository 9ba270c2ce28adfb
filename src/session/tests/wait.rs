//! psql as the request surface: told where to ask, let in, refused, given up.

use curfew_adapter::{RefusalKind, Step};

use super::{PATIENCE, World, refused, shown};
use crate::store::Change;

const REQUEST: &str = "https://gate.example/requests/new?target=orders&account=orders_read";

#[tokio::test]
async fn psql_is_told_where_to_ask_and_refused_when_its_patience_is_over() {
    let world = World::new(1).await;
    let alice = world.gate.person("alice", &["sre"]).await;
    let mut progress = world.admit(&alice, true);
    let told = shown(&mut progress).await;
    assert_eq!(
        told.message,
        "you have no grant for orders as orders_read; the contract orders-debug would give one"
    );
    assert_eq!(told.detail, "this connection waits here, and goes on once the request is approved");
    assert_eq!(told.hint, format!("ask for it: {REQUEST}"));
    world.gate.backend.hand.advance(PATIENCE);
    // Any news makes it look at the clock, which was moved by hand.
    world.parts.store.tell(Change::Contracts);
    let refusal = refused(&mut progress).await;
    assert_eq!(refusal.kind, RefusalKind::NoGrant);
    assert_eq!(refusal.notice.detail, "this connection waited 5 min for an approval");
    assert_eq!(refusal.notice.hint, format!("ask for it: {REQUEST}"));
}

#[tokio::test]
async fn the_prompt_appears_the_moment_the_request_is_approved() {
    let world = World::new(1).await;
    let [alice, bob, ..] = world.gate.everybody().await;
    let mut progress = world.admit(&alice, true);
    shown(&mut progress).await;
    let request = world.gate.pending(&alice).await;
    let told = shown(&mut progress).await;
    assert_eq!(told.message, format!("your request {request} waits for its approval"));
    assert_eq!(told.hint, format!("see it: https://gate.example/requests/{request}"));
    let approve = format!("/requests/{request}/approve");
    world.gate.post(&approve, &bob, serde_json::json!({})).await.is(200);
    let Step::Done(session) = progress.next().await else { panic!("not let in") };
    assert_eq!(
        (session.terms().request.to_string(), session.terms().account.as_str()),
        (request, "orders_read")
    );
}

#[tokio::test]
async fn what_was_asked_before_is_waited_for_and_a_no_ends_the_wait_with_its_reason() {
    let world = World::new(1).await;
    let [alice, bob, ..] = world.gate.everybody().await;
    let request = world.gate.pending(&alice).await;
    let mut progress = world.admit(&alice, true);
    let told = shown(&mut progress).await;
    assert_eq!(told.message, "your request for orders as orders_read waits for its approval");
    assert_eq!(told.hint, format!("see it: https://gate.example/requests/{request}"));
    let reason = serde_json::json!({ "reason": "ask with a ticket" });
    world.gate.post(&format!("/requests/{request}/deny"), &bob, reason).await.is(200);
    let refusal = refused(&mut progress).await;
    assert_eq!(
        refusal.notice.message,
        "your request for orders as orders_read was denied by bob@example.com: ask with a ticket"
    );
}

#[tokio::test]
async fn a_client_that_left_waits_no_more_and_one_that_cannot_wait_is_told_where_to_ask() {
    let world = World::new(1).await;
    let alice = world.gate.person("alice", &["sre"]).await;
    let mut first = world.admit(&alice, true);
    shown(&mut first).await;
    let mut second = world.admit(&alice, true);
    let full = refused(&mut second).await;
    assert_eq!(full.kind, RefusalKind::TooMany);
    // What the adapter does with a client that left.
    drop(first);
    shown(&mut world.admit(&alice, true)).await;

    let refusal = refused(&mut world.admit(&alice, false)).await;
    assert_eq!(refusal.kind, RefusalKind::NoGrant);
    assert_eq!(refusal.notice.hint, format!("ask for it: {REQUEST}"));
}

#[tokio::test]
async fn nobody_is_let_in_who_waited_until_the_node_drains() {
    let world = World::new(1).await;
    let [alice, bob, ..] = world.gate.everybody().await;
    let mut progress = world.admit(&alice, true);
    shown(&mut progress).await;
    let request = world.gate.pending(&alice).await;
    shown(&mut progress).await;
    world.parts.start_drain(jiff::Timestamp::MAX);
    let approve = format!("/requests/{request}/approve");
    world.gate.post(&approve, &bob, serde_json::json!({})).await.is(200);
    assert_eq!(refused(&mut progress).await.kind, RefusalKind::Draining);
}
