//! Each result belongs to its own statement, whatever is sent in one breath.

use curfew_harness::wire::{message, query};
use curfew_harness::{Person, Wire};
use serde_json::Value;

use super::say::{FLUSH, SYNC, bind, close, describe, execute, parse};
use super::{FULL, events};
use crate::world::World;

/// What the recording says of the session, a line for each statement: what ran, with what, and what came of it.
async fn told(world: &World, erin: &Person, grant: &Value) -> Vec<String> {
    let ended = world.auditor().await.ended(grant["id"].as_str().unwrap()).await;
    let (text, events) = events(erin, ended["session"].as_str().unwrap()).await;
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).cloned().collect::<Vec<_>>();
    let (prepared, results, rows) = (of("prepare"), of("result"), of("row"));
    let plain = |value: &Value| {
        value
            .as_object()
            .map_or_else(|| value.to_string(), |members| members.values().next().unwrap().to_string())
    };
    let list =
        |values: &Value| values.as_array().into_iter().flatten().map(plain).collect::<Vec<_>>().join(",");
    let line = |statement: Value| {
        let text = match statement["text"].as_str() {
            Some(text) => text.to_owned(),
            None => prepared.iter().find(|event| event["prepared"] == statement["prepared"]).unwrap()["text"]
                .as_str()
                .unwrap()
                .to_owned(),
        };
        let mine = |event: &&Value| event["n"] == statement["n"];
        let came: Vec<_> = results
            .iter()
            .filter(mine)
            .map(|event| event["sqlstate"].as_str().or(event["tag"].as_str()).unwrap().to_owned())
            .collect();
        let got: Vec<_> = rows.iter().filter(mine).map(|event| list(&event["values"])).collect();
        let more = statement["continues"].as_u64().map_or_else(String::new, |n| format!(" (more of {n})"));
        format!(
            "{text} [{}]{more} -> {} [{}]",
            list(&statement["parameters"]),
            came.join("; "),
            got.join(" | ")
        )
    };
    let told: Vec<_> = of("statement").into_iter().map(line).collect();
    // Nobody is given what belongs to another: there are no results but those of statements.
    for event in results.iter().chain(&rows) {
        assert!(event["n"].as_u64().is_some_and(|n| (1..=told.len() as u64).contains(&n)), "{event}\n{text}");
    }
    told
}

async fn syncs(wire: &mut Wire, count: usize) {
    for _ in 0..count {
        wire.until(b'Z').await.unwrap();
    }
}

#[tokio::test]
async fn each_result_of_a_pipeline_belongs_to_its_own_statement() {
    let world = World::open(|options| options.contract("orders-now", FULL)).await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.signed_in("erin"));
    let grant = world.grant(&alice, "admin", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "admin").await;
    let number = |n: i32| n.to_be_bytes();
    let run = |n: i32| [bind("", "s", &[Some(&number(n))], 1, 1), execute("", 0)].concat();

    // One named statement many times, in one breath, in binary.
    let asked =
        [parse("s", "select 10 / $1", &[23]), describe(b'S', "s"), run(5), run(2), SYNC.to_vec()].concat();
    // An error in the middle, and what is skipped for it; then what runs again.
    let failing =
        [run(1), run(0), run(3), parse("s2", "select 'skipped'", &[]), SYNC.to_vec(), run(10), SYNC.to_vec()]
            .concat();
    wire.send(&[asked, failing].concat()).await.unwrap();
    syncs(&mut wire, 3).await;

    // A name is closed and stands for another statement at once; the unnamed one is replaced each time.
    let renamed = [
        close(b'S', "s"),
        parse("s", "select 'other' where $1 > 0", &[23]),
        describe(b'S', "s"),
        run(1),
        parse("", "select 'a'", &[]),
        bind("", "", &[], 0, 0),
        execute("", 0),
        parse("", "select 'b'", &[]),
        bind("", "", &[], 0, 0),
        execute("", 0),
        // A Parse that the server refuses leaves the name with what it stood for.
        parse("s", "select 'never'", &[]),
        SYNC.to_vec(),
        run(2),
        SYNC.to_vec(),
    ];
    wire.send(&renamed.concat()).await.unwrap();
    syncs(&mut wire, 2).await;

    // Portals in pieces, two of them in turn, with a Flush and no Sync.
    let rows = |portal| bind(portal, "rows", &[], 0, 0);
    wire.send(&query("begin")).await.unwrap();
    syncs(&mut wire, 1).await;
    let pieces = [
        parse("rows", "select generate_series(1, 3)", &[]),
        rows("p"),
        rows("q"),
        execute("p", 2),
        execute("q", 1),
        FLUSH.to_vec(),
    ];
    wire.send(&pieces.concat()).await.unwrap();
    wire.until(b's').await.unwrap();
    wire.until(b's').await.unwrap();
    wire.send(&[execute("p", 2), execute("q", 0), close(b'P', "p"), SYNC.to_vec(), query("commit")].concat())
        .await
        .unwrap();
    syncs(&mut wire, 2).await;

    // COPY in the extended protocol, its data and the next statement sent along; an empty query; a call by number.
    let copy = [
        parse("", "create temp table t (a int)", &[]),
        bind("", "", &[], 0, 0),
        execute("", 0),
        parse("", "copy t from stdin", &[]),
        bind("", "", &[], 0, 0),
        execute("", 0),
        message(b'd', b"1\n2\n"),
        message(b'c', b""),
        SYNC.to_vec(),
        query("select sum(a) from t; select 'two'"),
        query(""),
        // float8(int8), pg_proc's 482.
        message(
            b'F',
            &[&482_u32.to_be_bytes()[..], &[0, 1, 0, 1, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0]]
                .concat(),
        ),
    ];
    wire.send(&copy.concat()).await.unwrap();
    syncs(&mut wire, 4).await;

    // What SQL prepared and declared, executed by message.
    wire.send(&query("prepare by_sql as select 'sql'; begin; declare c cursor for select 7")).await.unwrap();
    syncs(&mut wire, 1).await;
    let by_sql = [bind("", "by_sql", &[], 0, 0), execute("", 0), execute("c", 0), SYNC.to_vec()];
    wire.send(&by_sql.concat()).await.unwrap();
    syncs(&mut wire, 1).await;
    wire.send(b"X\0\0\0\x04").await.unwrap();

    assert_eq!(
        told(&world, &erin, &grant).await,
        [
            "select 10 / $1 [5] -> SELECT 1 [2]",
            "select 10 / $1 [2] -> SELECT 1 [5]",
            "select 10 / $1 [1] -> SELECT 1 [10]",
            "select 10 / $1 [0] -> 22012 []",
            "select 10 / $1 [3] -> 25P02 []",
            "select 10 / $1 [10] -> SELECT 1 [1]",
            "select 'other' where $1 > 0 [1] -> SELECT 1 [\"other\"]",
            "select 'a' [] -> SELECT 1 [\"a\"]",
            "select 'b' [] -> SELECT 1 [\"b\"]",
            "select 'other' where $1 > 0 [2] -> SELECT 1 [\"other\"]",
            "begin [] -> BEGIN []",
            "select generate_series(1, 3) [] -> (suspended) [\"1\" | \"2\"]",
            "select generate_series(1, 3) [] -> (suspended) [\"1\"]",
            "select generate_series(1, 3) [] (more of 12) -> SELECT 1 [\"3\"]",
            "select generate_series(1, 3) [] (more of 13) -> SELECT 2 [\"2\" | \"3\"]",
            "commit [] -> COMMIT []",
            "create temp table t (a int) [] -> CREATE TABLE []",
            "copy t from stdin [] -> COPY 2 []",
            "select sum(a) from t; select 'two' [] -> SELECT 1; SELECT 1 [\"3\" | \"two\"]",
            " [] -> (empty) []",
            "call of function 482 by number [\"000000000000002a\"] -> (function) [\"42\"]",
            "prepare by_sql as select 'sql'; begin; declare c cursor for select 7 [] -> PREPARE; BEGIN; DECLARE CURSOR []",
            "EXECUTE \"by_sql\" [] -> SELECT 1 [\"sql\"]",
            "FETCH FROM \"c\" [] -> SELECT 1 [\"7\"]",
        ]
    );
}

