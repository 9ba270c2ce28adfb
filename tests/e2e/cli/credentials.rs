//! Connection credentials, as GUI clients and drivers use them: a user, a password, and no word about Curfew.

use std::path::Path;

use curfew_harness::psql::{Output, output, run};
use curfew_harness::{Browser, Contract, Person, Process, process};
use reqwest::Method;
use serde_json::Value;
use tokio::process::Command;

use crate::world::{LIMIT, NOW, World};

/// A program of libpq that does not call itself psql, as all others.
fn client(uri: &str, sql: &str) -> Command {
    let mut command = process::command("psql", process::Stop::Kill, None);
    command.args(["-X", "-Atc", sql, "-d", uri]).env("PGAPPNAME", "DBeaver").env("LC_ALL", "C.UTF-8");
    command
}

async fn asked(uri: &str, sql: &str) -> Output {
    run(client(uri, sql), LIMIT).await.unwrap()
}

async fn connect(person: &Person) -> Value {
    person.json(["connect", "orders", "--as", "orders_read", "--json"]).await.unwrap()
}

fn uri(told: &Value) -> &str {
    told["uri"].as_str().unwrap()
}

/// The FATAL that is all that a GUI's error box shows.
#[track_caller]
fn told(said: &Output, parts: &[&str]) {
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{}", said.stderr);
    for part in parts {
        assert!(said.stderr.contains(part), "no {part:?} in {}", said.stderr);
    }
}

#[tokio::test]
async fn everything_that_connect_prints_works_as_it_is() {
    let world = World::secure(|options| options.only(Contract::new("orders-now", NOW))).await;
    let alice = world.signed_in("alice").await;
    let told = connect(&alice).await;
    world.grant(&alice, "orders_read", "1h").await;

    let who = "select current_user, current_database()";
    let said = asked(uri(&told), who).await.success().unwrap();
    assert_eq!(said.stdout.trim(), "orders_read|orders");
    // With the password bound to the certificate, there is no need of a file.
    let (user, password) = (&told["credential"]["user"], &told["credential"]["password"]);
    let (user, password) = (user.as_str().unwrap(), password.as_str().unwrap());
    let bound = format!(
        "postgresql://{user}:{password}@{}/orders?sslmode=require&channel_binding=require",
        world.gate.postgres()
    );
    assert_eq!(asked(&bound, who).await.success().unwrap().stdout.trim(), "orders_read|orders");
    // The database by itself, and none at all, as some programs have it.
    let named = bound.replace("/orders?", "/postgres?");
    assert!(asked(&named, who).await.stderr.contains("orders"), "a database that the entry does not name");
    let none = bound.replace("/orders?", "/?");
    assert_eq!(asked(&none, who).await.success().unwrap().stdout.trim(), "orders_read|orders");

    let line = told["psql"].as_str().unwrap();
    let mut shell = process::command("sh", process::Stop::Kill, None);
    shell.args(["-c", &format!("{line} -XAtc '{who}'")]).env("HOME", alice.home());
    assert_eq!(run(shell, LIMIT).await.unwrap().success().unwrap().stdout.trim(), "orders_read|orders");
    let services = alice.home().join("pg_service.conf");
    std::fs::write(&services, told["service"].as_str().unwrap()).unwrap();
    let mut service = client("service=orders", who);
    service.env("PGSERVICEFILE", &services);
    assert_eq!(run(service, LIMIT).await.unwrap().success().unwrap().stdout.trim(), "orders_read|orders");
    assert!(told["jdbc"].as_str().unwrap().starts_with("jdbc:postgresql://127.0.0.1:"), "{told}");

    // The secret is nowhere at the gate.
    assert!(!holds(&world.gate.data(), password.as_bytes()));
    assert!(holds(&world.gate.data(), user.as_bytes()));
    let log = world.gate.logs().unwrap().lines();
    assert!(!log.iter().any(|line| line.text.contains(password)));
}

/// Whether any file below has these bytes in it.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().any(|path| {
        if path.is_dir() {
            return holds(&path, bytes);
        }
        std::fs::read(&path).is_ok_and(|file| file.windows(bytes.len()).any(|part| part == bytes))
    })
}

