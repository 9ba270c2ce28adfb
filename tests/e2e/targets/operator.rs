//! What an operator types: `targets add-postgres` for a server that is to be reached through the gate alone, and `targets
//! check` to see that it is. Lessons: `ALTER ROLE … PASSWORD`, and the holder of an account walks around the gate.

use curfew_harness::psql::Output;
use curfew_harness::{GateOptions, Psql};

use super::{address, entry};
use crate::world::World;

/// A password that the gate does not know.
const OWN: &str = "one of my own";

async fn world() -> World {
    World::open(|options: GateOptions| {
        let tap = address(&options);
        entry(options, &tap, "mode = \"require\"", "")
    })
    .await
}

/// psql straight to the server, past the gate, with the holder's own password. The server sees 127.0.0.1 as of the gate, so
/// from there nothing is proved: it goes by the socket's folder, or from another address by a tap.
async fn past_the_gate(world: &World, host: &str, password: &str) -> Output {
    let port = world.postgres.address().port().to_string();
    let psql = Psql::to(world.postgres.address()).user("orders_read").database("orders").password(password);
    let psql = psql.param("host", host).param("port", &port).param("sslmode", "prefer");
    psql.run(["-Atc", "select 'around'"]).await.unwrap()
}

/// The check with a configuration that leads to the server itself: a tap in between would come from its own address.
async fn check(world: &World, more: &[&str]) -> Output {
    let config = world.gate.config();
    let direct = config.with_file_name("direct.toml");
    let (tap, postgres) = (world.target_side.address().to_string(), world.postgres.address().to_string());
    std::fs::write(&direct, std::fs::read_to_string(&config).unwrap().replace(&tap, &postgres)).unwrap();
    let args = ["targets", "check", "orders", "--config", direct.to_str().unwrap()];
    world.gate.curfew([&args[..], more].concat()).await.unwrap()
}

#[tokio::test]
async fn the_lines_of_add_postgres_leave_no_way_in_but_the_gate_and_check_says_so() {
    let world = world().await;
    let postgres = &world.postgres;
    // As servers are: whoever has a password gets in from anywhere, and by the socket.
    postgres.admit("host all all all scram-sha-256").await.unwrap();
    let elsewhere = curfew_harness::Tap::start_from("127.0.0.2".parse().unwrap(), postgres.address()).await;
    let elsewhere = elsewhere.unwrap();

    let alice = world.signed_in("alice").await;
    world.grant(&alice, "orders_read", "30m").await;
    let mut session = world.signed_in_wire(&alice, "orders_read").await;
    session.query(&format!("alter role orders_read password '{OWN}'")).await.unwrap();
    session.until(b'Z').await.unwrap();
    let direct = Psql::to(elsewhere.address()).user("orders_read").database("orders").password(OWN);
    let around = direct.run(["-Atc", "select 'around'"]).await.unwrap();
    assert_eq!(around.stdout, "around\n", "{}", around.stderr);
    let secret = curfew_harness::postgres::password("orders_read");
    postgres.query(&format!("alter role orders_read password '{secret}'")).await.unwrap();

    let open = check(&world, &["--as", "orders_read"]).await;
    assert_eq!(open.code, Some(1), "{}{}", open.stdout, open.stderr);
    for told in [
        "ok    orders_read: the gate is let in (SCRAM-SHA-256-PLUS)",
        "OPEN  orders_read: is let in from 127.0.0.2 too (pg_hba.conf)",
        "OPEN  orders_read: may give itself another password",
        "OPEN  its certificate is not checked",
    ] {
        assert!(open.stdout.contains(told), "{told}: {}", open.stdout);
    }
    assert!(open.stderr.contains("add-postgres"), "{}", open.stderr);

    // The lines, as they are told to be pasted: at the top, before what was there.
    let asked = ["targets", "add-postgres", "orders", "db.internal", "--from", "127.0.0.1", "--json"];
    let accounts = ["--as", "orders_read", "--as", "orders_write"];
    let said = world.gate.curfew([&asked[..], &accounts].concat()).await.unwrap().success().unwrap();
    let lines: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let pasted = lines["pg_hba_conf"].as_str().unwrap();
    let file = postgres.folder().join("data/pg_hba.conf");
    std::fs::write(&file, format!("{pasted}local all all trust\nhost all all all scram-sha-256\n")).unwrap();
    postgres.reload().await.unwrap();

    // Through the gate as before, and a password of one's own is worth nothing.
    session.query(&format!("alter role orders_read password '{OWN}'")).await.unwrap();
    session.until(b'Z').await.unwrap();
    for (way, refused) in [
        ("from another address", direct.run(["-Atc", "select 'around'"]).await.unwrap()),
        ("by the socket", past_the_gate(&world, postgres.socket().to_str().unwrap(), OWN).await),
    ] {
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{way}: {}", refused.stderr);
        assert!(refused.stderr.contains("pg_hba.conf rejects"), "{way}: {}", refused.stderr);
    }
    postgres.query(&format!("alter role orders_read password '{secret}'")).await.unwrap();
    let mut again = world.signed_in_wire(&alice, "orders_read").await;
    again.query("select 'through'").await.unwrap();
    let rows = again.until(b'Z').await.unwrap();
    assert!(format!("{rows:?}").contains("through"), "{rows:?}");

    // The accounts of the lines are told as closed; what can't be seen is told too.
    let closed = check(&world, &["--as", "orders_read"]).await;
    assert!(closed.stdout.contains("ok    orders_read: is refused from 127.0.0.2"), "{}", closed.stdout);
    assert!(closed.stderr.contains("no account may read pg_hba_file_rules"), "{}", closed.stderr);
    assert_eq!(closed.stdout.matches("OPEN").count(), 1, "only TLS is left: {}", closed.stdout);
    // With an account that may read the rules, it is known.
    let all = check(&world, &[]).await;
    for told in [
        "ok    orders_read: is let in by no line of pg_hba.conf but the gate's",
        "ok    orders_read: may give itself another password, as every role may (ALTER ROLE … PASSWORD), and get in with \
         it nowhere but through the gate",
        "OPEN  admin: is a superuser, so no rule of this server holds it",
        "OPEN  admin: is let in from everywhere by scram-sha-256 (pg_hba.conf, line ",
        "OPEN  admin: is let in from the server's own machine by trust (pg_hba.conf, line ",
    ] {
        assert!(all.stdout.contains(told), "{told}: {}", all.stdout);
    }
}

