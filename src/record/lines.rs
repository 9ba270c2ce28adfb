//! The events of a recording as lines that a person reads.
//!
//! Owns the wording. It cleans nothing: what a session said may hold control characters, and whoever prints it has to
//! see to them.

use std::collections::HashMap;

use serde_json::Value;

use super::cast::lossy;
use super::told::What;

/// How many prepared statements are remembered by their text.
const PREPARED: usize = 1000;

/// Makes the lines of one recording, event by event.
#[derive(Debug, Default)]
pub struct Lines {
    prepared: HashMap<u64, String>,
}

impl Lines {
    /// The lines for an event, none where it says nothing to a person.
    pub fn of(&mut self, what: &What) -> Vec<String> {
        match what {
            What::Output { ch, err, data } => {
                let mark = if *err { "!" } else { " " };
                lossy(data).lines().map(|line| format!("[{ch}]{mark} {line}")).collect()
            }
            What::Input { ch, data } => vec![format!("[{ch}]< {}", lossy(data))],
            What::Copy { input, data } => {
                let mark = if *input { '<' } else { '>' };
                lossy(data).lines().map(|line| format!("  {mark} {line}")).collect()
            }
            other => self.line(other).into_iter().collect(),
        }
    }

    fn line(&mut self, what: &What) -> Option<String> {
        Some(match what {
            What::Session { identity, protocol, target, account } => {
                format!("{} on {target} as {account} ({protocol})", identity.email)
            }
            What::Prepare { prepared, text, .. } => {
                if self.prepared.len() >= PREPARED {
                    self.prepared.clear();
                }
                self.prepared.insert(*prepared, text.clone());
                return None;
            }
            What::Statement { continues: Some(n), .. } => format!("more rows of statement {n}"),
            What::Statement { text, prepared, parameters, .. } => {
                let text = text.as_ref().or_else(|| self.prepared.get(&(*prepared)?));
                let with = if parameters.is_empty() {
                    String::new()
                } else {
                    format!("  -- {}", parameters.iter().map(parameter).collect::<Vec<_>>().join(", "))
                };
                format!("{}{with}", text.map_or("a prepared statement", String::as_str))
            }
            What::Unprepared { prepared, sqlstate, error } => {
                let text = prepared.and_then(|prepared| self.prepared.get(&prepared));
                format!("{}\n  not prepared {sqlstate}: {error}", text.map_or("a statement", String::as_str))
            }
            What::Result { tag, rows, micros, sqlstate, error, .. } => {
                let took = millis(*micros);
                match error {
                    Some(error) => {
                        let state = sqlstate.as_deref().map_or_else(String::new, |state| format!(" {state}"));
                        format!("  error{state}: {error} ({took})")
                    }
                    None if *rows > 0 => format!("  {tag}, {rows} rows ({took})"),
                    None => format!("  {tag} ({took})"),
                }
            }
            What::Columns { columns } => {
                let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
                format!("  | {}", names.join(" | "))
            }
            What::Row { values } => {
                format!("  | {}", values.iter().map(shown).collect::<Vec<_>>().join(" | "))
            }
            What::Value { column, data, more } => {
                let data = data.as_ref().map_or_else(|| "null".into(), lossy);
                format!("  | column {}: {data}{}", column + 1, if *more { "…" } else { "" })
            }
            What::Cancel => "cancelled by the client".to_owned(),
            What::Channel { ch, purpose, command, terminal } => {
                let command = command.as_deref().map_or_else(String::new, |command| format!(": {command}"));
                let terminal = terminal.as_ref().map_or_else(String::new, |terminal| {
                    format!(" ({} {}x{})", terminal.term, terminal.cols, terminal.rows)
                });
                format!("[{ch}] {purpose}{terminal}{command}")
            }
            What::Environment { ch, name, value } => format!("[{ch}] {name}={value}"),
            What::Signal { ch, name } => format!("[{ch}] signal {name}"),
            What::File { ch, op, path, to, bytes, sha256, error } => {
                let mut line = format!("[{ch}] {op} {path}");
                let parts = [
                    to.as_ref().map(|to| format!(" to {to}")),
                    (*bytes > 0).then(|| format!(", {bytes} bytes")),
                    sha256.as_ref().map(|sha256| format!(", sha256 {sha256}")),
                    error.as_ref().map(|error| format!(": {error}")),
                ];
                parts.into_iter().flatten().for_each(|part| line.push_str(&part));
                line
            }
            What::Refused { what, why } => format!("refused: {what}: {why}"),
            What::ChannelEnd { ch, status, signal, input, output } => {
                let how = match (status, signal) {
                    (_, Some(signal)) => format!("by signal {signal}"),
                    (Some(status), None) => format!("with status {status}"),
                    (None, None) => "without a status".to_owned(),
                };
                format!("[{ch}] ended {how}, {input} bytes in, {output} out")
            }
            What::Countdown { remaining } => format!("told that {remaining} s remain"),
            What::Goodbye { message } => format!("told: {message}"),
            What::Output { .. }
            | What::Input { .. }
            | What::Copy { .. }
            | What::Resize { .. }
            | What::Other => return None,
        })
    }
}

