//! Sessions on record: counted against their grant, ended once.

use curfew_adapter::{EndReason, Protocol, SessionId, SigninId};
use futures_util::future::join_all;

use super::{World, orders_worlds};
use crate::audit::Actor;
use crate::audit::event::Cut;
use crate::contract::fixtures::key;
use crate::grant::service::GrantView;
use crate::store::{SessionEnd, SessionFilter, SessionRecord, SessionStart, Slice};

fn session(world: &World, grant: &GrantView) -> SessionRecord {
    SessionRecord {
        id: SessionId::random(),
        grant: grant.id.clone(),
        request: grant.request.clone(),
        identity: world.caller("alice").identity.id,
        person: key("alice"),
        signin: SigninId::random(),
        contract: grant.contract.clone(),
        target: grant.target.clone(),
        protocol: Protocol::Postgres,
        account: grant.account.clone(),
        database: Some("orders".to_owned()),
        client_address: "192.0.2.7".parse().unwrap(),
        program: Some("psql".to_owned()),
        started_at: world.backend.hand.clock().wall(),
        ended: None,
    }
}

fn end(world: &World, reason: EndReason) -> SessionEnd {
    SessionEnd {
        at: world.backend.hand.clock().wall(),
        reason,
        detail: None,
        cut: Some(Cut {
            latency_us: 180,
            goodbye_us: Some(40),
            no_goodbye: None,
            outstanding: None,
            target_work: None,
        }),
        bytes_in: 12,
        bytes_out: 3_000_000_000,
        recording: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connects_at_once_never_overshoot_the_limit() {
    for world in orders_worlds().await {
        let (store, grant) = (&world.backend.store, world.granted().await);
        let sessions: Vec<_> = (0..9).map(|_| session(&world, &grant)).collect();
        let starts = sessions.iter().map(|session| store.start_session(session, Some(5), Actor::Curfew));
        let outcomes: Vec<_> = join_all(starts).await.into_iter().map(Result::unwrap).collect();
        let started = outcomes.iter().filter(|outcome| **outcome == SessionStart::Started).count();
        let refused = outcomes.iter().filter(|outcome| **outcome == SessionStart::TooMany).count();
        assert_eq!((started, refused), (5, 4));
        assert_eq!(world.all_grants().await[0].sessions_live, 5);

        let live =
            SessionFilter { live: Some(true), grant: Some(grant.id.clone()), ..SessionFilter::default() };
        let first = store.sessions(&live, &Slice::default()).await.unwrap().items.remove(0);
        assert!(store.end_session(&first.id, &end(&world, EndReason::Killed), Actor::Curfew).await.unwrap());
        let one_more = store.start_session(&session(&world, &grant), Some(5), Actor::Curfew).await.unwrap();
        assert_eq!(one_more, SessionStart::Started);
        let stored = store.grant(&grant.id).await.unwrap().unwrap();
        assert_eq!(
            (stored.sessions_live, stored.sessions),
            (5, 6),
            "those that were refused are not counted"
        );
        let on_record = world.kinds().await.into_iter().filter(|kind| kind == "session.started").count();
        assert_eq!(on_record, 6);
    }
}

#[tokio::test]
async fn a_session_ends_once_for_one_reason() {
    for world in orders_worlds().await {
        let (store, grant) = (&world.backend.store, world.granted().await);
        let started = session(&world, &grant);
        assert_eq!(store.start_session(&started, None, Actor::Curfew).await.unwrap(), SessionStart::Started);
        assert_eq!(store.session(&started.id).await.unwrap().as_ref(), Some(&started));
        let (revoked, closed) = (end(&world, EndReason::Revoked), end(&world, EndReason::ClientClosed));
        assert!(store.end_session(&started.id, &revoked, Actor::Curfew).await.unwrap());
        assert!(!store.end_session(&started.id, &closed, Actor::Curfew).await.unwrap());
        let ended = store.session(&started.id).await.unwrap().unwrap().ended;
        assert_eq!(ended, Some(revoked));
        let on_record = world.kinds().await.into_iter().filter(|kind| kind == "session.ended").count();
        assert_eq!(on_record, 1);
    }
}

#[tokio::test]
async fn no_session_begins_under_a_grant_that_is_over() {
    for world in orders_worlds().await {
        let (store, grant) = (&world.backend.store, world.granted().await);
        world.advance(60);
        let late = store.start_session(&session(&world, &grant), None, Actor::Curfew).await.unwrap();
        assert_eq!(late, SessionStart::GrantOver, "its time is over, though that is not on record yet");
        let grant = world.granted().await;
        world.grants.give_back(&world.caller("alice"), &grant.id).await.unwrap();
        let late = store.start_session(&session(&world, &grant), None, Actor::Curfew).await.unwrap();
        assert_eq!(late, SessionStart::GrantOver);
    }
}

#[tokio::test]
async fn after_a_restart_unfinished_sessions_are_found() {
    for world in orders_worlds().await {
        let (store, grant) = (&world.backend.store, world.granted().await);
        let (left, done) = (session(&world, &grant), session(&world, &grant));
        for session in [&left, &done] {
            let _ = store.start_session(session, None, Actor::Curfew).await.unwrap();
        }
        store.end_session(&done.id, &end(&world, EndReason::ClientClosed), Actor::Curfew).await.unwrap();
        store.close().await;
        let store = world.backend.again().await.unwrap();
        let found = store.unfinished_sessions().await.unwrap();
        assert_eq!(found, [left]);
        let interrupted = end(&world, EndReason::Interrupted);
        assert!(store.end_session(&found[0].id, &interrupted, Actor::Curfew).await.unwrap());
        assert!(store.unfinished_sessions().await.unwrap().is_empty());
    }
}
