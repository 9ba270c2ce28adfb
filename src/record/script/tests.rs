//! The script says what happened, and runs nothing else.

use super::*;
use serde_json::json;

fn script(events: &[Value]) -> String {
    let mut script = Script::default();
    let mut out = String::new();
    for event in events {
        let mut event = event.clone();
        event["at"] = json!(1_763_758_380_123_456_i64);
        out += &script.of(&Told::read(event));
    }
    out + &script.end()
}

fn ran(text: &str) -> Vec<Value> {
    vec![
        json!({ "kind": "statement", "n": 1, "text": text }),
        json!({ "kind": "result", "n": 1, "tag": "DONE", "rows": 0, "bytes": 0, "micros": 1 }),
    ]
}

/// What psql would do something with.
fn live(script: &str) -> Vec<&str> {
    script.lines().filter(|line| !line.starts_with("--") && !line.is_empty()).collect()
}

#[test]
fn a_session_is_told_in_order() {
    let who = json!({ "id": "i", "email": "alice@example.com", "name": "Alice" });
    let told = script(&[
        json!({ "kind": "session", "identity": who, "protocol": "postgres", "target": "orders", "account": "admin" }),
        json!({ "kind": "statement", "n": 1, "text": "SELECT 1 AS a; SELECT 2" }),
        json!({ "kind": "prepare", "prepared": 1, "name": "s", "text": "SELECT $1 + $2, $3", "types": ["int4", "unknown", "type 600"] }),
        json!({ "kind": "statement", "n": 2, "prepared": 1, "parameters": [{ "integer": -7 }, "null", { "text": "it's\n\\x" }] }),
        json!({ "kind": "result", "n": 1, "tag": "SELECT 1", "rows": 1, "bytes": 7, "micros": 1234 }),
        json!({ "kind": "result", "n": 1, "tag": "SELECT 1", "rows": 1, "bytes": 7, "micros": 2345 }),
        json!({ "kind": "result", "n": 2, "tag": "(suspended)", "rows": 1, "bytes": 9, "micros": 99 }),
        json!({ "kind": "statement", "n": 3, "prepared": 1, "continues": 2 }),
        json!({ "kind": "result", "n": 3, "tag": "SELECT 1", "rows": 1, "bytes": 9, "micros": 98 }),
        json!({ "kind": "statement", "n": 4, "text": "SELECT 1/0\n-- why" }),
        json!({ "kind": "result", "n": 4, "rows": 0, "bytes": 0, "micros": 5, "sqlstate": "22012", "error": "division\nby zero" }),
        json!({ "kind": "statement", "n": 5, "text": "COMMIT" }),
        json!({ "kind": "result", "n": 5, "tag": "ROLLBACK", "rows": 0, "bytes": 0, "micros": 5 }),
        json!({ "kind": "statement", "n": 6, "text": "SELECT pg_sleep(600) -- long" }),
        json!({ "kind": "goodbye", "message": "curfew: over\n\\! id" }),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn nothing_becomes_a_command_of_psqls() {
    for hostile in [
        r"SELECT 1 \! id",
        "SELECT 1\n\\! id",
        r"SELECT '\' \! id '",
        "SELECT 1 \\gexec",
        "SELECT :'HOME', :\"x\", :x, :{?x}",
        "SELECT a[1:n]",
        "COPY t FROM STDIN",
        "SELECT 'open \\! id",
        "SELECT $$ open \\! id",
        "SELECT /* open \\! id",
        "SELECT '\u{1b}[2J'",
        "SELECT 1\r\\! id",
        "ALTER ROLE b PASSWORD '***'",
    ] {
        let told = script(&ran(hostile));
        assert_eq!(live(&told), [""; 0], "{hostile:?} became\n{told}");
    }
    // In names, types, tags, errors, parameters.
    let evil = "x\n\\! id\r\\! id";
    let told = script(&[
        json!({ "kind": "session", "identity": { "email": evil }, "protocol": evil, "target": evil, "account": evil }),
        json!({ "kind": "prepare", "prepared": 1, "name": evil, "text": "SELECT $1", "types": [evil] }),
        json!({ "kind": "statement", "n": 1, "prepared": 1, "parameters": [{ "text": evil }] }),
        json!({ "kind": "result", "n": 1, "tag": evil, "rows": 0, "bytes": 0, "micros": 1 }),
        json!({ "kind": "statement", "n": 2, "prepared": 1, "parameters": [{ "hex": evil }] }),
        json!({ "kind": "result", "n": 2, "rows": 0, "bytes": 0, "micros": 1, "sqlstate": evil, "error": evil }),
        json!({ "kind": "goodbye", "message": evil }),
    ]);
    assert_eq!(
        live(&told),
        [
            "PREPARE curfew_1 (unknown) AS",
            "SELECT $1;",
            r"EXECUTE curfew_1 (E'x\u000a\\! id\u000d\\! id');",
            "DEALLOCATE curfew_1;"
        ],
        "{told}"
    );
}

#[test]
fn what_is_harmless_runs_as_it_was() {
    for (text, lines) in [
        ("SELECT 1", &["SELECT 1;"][..]),
        ("SELECT 1;  ", &["SELECT 1;"]),
        ("SELECT 1 -- why", &["SELECT 1 -- why", ";"]),
        (
            r"SELECT '\d', x::text, a[1:2], f(a := 1) /* \! */",
            &[r"SELECT '\d', x::text, a[1:2], f(a := 1) /* \! */", ";"],
        ),
        ("DO $$ BEGIN\n  NULL;\nEND $$", &["DO $$ BEGIN", "  NULL;", "END $$;"]),
        ("  ", &[]),
        ("-- nothing", &["-- nothing", ";"]),
    ] {
        let told = script(&ran(text));
        let live: Vec<_> = told.lines().skip(2).filter(|line| *line != "-- an empty statement").collect();
        assert_eq!(live, lines, "{text:?}");
    }
}
