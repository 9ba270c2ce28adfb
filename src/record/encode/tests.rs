//! What a line looks like, and what is not in it.

use super::*;
use curfew_adapter::{Parameter, Text};

fn lines(events: &[Event<'_>]) -> Vec<String> {
    let (mut encoder, masker, mut out) =
        (Encoder::default(), Masker::new(&[r"\b\d{16}\b"]).unwrap(), Vec::new());
    for event in events {
        encoder.event(&masker, 7, event, &mut out).unwrap();
    }
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

fn failed(n: u64, error: &str) -> Event<'_> {
    let sqlstate = Some("22P02");
    Event::Result { n, tag: "", rows: 0, bytes: 0, copy_in: 0, micros: 9, sqlstate, error: Some(error) }
}

fn prepared(prepared: u64, text: &str) -> Event<'_> {
    Event::Prepare { prepared, name: "", text, types: &[] }
}

fn statement(n: u64, text: &str) -> Event<'_> {
    Event::Statement { n, text: Some(text), prepared: None, continues: None, parameters: &[] }
}

fn executed<'a>(n: u64, prepared: u64, parameters: &'a [Parameter<'a>]) -> Event<'a> {
    Event::Statement { n, text: None, prepared: Some(prepared), continues: None, parameters }
}

#[test]
fn an_event_is_a_line_with_its_time_first() {
    assert_eq!(
        lines(&[statement(1, "SELECT 1")]),
        [r#"{"at":7,"kind":"statement","n":1,"text":"SELECT 1"}"#]
    );
    assert_eq!(lines(&[Event::Cancel]), [r#"{"at":7,"kind":"cancel"}"#]);
}

#[test]
fn parameters_and_errors_of_a_statement_about_secrets_are_masked() {
    let secret = [Parameter::Text("hunter2"), Parameter::Null, Parameter::Integer(5)];
    let all = lines(&[
        prepared(1, "UPDATE users SET password = $1 WHERE id = $3"),
        prepared(2, "SELECT $1"),
        executed(1, 1, &secret),
        failed(1, "invalid: hunter2"),
        executed(2, 2, &secret),
        failed(2, "invalid: hunter2"),
    ]);
    assert_eq!(
        all[2],
        r#"{"at":7,"kind":"statement","n":1,"prepared":1,"parameters":[{"text":"'***'"},"null",{"text":"'***'"}]}"#
    );
    assert!(all[3].contains("\"error\":\"'***'\"") && all[3].contains("22P02"), "{}", all[3]);
    assert!(all[4].contains("hunter2") && all[5].contains("hunter2"), "only the first was about a secret");
}

#[test]
fn a_number_that_the_contract_masks_is_masked_as_a_parameter() {
    let all = lines(&[executed(1, 1, &[Parameter::Integer(4_111_111_111_111_111), Parameter::Integer(1)])]);
    assert!(all[0].contains(r#"[{"text":"'***'"},{"integer":1}]"#), "{}", all[0]);
}

#[test]
fn an_error_of_an_unclosed_password_is_masked() {
    let all = lines(&[
        statement(1, "ALTER ROLE b PASSWORD 'hunter2"),
        failed(1, "unterminated quoted string at or near \"'hunter2\""),
    ]);
    assert!(!all.concat().contains("hunter2"), "{all:?}");
}

#[test]
fn commands_variables_and_paths_are_masked_and_terminals_are_as_they_were() {
    let data = Text(b"password=hunter2");
    let all = lines(&[
        Event::Channel { ch: 1, purpose: "exec", command: Some("PGPASSWORD=a psql"), terminal: None },
        Event::Environment { ch: 1, name: "MY_SECRET", value: "a" },
        Event::Refused { what: "exec x --password a", why: "No." },
        Event::File {
            ch: 2,
            op: "rename",
            path: "/etc/passwd",
            to: Some("/4111111111111111"),
            bytes: 0,
            sha256: None,
            error: None,
        },
        Event::Output { ch: 1, err: false, data },
    ]);
    assert_eq!(
        all,
        [
            r#"{"at":7,"kind":"channel","ch":1,"purpose":"exec","command":"PGPASSWORD=*** psql"}"#,
            r#"{"at":7,"kind":"environment","ch":1,"name":"MY_SECRET","value":"***"}"#,
            r#"{"at":7,"kind":"refused","what":"exec x --password ***","why":"No."}"#,
            r#"{"at":7,"kind":"file","ch":2,"op":"rename","path":"/etc/passwd","to":"/***"}"#,
            r#"{"at":7,"kind":"output","ch":1,"data":"password=hunter2"}"#,
        ]
    );
}

#[test]
fn forgotten_statements_count_as_secret() {
    let mut few = Few::default();
    (1..=REMEMBERED as u64 + 5).for_each(|n| few.insert(n * 2));
    assert!(few.contains(2) && few.contains(3) && !few.contains(13));
}

#[test]
fn every_result_of_a_statement_about_secrets_is_masked() {
    let value = [Parameter::Text("hunter2"), Parameter::Null];
    let row = |n| Event::Row { n, values: &value };
    let piece = |data: &'static [u8], more| Event::Value { n: 2, column: 0, data: Some(Text(data)), more };
    let copy = |n| Event::Copy { n, input: false, data: Text(b"hunter2\n") };
    let all = lines(&[
        statement(1, "SELECT 1; SELECT passwd FROM pg_shadow"),
        Event::Result {
            n: 1,
            tag: "SELECT 1",
            rows: 1,
            bytes: 0,
            copy_in: 0,
            micros: 1,
            sqlstate: None,
            error: None,
        },
        row(1),
        copy(1),
        failed(1, "hunter2"),
        statement(2, "SELECT 2"),
        row(2),
        copy(2),
        piece(b"hunter2", false),
    ]);
    assert!(!all[..5].concat().contains("hunter2"), "{all:?}");
    assert!(all[2].contains(r#""values":[{"text":"'***'"},"null"]"#), "{}", all[2]);
    assert!(all[6..].iter().all(|line| line.contains("hunter2")), "{all:?}");
}

#[test]
fn what_comes_back_is_masked_by_column_value_and_line() {
    let named = |name| curfew_adapter::Column { name, kind: curfew_adapter::TypeName::Named("text") };
    let columns = [named("id"), named("user_passwd"), named("note")];
    let values = |text| [Parameter::Integer(1), Parameter::Text("hunter2"), Parameter::Text(text)];
    let (secret, plain) = (values("host=h password=hunter3"), values("plain"));
    let piece = |column, data, more| Event::Value { n: 1, column, data: Some(Text(data)), more };
    let all = lines(&[
        statement(1, "SELECT * FROM users"),
        Event::Columns { n: 1, columns: &columns },
        Event::Row { n: 1, values: &secret },
        Event::Row { n: 1, values: &plain },
        piece(1, b"hunter2", false),
        // A number that the contract masks, cut in two.
        piece(2, b"41111111", true),
        piece(2, b"11111111", false),
        piece(2, b"short", false),
        Event::Value { n: 1, column: 0, data: None, more: false },
        Event::Copy { n: 1, input: true, data: Text(b"1\tplain\n2\tpassword=hunter2\n3\tplain\n") },
        Event::Copy { n: 1, input: true, data: Text(b"\xffpasswd hunter2") },
        // The columns of another result.
        Event::Columns { n: 1, columns: &columns[..1] },
        Event::Row { n: 1, values: &plain },
    ]);
    assert!(!all[..11].concat().contains("hunter"), "{all:?}");
    assert!(!all.concat().contains("1111"), "{all:?}");
    assert!(all[3].contains(r#"[{"integer":1},{"text":"'***'"},{"text":"plain"}]"#), "{}", all[3]);
    assert!(all[7].contains("short") && all[8].contains(r#""data":null"#), "{all:?}");
    assert!(all[9].contains(r#""data":"1\tplain\n2\tpassword=***\n3\tplain\n""#), "{}", all[9]);
    assert!(all[12].contains("hunter2"), "{}", all[12]);
}

/// What SQL prepares under a name is given its secret by another statement, which says nothing of secrets.
#[test]
fn what_a_prepared_statement_about_secrets_is_given_is_masked() {
    let all = lines(&[
        statement(1, "PREPARE p AS UPDATE users SET password = $1"),
        statement(2, "SELECT 'shown'"),
        statement(3, "SELECT 'shown'; EXECUTE p('hunter2')"),
        failed(3, "invalid: hunter2"),
        executed(4, 1, &[]),
    ]);
    assert!(!all.concat().contains("hunter2"), "{all:?}");
    assert_eq!(all.concat().matches("shown").count(), 2, "{all:?}");
}
