//! What a recording holds of a session, what it must not hold, and what a crash leaves of it.

use std::time::{Duration, Instant};

use curfew_harness::wire::{message, query};
use curfew_harness::{Person, Wire, python, repository, until};
use serde_json::Value;
use tokio::process::Command;

use crate::world::{LIMIT, NOW, World};

mod masking;
mod pipelines;
mod programs;
mod say;
mod script;
mod values;

/// [`NOW`], with everything recorded.
const FULL: &str = r#"
[contract]
name = "orders-now"
description = "Anything on the orders database, at once and on record"

[who]
groups = ["sre"]

[what]
targets = { names = ["orders"] }
accounts = ["orders_read", "orders_write", "admin"]

[when]
duration = { default = "30m", max = "4h" }

[record]
parameters = "full"
results = "full"
"#;

/// Parse, Bind with text parameters, Describe, Execute and Sync of the unnamed statement.
fn extended(sql: &str, parameters: &[&str]) -> Vec<u8> {
    let text = |text: &str| [text.as_bytes(), &[0]].concat();
    let parse = [text(""), text(sql), vec![0, 0]].concat();
    let mut bind = [text(""), text(""), vec![0, 0, 0, u8::try_from(parameters.len()).unwrap()]].concat();
    for parameter in parameters {
        bind.extend(u32::try_from(parameter.len()).unwrap().to_be_bytes());
        bind.extend(parameter.as_bytes());
    }
    bind.extend([0, 0]);
    let execute = [text(""), vec![0; 4]].concat();
    let parts = [(b'P', parse), (b'B', bind), (b'D', b"P\0".to_vec()), (b'E', execute), (b'S', Vec::new())];
    parts.iter().flat_map(|(tag, body)| message(*tag, body)).collect()
}

async fn run(wire: &mut Wire, bytes: &[u8]) {
    wire.send(bytes).await.unwrap();
    wire.until(b'Z').await.unwrap();
}

/// The recorded events of a session.
async fn events(erin: &Person, id: &str) -> (String, Vec<Value>) {
    let text = erin.curfew(["sessions", "export", id]).await.unwrap().success().unwrap().stdout;
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (text, events)
}

/// Both verifiers on the sealed recording and on the audit log, as the gate gives them out.
async fn verified(world: &World, erin: &Person, id: &str) {
    let folder = erin.home().join("verify");
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (recording, log, key) = (path("r.curfew"), path("audit.jsonl"), path("key.pem"));
    let (checkpoints, later) = (path("c.jsonl"), path("later.jsonl"));
    let export = async |to: &str| {
        erin.curfew(["audit", "export", "--checkpoints", "-o", to]).await.unwrap().success().unwrap();
    };
    // Before the log, which goes on meanwhile.
    export(&checkpoints).await;
    erin.curfew(["sessions", "export", id, "--sealed", "-o", &recording]).await.unwrap().success().unwrap();
    erin.curfew(["audit", "export", "-o", &log]).await.unwrap().success().unwrap();
    erin.curfew(["sessions", "verify", &recording]).await.unwrap().success().unwrap();
    erin.curfew(["audit", "verify"]).await.unwrap().success().unwrap();
    let keys = world.auditor().await.get("/api/v1/keys").await;
    std::fs::write(&key, keys[0]["pem"].as_str().unwrap_or_else(|| panic!("no key: {keys}"))).unwrap();
    let second = async |what: &str, file: &str, checkpoints: &str| {
        let script = repository().join("tests/verifier/verify.py");
        let mut command = Command::new(python());
        command.arg(script).args([what, file, "--key", &key, "--checkpoint", checkpoints]);
        let output = command.output().await.unwrap();
        (
            output.status.code(),
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
        )
    };
    for (what, file) in [("recording", &recording), ("audit", &log)] {
        let (code, said) = second(what, file, &checkpoints).await;
        assert_eq!(code, Some(0), "{what}: {said}");
        // Cut short, and it says so: the log once a checkpoint covers what is missing, the recording by one byte.
        let whole = std::fs::read(file).unwrap();
        let short = format!("{file}.short");
        let third = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(2);
        let end = if what == "audit" { third.unwrap().0 + 1 } else { whole.len() - 1 };
        std::fs::write(&short, &whole[..end]).unwrap();
        let told = async || {
            export(&later).await;
            (second(what, &short, &later).await.0 == Some(1)).then_some(())
        };
        until(&format!("shortened {what} to be refused"), LIMIT, told).await.unwrap();
    }
}

