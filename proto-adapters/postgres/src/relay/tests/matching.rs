//! Each result goes to its own statement, and a name stands for what the target takes it for.

use super::scene::{Scene, scene, with};
use crate::codec::frame::Head;
use crate::codec::{backend, frontend};
use crate::relay::fault::Fault;
use crate::relay::pump::{Inspector, Look, Verdict};
use crate::relay::results::FromTarget;
use crate::relay::statements::FromClient;
use curfew_adapter::ParameterPolicy;
use serde_json::{Value, json};

fn ok(n: u64) -> (u64, Option<String>) {
    (n, None)
}

fn failed(n: u64) -> (u64, Option<String>) {
    (n, Some("23505".to_owned()))
}

fn not_run(n: u64) -> (u64, Option<String>) {
    (n, Some("25P02".to_owned()))
}

#[test]
fn a_query_of_several_commands_has_several_results() {
    let mut scene = scene();
    scene.query("a; b; c").query("d").answers("TDDCICZCZ");
    assert_eq!(scene.results(), [ok(1), ok(1), ok(1), ok(2)]);
    assert_eq!(scene.sink.of_kind("result")[0]["rows"], 2);
    assert_eq!(scene.statements.outstanding(), (None, false));
}

#[test]
fn what_an_error_skips_is_said_not_to_have_run() {
    let mut scene = scene();
    scene.parse("", "a").bind("", "").execute("").bind("", "").execute("").sync();
    assert_eq!(scene.statements.outstanding().0.as_deref(), Some("statement 1"));
    scene.query("next").answers("12EZCZ");
    assert_eq!(scene.results(), [failed(1), not_run(2), ok(3)]);
    assert_eq!(scene.statements.outstanding(), (None, false));
}

/// A constant division by zero fails at the Bind, a slip of the pen at the Parse.
#[test]
fn an_error_before_the_execute_is_that_of_its_statement() {
    for answers in ["EZ", "1EZ", "12EZ"] {
        let mut scene = scene();
        scene.parse("", "select 1/0").bind("", "").client(frontend::DESCRIBE, b"P\0").execute("");
        scene.parse("", "b").bind("", "").execute("").sync().answers(answers);
        assert_eq!(scene.results(), [failed(1), not_run(2)], "{answers}");
    }
    // Nothing of it was executed, and what is executed behind it is another one.
    let mut scene = scene();
    scene.parse("a", "select 1/0").parse("", "b").bind("", "").execute("").sync().answers("EZ");
    assert_eq!(scene.results(), [not_run(1)]);
    let told = &scene.sink.of_kind("unprepared")[0];
    assert_eq!((&told["prepared"], &told["sqlstate"]), (&json!(1), &json!("23505")));
}

#[test]
fn what_is_sent_after_an_error_and_before_its_sync_does_not_run() {
    let mut scene = scene();
    scene.parse("", "a").bind("", "").execute("").answers("12E");
    scene.bind("", "").execute("").query("skipped too").sync().answers("Z").query("runs").answers("CZ");
    assert_eq!(scene.results(), [failed(1), not_run(2), not_run(3), ok(4)]);
}

#[test]
fn a_refused_parse_leaves_its_name_with_what_it_stood_for() {
    let mut scene = scene();
    scene.parse("s", "delete from t").sync().answers("1Z");
    scene.parse("s", "select 1").sync().answers("EZ");
    scene.bind("", "s").execute("").sync().answers("2CZ");
    assert_eq!(scene.last(), 1);
}

#[test]
fn a_skipped_parse_leaves_its_name_with_what_it_stood_for() {
    for name in ["", "s"] {
        let mut scene = scene();
        scene.parse(name, "delete from t").sync().answers("1Z");
        scene.bind("", "no such").parse(name, "select 1").parse(name, "select 2").sync().answers("EZ");
        scene.bind("", name).execute("").sync().answers("2CZ");
        assert_eq!(scene.last(), 1, "{name:?}");
        // And one that is sent when the error is known already.
        scene.bind("", "no such").answers("E").parse(name, "select 3").sync().answers("Z");
        scene.bind("", name).execute("");
        assert_eq!(scene.last(), 1, "{name:?}");
    }
}

