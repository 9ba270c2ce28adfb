//! Names: missing, empty, in another case or another script, and settings that come before anybody is signed in.

use curfew_harness::wire::{Message, startup};
use curfew_harness::{Person, Wire};

use crate::world::World;

/// What a program that says this is told at the end, before it is asked who it is.
async fn told(world: &World, parameters: &[(&str, &str)]) -> Message {
    let mut wire = Wire::connect(world.gate.postgres()).await.unwrap();
    wire.send(&startup(parameters)).await.unwrap();
    wire.until(b'E').await.unwrap().pop().unwrap()
}

/// What `person` is told who asks for this.
async fn told_signed_in(world: &World, person: &Person, account: &str, target: &str) -> Message {
    let mut wire = Wire::psql(world.gate.postgres(), account, target).await.unwrap();
    let link = wire.link(&world.gate.url()).await.unwrap();
    person.consent(&link).await.unwrap();
    wire.until(b'E').await.unwrap().pop().unwrap()
}

#[tokio::test]
async fn empty_database_and_user_are_never_guessed() {
    let world = World::open(|options| options).await;
    let psql = ("application_name", "psql");
    for parameters in [
        &[("user", "orders_read"), psql][..],
        &[("user", "orders_read"), ("database", ""), psql],
        &[("user", "orders"), psql],
        &[("database", "orders"), psql],
        &[("user", ""), ("database", "orders"), psql],
        &[("user", "orders_read"), ("database", "orders/"), psql],
        &[("user", "orders_read"), ("database", "/orders"), psql],
        &[("user", "orders_read"), ("user", "admin"), ("database", "orders"), psql],
    ] {
        let told = told(&world, parameters).await;
        assert!(["28000", "08P01"].contains(&told.field('C').unwrap().as_str()), "{parameters:?}: {told:?}");
        assert!(!told.field('H').unwrap().is_empty(), "{parameters:?}: {told:?}");
    }
    assert_eq!(world.target_side.connections(), 0);
}

#[tokio::test]
async fn names_in_another_case_or_script_are_other_names() {
    let world = World::open(|options| options).await;
    let alice = world.gate.person("alice").unwrap();
    for (account, target) in [
        ("orders_read", "Orders"),
        ("orders_read", "ORDERS"),
        ("orders_read", "orders "),
        ("orders_read", "orders\u{200b}"),
        ("orders_read", "\u{ff4f}rders"),
        ("orders_read", "\"orders\""),
        ("Orders_Read", "orders"),
        ("ORDERS_READ", "orders"),
        ("orders_read\u{301}", "orders"),
        ("\"orders_read\"", "orders"),
        ("orders_read ", "orders"),
    ] {
        let told = told_signed_in(&world, &alice, account, target).await;
        assert_eq!(told.field('C').as_deref(), Some("42501"), "{account} {target}: {told:?}");
        assert!(told.field('M').unwrap().starts_with("there is no target"), "{account} {target}: {told:?}");
    }
    assert_eq!(world.target_side.connections(), 0);
}

#[tokio::test]
async fn an_unknown_target_and_one_that_is_kept_from_you_read_the_same() {
    let world = World::open(|options| options).await;
    // carol is in no group that any contract names.
    let carol = world.gate.person("carol").unwrap();
    let kept = told_signed_in(&world, &carol, "orders_read", "orders").await;
    let unknown = told_signed_in(&world, &carol, "orders_read", "nowhere").await;
    for code in ['S', 'C', 'M', 'D', 'H'] {
        let kept = kept.field(code).map(|said| said.replace("orders\"", "nowhere\""));
        assert_eq!(kept, unknown.field(code), "field {code}");
    }
    assert_eq!(kept.field('C').as_deref(), Some("42501"));
    // An account that the target does not have reads the same, too.
    let alice = world.gate.person("alice").unwrap();
    let account = told_signed_in(&world, &alice, "nobody", "orders").await;
    assert!(account.field('M').unwrap().starts_with("there is no target"), "{account:?}");
}

#[tokio::test]
async fn startup_settings_run_nothing_before_admission() {
    let world = World::open(|options| options).await;
    let base = [("user", "orders_read"), ("database", "orders"), ("application_name", "psql")];
    let hostile = [
        ("search_path", "evil, pg_catalog; drop table orders"),
        ("search_path", "evil\"; select pg_sleep(100); --"),
        ("options", "-c search_path=evil -c statement_timeout=0"),
    ];
    for setting in hostile {
        let mut wire = Wire::connect(world.gate.postgres()).await.unwrap();
        wire.send(&startup(&[&base[..], &[setting]].concat())).await.unwrap();
        // Taken note of, and nothing more, until somebody is signed in and admitted.
        let link = wire.link(&world.gate.url()).await.unwrap();
        let carol = world.gate.person("carol").unwrap();
        carol.consent(&link).await.unwrap();
        assert_eq!(wire.until(b'E').await.unwrap().pop().unwrap().field('C').as_deref(), Some("42501"));
    }
    for refused in [
        ("options", "-c session_preload_libraries=evil"),
        ("options", "-c local_preload_libraries=evil"),
        ("options", "--role=postgres"),
        ("options", "-f s"),
        ("role", "postgres"),
        ("session_authorization", "postgres"),
        ("replication", "database"),
    ] {
        let told = told(&world, &[&base[..], &[refused]].concat()).await;
        assert_eq!(told.field('C').as_deref(), Some("0A000"), "{refused:?}: {told:?}");
    }
    assert_eq!(world.target_side.connections(), 0, "something reached the target");
}
