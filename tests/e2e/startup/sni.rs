//! A target by a host of its own: `TARGET.HOST` in the place of `-d TARGET`.

use curfew_harness::Psql;

use crate::cli::plain_psql;
use crate::world::{NOW, World};

#[tokio::test]
async fn a_target_is_named_by_its_host_and_the_database_is_the_database() {
    let world = World::secure(|mut options| {
        options.contracts.clear();
        options.server = "names = [\"gate.example.com\"]\n".to_owned();
        options.contract("orders-now", NOW)
    })
    .await;
    let alice = world.signed_in("alice").await;
    world.grant(&alice, "orders_read", "30m").await;
    let signed_in = plain_psql(&alice).await;
    let to = |host: &str, database: &str| -> Psql {
        let psql = signed_in.clone().param("host", host).param("hostaddr", "127.0.0.1");
        psql.param("sslmode", "verify-full").database(database)
    };
    let ask = ["-Atc", "select current_database() || ' ' || current_user"];
    // The certificate is good for the target's own host, and the database is the target's.
    for (host, database) in [
        ("orders.gate.example.com", "orders"),
        ("orders.gate.example.com", "orders/orders"),
        ("gate.example.com", "orders"),
        ("gate.example.com", "orders/orders"),
    ] {
        let said = to(host, database).run(ask).await.unwrap().success();
        let said = said.unwrap_or_else(|error| panic!("{host} {database}: {error}"));
        assert_eq!(said.stdout, "orders orders_read\n", "{host} {database}");
    }
    for (host, database, told) in [
        (
            "orders.gate.example.com",
            "billing/orders",
            "the host names the target orders, and the database the target billing",
        ),
        ("orders.gate.example.com", "postgres", "that you may reach or ask for"),
        ("nothing.gate.example.com", "orders", "that you may reach or ask for"),
    ] {
        let said = to(host, database).run(ask).await.unwrap();
        assert_eq!(said.code, Some(2), "{}", said.stdout);
        assert!(said.stderr.contains(told), "{host} {database}: {}", said.stderr);
    }
    // One label below is covered, and no more.
    let said = to("a.orders.gate.example.com", "orders").run(ask).await.unwrap();
    assert!(said.code == Some(2) && said.stderr.contains("certificate"), "{}", said.stderr);
}
