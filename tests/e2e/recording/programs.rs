//! Programs that prepare and pipeline by themselves, and what is recorded of them.

use curfew_harness::postgres::program;
use curfew_harness::process::{self, Stop};
use curfew_harness::psql::run;
use curfew_harness::{Person, python, repository};
use serde_json::Value;
use tokio::process::Command;

use super::{FULL, events};
use crate::world::{LIMIT, World};

/// A world where libpq signs in with what `curfew login` wrote.
async fn world() -> World {
    World::secure(|mut options| {
        options.contracts.clear();
        options.contract("orders-now", FULL)
    })
    .await
}

/// A program of libpq's, told by its environment where to go.
fn told(world: &World, alice: &Person, mut command: Command) -> Command {
    let address = world.gate.postgres();
    let file = |name: &str| alice.kept().unwrap().join(name);
    command.env("PGHOST", address.ip().to_string()).env("PGPORT", address.port().to_string());
    command.env("PGUSER", "admin").env("PGDATABASE", "orders").env("PGSSLMODE", "verify-full");
    command.env("PGSSLCERT", file("client.crt")).env("PGSSLKEY", file("client.key"));
    command.env("PGSSLROOTCERT", file("ca.pem"));
    command
}

async fn recorded(world: &World, erin: &Person) -> Vec<Value> {
    let sessions = world.auditor().await.get("/api/v1/sessions?limit=500").await;
    let mut all = Vec::new();
    for session in sessions["items"].as_array().unwrap() {
        all.extend(events(erin, session["id"].as_str().unwrap()).await.1);
    }
    all
}

async fn settled(world: &World) {
    let auditor = world.auditor().await;
    let over = async || {
        let live = auditor.get("/api/v1/sessions?live=true&limit=500").await;
        live["items"].as_array().unwrap().is_empty().then_some(())
    };
    curfew_harness::until("the end of every session", LIMIT, over).await.unwrap();
}

#[tokio::test]
async fn psycopg_in_pipeline_mode_has_each_result_with_its_statement() {
    let world = world().await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.signed_in("erin"));
    world.grant(&alice, "admin", "30m").await;
    let mut command = process::command(python(), Stop::Kill, None);
    command.arg("-B").arg(repository().join("tests/fixtures/recording/pipeline.py"));
    let said = run(told(&world, &alice, command), LIMIT).await.unwrap().success().unwrap();
    assert_eq!(said.stdout.lines().last(), Some("done"), "{said:?}");
    settled(&world).await;
    let events = recorded(&world, &erin).await;
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).cloned().collect::<Vec<_>>();
    let (statements, results, rows) = (of("statement"), of("result"), of("row"));
    let mine =
        |n: &Value, of: &[Value]| of.iter().find(|event| event["n"] == *n).cloned().unwrap_or_default();
    // A hundred executions, each with its square.
    let squares: Vec<_> = statements
        .iter()
        .filter(|event| event["parameters"].as_array().is_some_and(|list| list.len() == 2))
        .collect();
    assert_eq!(squares.len(), 100);
    for (n, square) in squares.iter().enumerate() {
        let n = i64::try_from(n).unwrap();
        assert_eq!(square["parameters"][0]["integer"], n, "{square}");
        assert_eq!(
            square["parameters"][1]["text"],
            format!("2026-11-22 06:40:00.0000{n:02}").trim_end_matches('0').trim_end_matches('.'),
            "{square}"
        );
        assert_eq!(mine(&square["n"], &rows)["values"][0]["integer"], n * n);
        assert_eq!(mine(&square["n"], &results)["tag"], "SELECT 1");
    }
    // One failed, and what was queued behind it did not run.
    let states: Vec<_> = results.iter().filter_map(|event| event["sqlstate"].as_str()).collect();
    assert_eq!(states, ["22012", "25P02"]);
}

#[tokio::test]
async fn pgbench_with_prepared_statements_has_every_execution_on_record() {
    let world = world().await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.signed_in("erin"));
    world.grant(&alice, "admin", "30m").await;
    let script = alice.home().join("bench.sql");
    std::fs::write(&script, "\\set n random(1, 1000)\nselect :n + 1 as next;\n").unwrap();
    let mut command = process::command(program("pgbench").unwrap(), Stop::Kill, None);
    command.args(["-n", "-M", "prepared", "-c", "2", "-t", "50", "-f"]).arg(&script);
    run(told(&world, &alice, command), LIMIT).await.unwrap().success().unwrap();
    settled(&world).await;
    let events = recorded(&world, &erin).await;
    let mut executions = 0;
    for (at, event) in
        events.iter().enumerate().filter(|(_, event)| event["prepared"].is_number() && event["n"].is_number())
    {
        let n: i64 = event["parameters"][0]["text"].as_str().unwrap().parse().unwrap();
        let behind = &events[at..];
        let row = behind.iter().find(|row| row["kind"] == "row" && row["n"] == event["n"]).unwrap();
        assert_eq!(row["values"][0]["text"], (n + 1).to_string());
        executions += 1;
    }
    assert_eq!(executions, 100);
    let prepared = events.iter().filter(|event| event["kind"] == "prepare").count();
    assert_eq!(prepared, 2, "once in each session");
}