#[tokio::test]
async fn one_approval_serves_all_connections_of_a_gui_and_denials_and_cuts_are_a_sentence() {
    let world = World::secure(|options| {
        let few = NOW.replace("extend = {", "sessions = 5\nextend = {");
        options.only(Contract::new("orders-now", &few))
    })
    .await;
    let (alice, dave) = (world.signed_in("alice").await, world.signed_in("dave").await);
    let made = connect(&alice).await;
    let uri = uri(&made);
    let ask = world.gate.page("/requests/new?target=orders");
    told(&asked(uri, "select 1").await, &["FATAL", "orders", &ask]);

    let grant = world.grant(&alice, "orders_read", "1h").await;
    let grant = grant["id"].as_str().unwrap();
    let five: Vec<Process> = (0..5)
        .map(|_| Process::spawn("gui", client(uri, "select pg_sleep(600)"), process::Stop::Kill).unwrap())
        .collect();
    let asleep =
        "select count(*) = 5 from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'";
    world.postgres.wait_until(asleep, LIMIT).await.unwrap();
    told(&asked(uri, "select 1").await, &["FATAL", "5 sessions"]);

    dave.json(["revoke", grant, "--reason", "enough", "--json"]).await.unwrap();
    for mut gui in five {
        let said = output(&mut gui, LIMIT).await.unwrap();
        assert!(said.stderr.contains("FATAL") && said.stderr.contains("enough"), "{}", said.stderr);
    }
}

/// Teleport CVE-2025-49825 and 13.4.0: a credential is good for one thing, in one place, as long as its sign-in.
#[tokio::test]
async fn teleport_cve_2025_49825_a_credential_is_worth_nothing_elsewhere_or_afterwards() {
    let world = World::secure(|options| options.only(Contract::new("orders-now", NOW))).await;
    let alice = world.signed_in("alice").await;
    for account in ["orders_read", "orders_write"] {
        world.grant(&alice, account, "1h").await;
    }
    let made = connect(&alice).await;
    let (user, password) = (&made["credential"]["user"], &made["credential"]["password"]);
    let (user, password) = (user.as_str().unwrap(), password.as_str().unwrap());
    let at = world.gate.postgres();
    let with =
        |user: &str, password: &str| format!("postgresql://{user}:{password}@{at}/orders?sslmode=require");
    asked(&with(user, password), "select 1").await.success().unwrap();

    // As another account that alice has access to; with another secret; under a name that there is not.
    told(&asked(&with("orders_write", password), "select 1").await, &["FATAL", "curfew login"]);
    let wrong = asked(&with(user, "wrong"), "select 1").await;
    told(&wrong, &["FATAL", "secret is wrong", "curfew connect"]);
    let unknown = asked(&with("c-aaaaaaaaaaaaaaaa", password), "select 1").await;
    let fatal = |said: &Output| said.stderr.split("FATAL").nth(1).map(str::to_owned);
    assert_eq!(fatal(&wrong), fatal(&unknown));

    // Its secret opens no page of the API, and the token of the API is no secret of it.
    let http = Browser::new().unwrap();
    let request =
        http.request(Method::GET, &world.gate.page("/api/v1/whoami")).unwrap().bearer_auth(password);
    assert_eq!(request.send().await.unwrap().status(), 401);
    let token = std::fs::read_to_string(alice.kept().unwrap().join("token")).unwrap();
    told(&asked(&with(user, token.trim()), "select 1").await, &["secret is wrong"]);

    // Taken away, and at the end of the sign-in.
    let other = connect(&alice).await;
    let listed = alice.json(["credentials", "--json"]).await.unwrap();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    assert!(!listed.to_string().contains(password), "{listed}");
    alice.curfew(["credentials", "revoke", user]).await.unwrap().success().unwrap();
    told(&asked(&with(user, password), "select 1").await, &["secret is wrong"]);
    alice.curfew(["logout"]).await.unwrap().success().unwrap();
    told(&asked(uri(&other), "select 1").await, &["FATAL", "you signed out"]);

    let auditor = world.auditor().await;
    let event = auditor.event("credential.removed", |event| event["credential"] == user).await;
    assert_eq!(event["actor"]["email"], "alice@example.com", "{event}");
    auditor
        .event("credential.made", |event| event["credential"] == user && event["target"] == "orders")
        .await;
}