fn millis(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

/// A value of a row, a text without quotes.
fn shown(value: &Value) -> String {
    match value.get("text") {
        Some(Value::String(text)) => text.clone(),
        _ => parameter(value),
    }
}

/// A parameter: its value without the name of its kind.
fn parameter(value: &Value) -> String {
    match value {
        Value::String(word) => word.clone(),
        Value::Object(members) => match members.iter().next() {
            Some((kind, value)) if kind == "typed" => {
                let part = |name: &str| value.get(name).map_or_else(String::new, words);
                format!("{} of {} bytes", part("type"), part("length"))
            }
            Some((kind, value)) if kind == "length" => format!("{value} bytes"),
            Some((kind, value)) if kind == "hex" => format!("0x{}", words(value)),
            Some((_, value)) => value.to_string(),
            None => String::new(),
        },
        other => other.to_string(),
    }
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::told::Told;
    use serde_json::json;

    #[test]
    fn every_kind_says_what_happened() {
        let mut lines = Lines::default();
        let mut of = |event: Value| lines.of(&Told::read(event).what);
        assert!(of(json!({ "kind": "prepare", "prepared": 1, "name": "", "text": "SELECT $1" })).is_empty());
        let all: Vec<String> = [
            json!({ "kind": "statement", "n": 1, "prepared": 1, "parameters": [{ "integer": 5 }, "null", { "text": "a" }] }),
            json!({ "kind": "columns", "n": 1, "columns": [{ "name": "a", "type": "int4" }, { "name": "b", "type": "text" }] }),
            json!({ "kind": "row", "n": 1, "values": [{ "integer": 5 }, { "text": "x y" }] }),
            json!({ "kind": "row", "n": 1, "values": ["null", { "hex": "00ff" }] }),
            json!({ "kind": "value", "n": 1, "column": 0, "data": "long", "more": true }),
            json!({ "kind": "copy", "n": 1, "input": true, "data": "1\n2\n" }),
            json!({ "kind": "result", "n": 1, "tag": "SELECT 2", "rows": 2, "bytes": 9, "micros": 12_345 }),
            json!({ "kind": "statement", "n": 2, "prepared": 1, "continues": 1 }),
            json!({ "kind": "statement", "n": 3, "text": "x", "parameters": [{ "typed": { "type": "text", "length": 5 } }, { "length": 9 }] }),
            json!({ "kind": "result", "n": 1, "rows": 0, "bytes": 0, "micros": 99, "sqlstate": "42P01", "error": "no table" }),
            json!({ "kind": "channel", "ch": 1, "purpose": "exec", "command": "ls -l" }),
            json!({ "kind": "output", "ch": 1, "data": "a\nb\n" }),
            json!({ "kind": "output", "ch": 1, "err": true, "data": "oops" }),
            json!({ "kind": "channel_end", "ch": 1, "status": 2, "input": 0, "output": 4, "errors": 4 }),
            json!({ "kind": "file", "ch": 2, "op": "put", "path": "/f", "bytes": 3, "sha256": "ba78" }),
            json!({ "kind": "file", "ch": 2, "op": "rename", "path": "/f", "to": "/g", "error": "permission denied" }),
        ]
        .into_iter()
        .flat_map(&mut of)
        .collect();
        assert_eq!(
            all,
            [
                "SELECT $1  -- 5, null, \"a\"",
                "  | a | b",
                "  | 5 | x y",
                "  | null | 0x00ff",
                "  | column 1: long…",
                "  < 1",
                "  < 2",
                "  SELECT 2, 2 rows (12.3 ms)",
                "more rows of statement 1",
                "x  -- text of 5 bytes, 9 bytes",
                "  error 42P01: no table (0.0 ms)",
                "[1] exec: ls -l",
                "[1]  a",
                "[1]  b",
                "[1]! oops",
                "[1] ended with status 2, 0 bytes in, 4 out",
                "[2] put /f, 3 bytes, sha256 ba78",
                "[2] rename /f to /g: permission denied",
            ]
        );
    }
}
