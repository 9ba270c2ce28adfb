//! What comes back is recorded where the contract says so.

use super::scene::{Scene, recording};
use crate::codec::frame::Head;
use crate::codec::{backend, frontend};
use crate::relay::pump::{Inspector, Verdict};
use crate::relay::results::FromTarget;
use curfew_adapter::{ParameterPolicy, ResultPolicy};
use serde_json::{Value, json};

/// A RowDescription of columns of these types, each in the text format.
fn columns(oids: &[u32]) -> Vec<u8> {
    let mut body = u16::try_from(oids.len()).unwrap().to_be_bytes().to_vec();
    for (n, oid) in oids.iter().enumerate() {
        body.extend(format!("c{n}\0\0\0\0\0\0\0").bytes());
        body.extend(oid.to_be_bytes());
        body.extend([0; 8]);
    }
    body
}

fn data_row(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
    for value in values {
        let length = value.map_or(-1, |value| i32::try_from(value.len()).unwrap());
        body.extend(length.to_be_bytes());
        body.extend(value.unwrap_or_default());
    }
    body
}

fn rows(scene: &Scene) -> Vec<Value> {
    scene.sink.of_kind("row").into_iter().map(|row| json!([row["n"], row["values"]])).collect()
}

#[test]
fn results_are_recorded_where_the_contract_says_so() {
    let mut scene = recording(ParameterPolicy::Full, ResultPolicy::Full);
    scene.query("select 1, null; select 'a'");
    scene.target(backend::ROW_DESCRIPTION, &columns(&[23, 25]));
    scene.target(backend::DATA_ROW, &data_row(&[Some(b"1"), None])).answers("C");
    scene.target(backend::ROW_DESCRIPTION, &columns(&[25]));
    scene.target(backend::DATA_ROW, &data_row(&[Some(b"a")])).answers("CZ");
    assert_eq!(rows(&scene), [json!([1, [{"text": "1"}, "null"]]), json!([1, [{"text": "a"}]])]);
    let told = scene.sink.of_kind("columns");
    assert_eq!(told[0]["columns"], json!([{"name": "c0", "type": "int4"}, {"name": "c1", "type": "text"}]));
    assert_eq!(told.len(), 2);
    // In the binary format, described by statement and by portal; two executions of one statement in a pipeline.
    let mut scene = recording(ParameterPolicy::Full, ResultPolicy::Full);
    scene.parse("s", "select").client(frontend::DESCRIBE, b"Ss\0").sync();
    scene.answers("1").target(backend::PARAMETER_DESCRIPTION, &[0, 0]);
    scene.target(backend::ROW_DESCRIPTION, &columns(&[23])).answers("Z");
    let bind = |format: u8| [b"\0s\0\0\0\0\0\0\x01\0".as_slice(), &[format]].concat();
    scene.client(frontend::BIND, &bind(1)).execute("").client(frontend::BIND, &bind(0)).execute("").sync();
    scene.answers("2").target(backend::DATA_ROW, &data_row(&[Some(&7_i32.to_be_bytes())]));
    scene.answers("C2").target(backend::DATA_ROW, &data_row(&[Some(b"7")])).answers("CZ");
    assert_eq!(rows(&scene), [json!([1, [{"integer": 7}]]), json!([2, [{"text": "7"}]])]);
    scene.parse("", "select").client(frontend::BIND, b"\0\0\0\0\0\0\0\x01\0\x01");
    scene.client(frontend::DESCRIBE, b"P\0").execute("").sync();
    scene.answers("12").target(backend::ROW_DESCRIPTION, &columns(&[16]));
    scene.target(backend::DATA_ROW, &data_row(&[Some(&[1])])).answers("CZ");
    assert_eq!(rows(&scene)[2], json!([3, [{"boolean": true}]]));
}

#[test]
fn rows_that_pass_in_pieces_are_recorded_in_pieces() {
    let mut scene = recording(ParameterPolicy::Full, ResultPolicy::Full);
    scene.query("select").target(backend::ROW_DESCRIPTION, &columns(&[25, 25, 25, 25]));
    let body = data_row(&[Some(b"a"), None, Some(b""), Some("ä".repeat(50_000).as_bytes())]);
    for cut in [3, 9, 10, 17, 30_000] {
        let head = Head { tag: backend::DATA_ROW, body: body.len() };
        let mut target = FromTarget(&mut scene.statements);
        assert_eq!(target.pieces(head, &body[..cut]), Ok(Verdict::Pass));
        body[cut..].chunks(999).for_each(|piece| target.rest(piece).unwrap());
        let values = std::mem::take(&mut scene.sink.of_kind("value"));
        let last = values.iter().rposition(|value| value["column"] == 0).unwrap();
        let mut found = vec![None; 4];
        for value in &values[last..] {
            let column = usize::try_from(value["column"].as_u64().unwrap()).unwrap();
            let text = value["data"].as_str().map(|text| text.as_bytes().to_vec());
            let base64 = value["data"]["base64"].as_str();
            let bytes = text.or(base64.map(|text| data_encoding::BASE64.decode(text.as_bytes()).unwrap()));
            if let Some(bytes) = bytes {
                found[column].get_or_insert_with(Vec::new).extend(bytes);
            }
        }
        assert_eq!(data_row(&found.iter().map(Option::as_deref).collect::<Vec<_>>()), body, "cut at {cut}");
        assert_eq!(values.last().unwrap()["more"], Value::Null);
    }
    assert_eq!(scene.sink.of_kind("columns").len(), 1);
}

#[test]
fn what_is_copied_is_recorded_where_the_contract_says_so() {
    let mut scene = recording(ParameterPolicy::Full, ResultPolicy::Full);
    scene.query("copy t to stdout").answers("H").target(backend::COPY_DATA, b"1\n").answers("cCZ");
    scene.query("copy t from stdin").answers("G").client(frontend::COPY_DATA, b"2\n");
    scene.client(frontend::COPY_DONE, b"").answers("CZ");
    let copied = scene.sink.of_kind("copy");
    let short = |event: &Value| json!([event["n"], event["input"], event["data"]]);
    assert_eq!([short(&copied[0]), short(&copied[1])], [json!([1, null, "1\n"]), json!([2, true, "2\n"])]);
}

#[test]
fn data_of_no_copy_is_counted_for_nobody() {
    let mut scene = recording(ParameterPolicy::Full, ResultPolicy::Full);
    scene.client(frontend::COPY_DATA, b"0123456789").client(frontend::COPY_DONE, b"");
    scene.query("select 1").answers("CZ");
    assert_eq!(scene.sink.of_kind("result")[0]["copy_in"], Value::Null);
    assert!(scene.sink.of_kind("copy").is_empty());
    // From a target too: it passes, and the client judges it.
    scene.target(backend::COPY_DATA, b"x").target(backend::DATA_ROW, &data_row(&[])).answers("C2n1sIZ");
    scene.query("select 2").answers("CZ");
    assert_eq!(scene.results(), [(1, None), (2, None)]);
}