#[tokio::test]
async fn the_sql_of_add_postgres_makes_accounts_without_further_rights() {
    let world = world().await;
    let asked = [
        "targets",
        "add-postgres",
        "orders",
        "--from",
        "127.0.0.1",
        "--as",
        "fresh",
        "--certificate",
        "--json",
    ];
    let said = world.gate.curfew(asked).await.unwrap().success().unwrap();
    let lines: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    world.postgres.query(lines["sql"].as_str().unwrap()).await.unwrap();
    let made = "select rolcanlogin, rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls, \
        rolpassword is null from pg_authid where rolname = 'fresh'";
    let row = world.postgres.query(made).await.unwrap().remove(0);
    assert_eq!([row.text(0), row.text(1), row.text(2)], [Some("t"), Some("f"), Some("t")]);
}

#[tokio::test]
async fn check_tells_rights_old_passwords_and_trust() {
    let world = world().await;
    let postgres = &world.postgres;
    let rights = "alter role orders_read createrole replication bypassrls; \
        grant pg_execute_server_program, pg_read_server_files, pg_signal_backend to orders_read; \
        create role helper superuser; grant helper to orders_write";
    postgres.query(rights).await.unwrap();
    let told = check(&world, &["--as", "orders_read", "--from", "127.0.0.3"]).await;
    assert_eq!(told.code, Some(1), "{}{}", told.stdout, told.stderr);
    for word in [
        "(CREATEROLE)",
        "(REPLICATION)",
        "(BYPASSRLS)",
        "pg_execute_server_program",
        "pg_read_server_files",
        "pg_signal_backend",
        "is refused from 127.0.0.3",
    ] {
        assert!(told.stdout.contains(word), "{word}: {}", told.stdout);
    }
    let told = check(&world, &["--as", "orders_write"]).await;
    assert!(
        told.stdout.contains(
            "orders_write: is a superuser, so no rule of this server holds it, by way of the role helper"
        ),
        "{}",
        told.stdout
    );

    let secret = curfew_harness::postgres::password("orders_read");
    let old = format!(
        "set password_encryption = 'md5'; alter role orders_read password '{secret}'; \
         alter role orders_read nocreaterole noreplication nobypassrls"
    );
    postgres.query(&old).await.unwrap();
    postgres.admit("host all all 127.0.0.1/32 md5").await.unwrap();
    let told = check(&world, &["--as", "orders_read"]).await;
    assert!(
        told.stdout.contains("OPEN  orders_read: the gate is not let in: it asks for MD5"),
        "{}",
        told.stdout
    );
    let config = world.gate.config();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("labels = {", "auth = \"md5\"\nlabels = {")).unwrap();
    let told = check(&world, &["--as", "orders_read"]).await;
    assert!(
        told.stdout.contains("OPEN  orders_read: its password is kept and proved as MD5"),
        "{}",
        told.stdout
    );
    postgres.admit("host all all 127.0.0.1/32 trust").await.unwrap();
    let told = check(&world, &["--as", "orders_read"]).await;
    assert!(told.stdout.contains("is let in without any proof (pg_hba.conf: trust)"), "{}", told.stdout);
}