#[tokio::test]
async fn statements_parameters_rows_and_errors_are_recorded_and_secrets_are_not() {
    let contract = NOW.replace("parameters = \"full\"", "parameters = \"full\"\nmask = ['(?i)iban']");
    let world = World::open(|mut options| {
        options.record = "checkpoint = { file = \"data/checkpoints.jsonl\", every = \"1s\" }\n".to_owned();
        options.contract("orders-now", &contract)
    })
    .await;
    let (alice, erin, auditor) =
        tokio::join!(world.signed_in("alice"), world.signed_in("erin"), world.auditor());
    let grant = world.grant(&alice, "admin", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "admin").await;
    run(&mut wire, &query("select id, status from orders where id <= 7")).await;
    run(&mut wire, &extended("select name from customers where country = $1 and id < $2", &["DE", "40"]))
        .await;
    run(&mut wire, &query("select 1/0")).await;
    run(&mut wire, &query("copy (select id from orders where id <= 100) to stdout")).await;
    wire.query("copy items (order_id, product_id, quantity) from stdin").await.unwrap();
    wire.until(b'G').await.unwrap();
    let rows = "1\t79\t1\n2\t79\t1\n";
    run(&mut wire, &[message(b'd', rows.as_bytes()), message(b'c', b"")].concat()).await;
    run(&mut wire, &query("alter role orders_write password 'hunter-two'")).await;
    run(&mut wire, &query("alter role nobody_here password 'hunter-three'")).await;
    run(&mut wire, &query("create table p (t text); insert into p values ('password=hunter-four')")).await;
    run(&mut wire, &query("select 'hunter-five from here on does not lex")).await;
    run(&mut wire, &query("select * from customers where iban = 'DE00hunter6'")).await;
    run(&mut wire, &extended("select 1 from customers where iban = $1", &["DE00hunter7"])).await;
    wire.send(b"X\0\0\0\x04").await.unwrap();
    let ended = auditor.ended(grant["id"].as_str().unwrap()).await;
    let id = ended["session"].as_str().unwrap();

    let (text, events) = events(&erin, id).await;
    for secret in ["hunter-two", "hunter-three", "hunter-four", "hunter-five"] {
        assert!(!text.contains(secret), "{secret} is in the recording:\n{text}");
    }
    let find = |wanted: &str| {
        let with = |event: &&Value| event.to_string().contains(wanted);
        events.iter().find(with).unwrap_or_else(|| panic!("nothing about {wanted} in\n{text}"))
    };
    let result = |of: &Value| {
        let mine = |event: &&Value| {
            event["n"] == of["n"] && (event.get("rows").is_some() || event.get("sqlstate").is_some())
        };
        events.iter().find(mine).unwrap_or_else(|| panic!("no result of {of} in\n{text}"))
    };
    let simple = find("select id, status from orders where id <= 7");
    let done = result(simple);
    assert_eq!((done["rows"].as_u64(), done["tag"].as_str()), (Some(7), Some("SELECT 7")), "{done}");
    assert!(done["micros"].as_u64().is_some_and(|micros| micros > 0), "{done}");
    // The extended protocol: the text once, and the values with each execution.
    find("select name from customers where country = $1 and id < $2");
    let executed = find("\"DE\"");
    assert!(executed["parameters"].to_string().contains("40"), "{executed}");
    assert_eq!(result(executed)["sqlstate"], Value::Null);
    let failed = result(find("select 1/0"));
    assert_eq!(failed["sqlstate"], "22012", "{failed}");
    let out = result(find("to stdout"));
    assert!(out["bytes"].as_u64().unwrap() >= 292, "{out}");
    let copied = result(find("from stdin"));
    assert_eq!(
        (copied["copy_in"].as_u64(), copied["tag"].as_str()),
        (Some(rows.len() as u64), Some("COPY 2")),
        "{copied}"
    );
    // Masked, and still there to be seen.
    find("alter role orders_write password");
    assert_eq!(result(find("alter role nobody_here password"))["sqlstate"], "42704");
    // What the owner of the contract named.
    assert!(!text.contains("hunter6") && !text.contains("hunter7"), "iban is in the recording:\n{text}");
    verified(&world, &erin, id).await;
}

