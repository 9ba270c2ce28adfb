//! Values of every common type, in the binary format in both directions, are recorded as the server itself writes them.

use curfew_harness::Wire;
use serde_json::Value;

use super::say::{SYNC, bind, describe, execute, parse};
use super::{FULL, events};
use crate::world::World;

/// Types and values that a server reads as such.
const COMMON: &[(&str, &[&str])] = &[
    ("bool", &["true", "false"]),
    ("int2", &["-32768", "7"]),
    ("int4", &["-2147483648", "7"]),
    ("int8", &["-9223372036854775808", "9007199254740993"]),
    ("oid", &["4294967295"]),
    ("float4", &["0.1", "1e30", "-1.5", "NaN", "Infinity"]),
    ("float8", &["0.1", "1e300", "5e-324", "-Infinity", "NaN"]),
    (
        "numeric",
        &["0", "0.000", "-12345678901234567890.123456789", "1e-30", "1e100", "10000", "99990000.0001", "NaN"],
    ),
    ("text", &["ünï ''x'' \\ \n", ""]),
    ("varchar", &["ab"]),
    ("char(5)", &["ab"]),
    ("name", &["ab"]),
    ("\"char\"", &["a", ""]),
    ("bytea", &["\\xdeadbeef", ""]),
    ("uuid", &["00112233-4455-6677-8899-aabbccddeeff"]),
    ("json", &["{\"a\": [1]}"]),
    ("jsonb", &["{\"a\": [1]}"]),
    (
        "date",
        &[
            "2026-11-22",
            "0044-03-15 BC",
            "infinity",
            "-infinity",
            "5874897-12-31",
            "4713-01-01 BC",
            "2000-02-29",
        ],
    ),
    ("time", &["00:00", "23:59:59.999999", "24:00", "04:05:06.7"]),
    ("timetz", &["12:00:00.5+05:30", "12:00-08", "01:02:03+00:00:07"]),
    (
        "timestamp",
        &["2026-11-22 06:40:00.12", "294276-12-31 23:59:59.999999", "4713-01-01 00:00 BC", "infinity"],
    ),
    ("timestamptz", &["2026-11-22 06:40:00.12+02", "0001-01-01 00:00+00 BC", "-infinity"]),
    (
        "interval",
        &[
            "1 year 2 mons 3 days 04:05:06.789",
            "-1 day +02:00",
            "1 mon -1 day",
            "0",
            "-00:00:00.000001",
            "100000:00:00",
            "-1 year -2 mons +3 days -04:05:06",
        ],
    ),
    ("inet", &["10.0.0.1", "10.0.0.1/8", "::1", "::ffff:1.2.3.4", "fe80::1/64"]),
    ("cidr", &["10.0.0.0/8", "::/0", "2001:db8::/32"]),
    ("int4[]", &["{1,2,NULL}", "{{1,2},{3,4}}", "[0:1]={7,8}", "{}", "{{{1}},{{2}}}"]),
    ("text[]", &["{\"a b\",\"c\\\"d\",NULL,\"NULL\",\"\",\"x,y\",\"\\\\\"}"]),
    ("bool[]", &["{t,f}"]),
    ("float8[]", &["{0.1,1e300,NaN,-1e-7,123456789012345,1234567890123456}"]),
    ("float4[]", &["{0.1,1e6,123456,1e-5,0.0001}"]),
    ("numeric[]", &["{1.50,-0.01}"]),
    ("timestamptz[]", &["{2026-11-22 06:40:00+00}"]),
    ("date[]", &["{2026-11-22}"]),
    ("interval[]", &["{1 day,01:00}"]),
    ("uuid[]", &["{00112233-4455-6677-8899-aabbccddeeff}"]),
    ("jsonb[]", &["{\"{\\\"a\\\": 1}\"}"]),
    ("inet[]", &["{10.0.0.1,::1}"]),
    ("bytea[]", &["{\"\\\\xdead\"}"]),
    ("varchar[]", &["{a}"]),
    ("timetz[]", &["{12:00+00}"]),
];

/// Types that stay bytes.
const OTHERS: &[(&str, &str)] =
    &[("point", "(1,2)"), ("bit(3)", "101"), ("macaddr", "08:00:2b:01:02:03"), ("int4range", "[1,5)")];

