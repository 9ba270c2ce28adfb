//! A primary and its standby under one name.

use curfew_harness::postgres::{Postgres, PostgresOptions};

use super::{address, ask, entry};
use crate::world::World;

#[tokio::test]
async fn a_session_gets_the_primary_and_after_a_failover_the_new_one() {
    let standby = PostgresOptions { standby: true, ..PostgresOptions::default() };
    let standby = Postgres::start_with(standby).await.unwrap();
    let first = standby.address();
    let mut world = World::open(|options| {
        let tap = address(&options);
        let both = format!("[\"{first}\", {tap}]");
        entry(options, &both, "mode = \"prefer\"", "target_session_attrs = \"primary\"")
    })
    .await;
    let port = "select inet_server_port() || ' ' || pg_is_in_recovery()";
    let primary = world.postgres.address().port();
    assert_eq!(ask(&world, "orders_read", port).await.unwrap(), format!("{primary} false"));

    world.postgres.stop();
    let told = ask(&world, "orders_read", port).await.unwrap_err();
    assert!(told.contains("host 1 of 2: it is a standby"), "{told}");
    assert!(told.contains("host 2 of 2: ") && !told.contains("127.0.0.1"), "{told}");

    standby.query("select pg_promote()").await.unwrap();
    assert_eq!(ask(&world, "orders_read", port).await.unwrap(), format!("{} false", first.port()));
}
