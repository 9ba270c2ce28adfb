//! Messages of the extended protocol (Postgres manual, 55.7).

use curfew_harness::wire::message;

/// Sync
pub const SYNC: &[u8] = b"S\0\0\0\x04";
/// Flush
pub const FLUSH: &[u8] = b"H\0\0\0\x04";

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

fn count(count: usize) -> [u8; 2] {
    u16::try_from(count).unwrap().to_be_bytes()
}

/// Parse, with the OIDs of parameters that the client prescribes.
pub fn parse(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let types: Vec<u8> = types.iter().flat_map(|oid| oid.to_be_bytes()).collect();
    message(b'P', &[text(name), text(sql), count(types.len() / 4).to_vec(), types].concat())
}

/// Bind, all values in one format, all results in another (0 text, 1 binary).
pub fn bind(portal: &str, statement: &str, values: &[Option<&[u8]>], format: u8, results: u8) -> Vec<u8> {
    let mut body =
        [text(portal), text(statement), vec![0, 1, 0, format], count(values.len()).to_vec()].concat();
    for value in values {
        let length = value.map_or(-1, |value| i32::try_from(value.len()).unwrap());
        body.extend(length.to_be_bytes());
        body.extend(value.unwrap_or_default());
    }
    body.extend([0, 1, 0, results]);
    message(b'B', &body)
}

/// Describe of a portal (`P`) or a statement (`S`).
pub fn describe(kind: u8, name: &str) -> Vec<u8> {
    message(b'D', &[vec![kind], text(name)].concat())
}

/// Close of a portal (`P`) or a statement (`S`).
pub fn close(kind: u8, name: &str) -> Vec<u8> {
    message(b'C', &[vec![kind], text(name)].concat())
}

/// Execute, for so many rows; 0 for all of them.
pub fn execute(portal: &str, rows: u32) -> Vec<u8> {
    message(b'E', &[text(portal), rows.to_be_bytes().to_vec()].concat())
}