/// The only value of the only row.
async fn one(wire: &mut Wire, sql: &str, types: &[u32], values: &[Option<&[u8]>], results: u8) -> Vec<u8> {
    let parts = [
        parse("", sql, types),
        bind("", "", values, 1, results),
        describe(b'P', ""),
        execute("", 0),
        SYNC.to_vec(),
    ];
    wire.send(&parts.concat()).await.unwrap();
    let heard = wire.until(b'Z').await.unwrap();
    let row = heard.iter().find(|message| message.tag == b'D').unwrap_or_else(|| panic!("{sql}: {heard:?}"));
    row.body[6..].to_vec()
}

fn literal(value: &str) -> String {
    let value = value.replace("''", "'").replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n");
    format!("E'{value}'")
}

/// A recorded value, in the words of the server.
fn words(value: &Value) -> String {
    let (kind, value) = value.as_object().unwrap_or_else(|| panic!("{value}")).iter().next().unwrap();
    match (kind.as_str(), value) {
        ("text", Value::String(text)) => text.clone(),
        ("boolean", Value::Bool(value)) => if *value { "t" } else { "f" }.to_owned(),
        ("integer" | "float", Value::Number(number)) => number.to_string(),
        _ => format!("{kind} {value}"),
    }
}

fn same(recorded: &str, expected: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    recorded == expected
        || (number(recorded).is_some()
            && number(recorded) == number(expected)
            && !expected.contains('.') | recorded.contains('.') | recorded.contains('e'))
}

#[tokio::test]
async fn values_in_binary_are_recorded_as_the_server_writes_them() {
    let world = World::open(|options| options.contract("orders-now", FULL)).await;
    let (alice, erin, auditor) =
        tokio::join!(world.signed_in("alice"), world.signed_in("erin"), world.auditor());
    let grant = world.grant(&alice, "orders_read", "30m").await;
    let mut wire = world.signed_in_wire(&alice, "orders_read").await;
    wire.query("set timezone = 'UTC'").await.unwrap();
    wire.until(b'Z').await.unwrap();
    let mut expected = Vec::new();
    let others = OTHERS.iter().map(|(name, value)| (*name, std::slice::from_ref(value)));
    for (name, values) in COMMON.iter().map(|(name, values)| (*name, *values)).chain(others) {
        for value in values {
            let sql = format!("select {}::{name}", literal(value));
            let bytes = one(&mut wire, &sql, &[], &[], 1).await;
            let said = String::from_utf8(one(&mut wire, &sql, &[], &[], 0).await).unwrap();
            let oid = format!("select pg_typeof({}::{name})::oid::text", literal(value));
            let oid = String::from_utf8(one(&mut wire, &oid, &[], &[], 0).await).unwrap().parse().unwrap();
            // As a parameter and as a result, in binary both.
            let back = one(&mut wire, "select $1 as the_value", &[oid], &[Some(&bytes)], 1).await;
            assert_eq!(back, bytes, "{name} {value}");
            expected.push((name, said, bytes));
        }
    }
    wire.send(b"X\0\0\0\x04").await.unwrap();
    let ended = auditor.ended(grant["id"].as_str().unwrap()).await;
    let (_, events) = events(&erin, ended["session"].as_str().unwrap()).await;
    let parameters = events.iter().filter(|event| event["parameters"].is_array());
    let recorded: Vec<_> = parameters
        .map(|event| {
            let row = events.iter().find(|row| row["kind"] == "row" && row["n"] == event["n"]).unwrap();
            (&event["parameters"][0], &row["values"][0])
        })
        .collect();
    assert_eq!(recorded.len(), expected.len());
    let common = expected.len() - OTHERS.len();
    for (n, ((name, said, bytes), (parameter, result))) in expected.iter().zip(recorded).enumerate() {
        assert_eq!(parameter, result, "{name} {said}");
        if n < common {
            assert!(same(&words(parameter), said), "{name}: {said} is recorded as {parameter}");
        } else {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(parameter["hex"], hex.as_str(), "{name} {said}");
        }
    }
    let columns = events.iter().find(|event| event["columns"][0]["name"] == "the_value").unwrap();
    assert_eq!(columns["columns"][0]["type"], "bool");
    let prepared =
        events.iter().find(|event| event["kind"] == "prepare" && event["types"].is_array()).unwrap();
    assert_eq!(prepared["types"][0], "bool");
}
