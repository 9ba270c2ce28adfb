//! Targets that can't be had, and accounts that they do not take: a sentence each, and never the secret.

use curfew_harness::postgres::password;
use curfew_harness::wire::Message;

use crate::world::World;

/// What the first connection under a fresh grant is told.
async fn told(world: &World, account: &str) -> Message {
    let alice = world.signed_in("alice").await;
    world.grant(&alice, account, "30m").await;
    let mut wire = world.wire(account).await;
    let link = wire.link(&world.gate.url()).await.unwrap();
    alice.consent(&link).await.unwrap();
    wire.until(b'E').await.unwrap().pop().unwrap()
}

/// It says which target, what to do, and nothing that the user may not know.
fn is_a_sentence(told: &Message) {
    let (said, hint) = (told.field('M').unwrap(), told.field('H').unwrap_or_default());
    assert!(said.starts_with("curfew: ") && said.contains("orders") && !hint.is_empty(), "{told:?}");
    for account in ["orders_read", "orders_write", "admin"] {
        assert!(!format!("{told:?}").contains(&password(account)), "a secret: {told:?}");
    }
}

#[tokio::test]
async fn a_target_that_is_down_is_told_in_a_sentence() {
    let mut world = World::open(|options| options).await;
    world.postgres.stop();
    let told = told(&world, "orders_read").await;
    is_a_sentence(&told);
    assert!(["08001", "08006"].contains(&told.field('C').unwrap().as_str()), "{told:?}");
}

#[tokio::test]
async fn pgbouncer_cve_2025_2291_a_password_that_the_target_does_not_take_is_told_in_a_sentence() {
    let world = World::open(|options| options).await;
    world.postgres.query("alter role orders_read valid until '2001-01-01'").await.unwrap();
    let expired = told(&world, "orders_read").await;
    is_a_sentence(&expired);
    world.postgres.query("alter role orders_write password 'changed behind the gate'").await.unwrap();
    let wrong = told(&world, "orders_write").await;
    is_a_sentence(&wrong);
    assert_ne!(wrong.field('C'), Some("28P01".to_owned()), "the user has given no password: {wrong:?}");
}

#[tokio::test]
async fn a_secret_that_cant_be_read_is_told_in_a_sentence_and_logged_with_its_cause() {
    let world = World::open(|options| options).await;
    std::fs::remove_file(world.gate.folder().join("secrets/orders_read")).unwrap();
    let told = told(&world, "orders_read").await;
    let said = told.field('M').unwrap();
    assert!(said.contains("orders") && !said.contains("secrets/"), "{told:?}");
    world.gate.logs().unwrap().wait_for("can't be read", crate::world::LIMIT).await.unwrap();
    let heard = world.target_side.bytes(0, curfew_harness::Direction::ToTarget);
    assert!(heard.is_empty(), "the target was spoken to without a secret: {heard:?}");
}