/// Else a recording would say `select` where the server runs the `delete`.
#[test]
fn a_bind_waits_where_its_name_depends_on_an_answer() {
    let bind = |name: &str| format!("\0{name}\0\0\0\0\0\0\0").into_bytes();
    let later = |scene: &mut Scene, name: &str| {
        FromClient(&mut scene.statements).message(frontend::BIND, &bind(name))
    };
    // Refused, because the name is taken; skipped, with the Close before it; renamed by SQL.
    for way in 0..3 {
        let mut scene = scene();
        scene.parse("s", "delete from t").sync().answers("1Z");
        match way {
            0 => scene.parse("s", "select 1").sync(),
            1 => scene.bind("", "none").client(frontend::CLOSE, b"Ss\0").parse("s", "select 1").sync(),
            _ => scene.query("deallocate s; Prepare s as select 1"),
        };
        assert_eq!(later(&mut scene, "s"), Ok(Verdict::Later), "{way}");
        if way == 2 {
            scene.answers("CCZ");
        } else {
            // Others need not wait.
            scene.bind("", "other").answers("EZE").sync().answers("Z");
        }
        scene.bind("", "s").execute("");
        assert_eq!(scene.last(), 1, "{way}");
    }
    // What is skipped together with its Parse need not wait either, nor what has no other to be taken for.
    let mut scene = scene();
    for text in ["a", "b"] {
        scene.parse("", text).bind("", "").execute("").sync();
    }
    scene.parse("new", "c").sync().bind("", "new");
    assert_eq!(later(&mut scene, ""), Ok(Verdict::Later), "the unnamed one was another before");
}

#[test]
fn a_skipped_close_and_bind_leave_their_names() {
    let mut scene = scene();
    // In a transaction, which they live as long as.
    scene.parse("s", "a").parse("u", "b").bind("p", "s").sync().answers("112").target(backend::READY, b"T");
    scene
        .bind("", "no such")
        .client(frontend::CLOSE, b"Ss\0")
        .client(frontend::CLOSE, b"Pp\0")
        .bind("p", "u");
    scene.sync().answers("E").target(backend::READY, b"E").execute("p");
    assert_eq!(scene.last(), 1);
}

#[test]
fn a_portal_is_gone_with_its_transaction() {
    let mut scene = scene();
    scene.parse("s", "a").bind("p", "s").sync().answers("12Z").execute("p");
    assert_eq!(scene.last(), "FETCH FROM \"p\"");
    // One that was bound while the answer was under way is not.
    scene.sync().answers("EZ").sync().bind("p", "s").answers("Z").execute("p");
    assert_eq!(scene.last(), 1);
    // However many a client never closes.
    for n in 0..20_000 {
        scene.bind(&format!("p{n}"), "s").sync().answers("2Z");
    }
}

/// `string_hash` in dynahash.c: two names that differ behind their 63rd byte are one.
#[test]
fn names_are_told_apart_as_far_as_the_server_does() {
    let name = |end: &str| format!("{}{end}", "n".repeat(63));
    let mut scene = scene();
    scene.parse(&name("a"), "select 1").sync().answers("1Z");
    scene.client(frontend::CLOSE, format!("S{}\0", name("b")).as_bytes());
    scene.parse(&name("c"), "delete from t").sync().answers("31Z");
    scene.bind("", &name("a")).execute("");
    assert_eq!(scene.last(), 2, "what runs is the delete");
}