#[tokio::test]
async fn parameters_are_recorded_as_far_as_the_contract_says() {
    for (policy, types) in [("types", true), ("none", false)] {
        let contract = NOW.replace("parameters = \"full\"", &format!("parameters = \"{policy}\""));
        let world = World::open(|options| options.contract("orders-now", &contract)).await;
        let (alice, erin, auditor) =
            tokio::join!(world.signed_in("alice"), world.signed_in("erin"), world.auditor());
        let grant = world.grant(&alice, "orders_read", "30m").await;
        let mut wire = world.signed_in_wire(&alice, "orders_read").await;
        run(&mut wire, &extended("select name from customers where name = $1", &["a very private name"]))
            .await;
        wire.send(b"X\0\0\0\x04").await.unwrap();
        let ended = auditor.ended(grant["id"].as_str().unwrap()).await;
        let (text, events) = events(&erin, ended["session"].as_str().unwrap()).await;
        assert!(!text.contains("a very private name"), "{policy}: {text}");
        let typed = serde_json::json!([{ "typed": { "type": "unknown", "length": 19 } }]);
        let lengths = events.iter().any(|event| event["parameters"] == typed);
        assert_eq!(lengths, types, "{policy}: {text}");
    }
}

#[tokio::test]
async fn a_crash_in_mid_traffic_loses_at_most_the_last_second() {
    let mut world = World::open(|mut options| {
        options.record = "checkpoint = { file = \"data/checkpoints.jsonl\", every = \"1s\" }\n".to_owned();
        options
    })
    .await;
    let (alice, auditor) = tokio::join!(world.signed_in("alice"), world.auditor());
    let grant = world.grant(&alice, "orders_read", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;
    let started = auditor.event("session.started", |event| event["grant"] == grant["id"]).await;
    let id = started["session"].as_str().unwrap().to_owned();
    // Numbered statements without a pause, for as long as a few chunks take.
    let mut answered = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(3500) {
        let n = answered.len();
        run(&mut wire, &query(&format!("select 'number {n}.'"))).await;
        answered.push(Instant::now());
    }
    wire.send(&query("select 'the last one', pg_sleep(600)")).await.unwrap();
    let killed = Instant::now();
    world.gate.kill9().await.unwrap();
    world.gate.restart().await.unwrap();

    let ended = auditor.ended(grant["id"].as_str().unwrap()).await;
    assert_eq!(ended["reason"], "interrupted", "{ended}");
    let erin = world.signed_in("erin").await;
    let (text, _) = events(&erin, &id).await;
    let kept = (0..answered.len()).take_while(|n| text.contains(&format!("number {n}."))).count();
    let safe = answered.iter().filter(|at| killed.duration_since(**at) > Duration::from_secs(1)).count();
    assert!(safe > 10, "only {safe} statements ran");
    assert!(
        kept >= safe,
        "{kept} of {} statements are left, and {safe} are older than a second",
        answered.len()
    );
    // Nothing is there twice, and nothing after a gap.
    assert_eq!((0..answered.len()).filter(|n| text.contains(&format!("number {n}."))).count(), kept);
    verified(&world, &erin, &id).await;
    tokio::time::timeout(LIMIT, world.signed_in_wire(&alice, "orders_read")).await.unwrap();
}