#[tokio::test]
async fn what_is_copied_and_rows_of_any_length_are_recorded_where_the_contract_says_so() {
    let world = World::open(|options| options.contract("orders-now", FULL)).await;
    let (alice, erin) = tokio::join!(world.signed_in("alice"), world.signed_in("erin"));
    let grant = world.grant(&alice, "admin", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "admin").await;
    wire.send(&query("select 1, repeat('ä', 100000), null, 'last'")).await.unwrap();
    syncs(&mut wire, 1).await;
    wire.send(&query("create temp table t (a int, b text); copy t from stdin")).await.unwrap();
    wire.until(b'G').await.unwrap();
    wire.send(&[message(b'd', b"1\tin\n2\tpassword=hunter2\n"), message(b'c', b"")].concat()).await.unwrap();
    syncs(&mut wire, 1).await;
    wire.send(&query("copy t to stdout")).await.unwrap();
    syncs(&mut wire, 1).await;
    wire.send(&query("select b as passwd from t")).await.unwrap();
    syncs(&mut wire, 1).await;
    wire.send(b"X\0\0\0\x04").await.unwrap();
    let ended = world.auditor().await.ended(grant["id"].as_str().unwrap()).await;
    let (text, events) = events(&erin, ended["session"].as_str().unwrap()).await;
    assert!(!text.contains("hunter2"), "{text}");
    let pieces: Vec<_> = events.iter().filter(|event| event["kind"] == "value").collect();
    let of = |column: u64| pieces.iter().filter(move |event| event["column"] == column);
    let long: Vec<u8> = of(1)
        .flat_map(|event| match event["data"]["base64"].as_str() {
            Some(base64) => data_encoding::BASE64.decode(base64.as_bytes()).unwrap(),
            None => event["data"].as_str().unwrap().as_bytes().to_vec(),
        })
        .collect();
    assert!(long == "ä".repeat(100_000).as_bytes(), "{} bytes", long.len());
    let whole: Vec<_> = [0, 2, 3].into_iter().map(|column| &of(column).next().unwrap()["data"]).collect();
    assert_eq!(whole, [&Value::from("1"), &Value::Null, &Value::from("last")]);
    let copied: Vec<_> = events.iter().filter(|event| event["kind"] == "copy").collect();
    assert_eq!(copied[0]["input"], true);
    assert_eq!(copied[0]["data"], "1\tin\n2\tpassword=***\n");
    let out: String = copied[1..].iter().map(|event| event["data"].as_str().unwrap()).collect();
    assert_eq!(out, "1\tin\n2\tpassword=***\n");
}