#[test]
fn a_description_belongs_to_the_statement_that_was_asked_about() {
    let mut scene = scene();
    // Both are under way before the first answer comes.
    for text in ["select $1::int4", "select $1::int8"] {
        scene.parse("", text).client(frontend::DESCRIBE, b"S\0").sync();
    }
    let described = |oid: u32| [&[0, 1][..], &oid.to_be_bytes()].concat();
    scene.answers("1").target(backend::PARAMETER_DESCRIPTION, &described(23)).answers("nZ1");
    let bind = b"\0\0\0\x01\0\x01\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x07\0\0";
    scene.client(frontend::BIND, bind).execute("");
    scene.target(backend::PARAMETER_DESCRIPTION, &described(20)).answers("nZ2C");
    assert_eq!(scene.sink.of_kind("statement")[0]["parameters"][0]["hex"], "0000000000000007");
    scene.sync().client(frontend::BIND, bind).execute("");
    assert_eq!(scene.sink.of_kind("statement")[1]["parameters"][0]["integer"], 7);
}

#[test]
fn a_name_that_sql_prepared_is_not_taken_for_another() {
    let mut scene = scene();
    scene.parse("s", "select 1").sync().answers("1Z");
    scene.query("deallocate s; prepare s as delete from t");
    scene.target(backend::COMMAND_COMPLETE, b"DEALLOCATE\0").target(backend::COMMAND_COMPLETE, b"PREPARE\0");
    scene.answers("Z").bind("", "s").execute("");
    assert_eq!(scene.last(), "EXECUTE \"s\"");
}

#[test]
fn a_sync_in_a_copy_gets_no_answer() {
    // libpq sends Sync along with the Execute of a COPY FROM STDIN, and another one after it.
    let mut scene = scene();
    scene.parse("", "copy t from stdin").bind("", "").execute("").sync().answers("12G");
    scene.client(frontend::COPY_DATA, b"12345").sync().client(frontend::COPY_DONE, b"").sync().answers("CZ");
    scene.query("next");
    assert_eq!(scene.statements.outstanding().0.as_deref(), Some("statement 2"));
    scene.answers("CZ");
    assert_eq!(scene.results(), [ok(1), ok(2)]);
    assert_eq!(scene.sink.of_kind("result")[0]["copy_in"], 5);
}

#[test]
fn a_copy_that_was_sent_blindly_keeps_its_sync() {
    let mut scene = scene();
    scene.parse("", "copy t from stdin").bind("", "").execute("");
    scene.client(frontend::COPY_DATA, b"1").client(frontend::COPY_DONE, b"").sync().answers("12GCZ");
    assert_eq!(scene.results(), [ok(1)]);
    assert_eq!(scene.statements.outstanding(), (None, false));
}

#[test]
fn a_failed_copy_skips_to_the_next_sync() {
    let mut scene = scene();
    scene.parse("", "copy t from stdin").bind("", "").execute("").sync().answers("12G");
    scene
        .client(frontend::COPY_FAIL, b"enough\0")
        .answers("E")
        .sync()
        .answers("Z")
        .query("next")
        .answers("CZ");
    assert_eq!(scene.results(), [failed(1), ok(2)]);
}

#[test]
fn copy_out_and_suspended_portals_have_results() {
    let mut scene = scene();
    scene.query("copy t to stdout").answers("H").target(backend::COPY_DATA, b"0123456789").answers("cCZ");
    assert_eq!(scene.sink.of_kind("result")[0]["bytes"], 10);
    scene.parse("", "a").bind("p", "").execute("p").execute("p").sync().answers("12DsDDCZ");
    let results = scene.sink.of_kind("result");
    assert_eq!((&results[1]["tag"], &results[1]["rows"]), (&json!("(suspended)"), &json!(1)));
    assert_eq!((&results[2]["tag"], &results[2]["rows"]), (&json!("DONE"), &json!(2)));
    let statements = scene.sink.of_kind("statement");
    assert_eq!((&statements[1]["continues"], &statements[2]["continues"]), (&Value::Null, &json!(2)));
}

#[test]
fn an_error_at_the_commit_belongs_to_the_statement_before() {
    let mut scene = scene();
    scene.parse("", "insert").bind("", "").execute("").sync().answers("12CEZ");
    assert_eq!(scene.results(), [ok(1), failed(1)]);
}

#[test]
fn parameters_are_decoded_by_the_types_that_the_server_describes() {
    let mut scene = scene();
    scene.parse("s", "select $1, $2, $3, $4, $5").client(frontend::DESCRIBE, b"Ss\0").sync();
    let types = [23_u32, 16, 25, 701, 600];
    let mut body = vec![0, 5];
    types.iter().for_each(|oid| body.extend_from_slice(&oid.to_be_bytes()));
    scene.answers("1").target(backend::PARAMETER_DESCRIPTION, &body).answers("nZ");
    let mut bind = b"\0s\0\0\x01\0\x01\0\x05".to_vec();
    let values: [&[u8]; 5] = [&7_i32.to_be_bytes(), &[1], b"text", &1.5_f64.to_be_bytes(), &[0xab; 2]];
    for value in values {
        bind.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
        bind.extend_from_slice(value);
    }
    bind.extend_from_slice(&[0, 0]);
    scene.client(frontend::BIND, &bind).execute("");
    let expected =
        json!([{"integer": 7}, {"boolean": true}, {"text": "text"}, {"float": 1.5}, {"hex": "abab"}]);
    assert_eq!(scene.sink.of_kind("statement")[0]["parameters"], expected);
}

#[test]
fn a_contract_that_records_types_alone_gets_no_values() {
    for (policy, expected) in [
        (ParameterPolicy::Types, json!([{"typed": {"type": "unknown", "length": 6}}, "null"])),
        (ParameterPolicy::None, Value::Null),
    ] {
        let mut scene = with(policy);
        scene.parse("", "a");
        scene.client(frontend::BIND, b"\0\0\0\0\0\x02\0\0\0\x06secret\xff\xff\xff\xff\0\0").execute("");
        let statement = &scene.sink.of_kind("statement")[0];
        assert_eq!(statement["parameters"], expected);
        assert!(!statement.to_string().contains("secret"));
    }
}

#[test]
fn a_bind_too_large_to_hold_is_recorded_by_its_length() {
    let mut scene = scene();
    scene.parse("s", "insert");
    let head = Head { tag: frontend::BIND, body: 5_000_000 };
    let mut client = FromClient(&mut scene.statements);
    assert_eq!(client.head(head), Ok(Look::Pieces));
    assert_eq!(client.pieces(head, b"\0s\0\0\0\0\x01\0\x4c\x4b\x00xxxx"), Ok(Verdict::Pass));
    assert_eq!(client.rest(b"xxxx"), Ok(()));
    scene.execute("");
    assert_eq!(scene.last(), 1);
    assert_eq!(scene.sink.of_kind("statement")[0]["parameters"], json!([{"length": 5_000_000}]));
}

#[test]
fn a_call_of_a_function_by_number_is_recorded() {
    let mut scene = scene();
    scene.client(frontend::FUNCTION_CALL, b"\0\0\x03\xbd\0\0\0\x01\0\0\0\x02hi\0\0").answers("VZ");
    assert_eq!(scene.last(), "call of function 957 by number");
    assert_eq!(scene.results(), [ok(1)]);
}

#[test]
fn nothing_is_noted_twice_when_the_pipeline_is_full() {
    let mut scene = scene();
    for _ in 0..4096 {
        scene.sync();
    }
    let held = FromClient(&mut scene.statements).message(frontend::QUERY, b"later\0");
    assert_eq!(held, Ok(Verdict::Later));
    assert!(scene.sink.events().is_empty());
    scene.answers("Z").query("later");
    assert_eq!(scene.sink.events().len(), 1);
}

#[test]
fn requests_to_authenticate_have_no_place_in_a_session() {
    let mut scene = scene();
    for tag in [b'R', b'K', b'v', b'W', b'?'] {
        let judged = FromTarget(&mut scene.statements).head(Head { tag, body: 4 });
        assert!(matches!(judged, Err(Fault::Target(_))), "{}", char::from(tag));
    }
    let long = Head { tag: backend::COMMAND_COMPLETE, body: 40_000 };
    assert!(FromTarget(&mut scene.statements).head(long).is_err());
}
