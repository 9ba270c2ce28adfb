//! Recorded values as literals of SQL.

use serde_json::Value;
use std::fmt::Write;

/// The literal of a value; none where all of it is not known, or not its type.
pub fn sql(value: &Value) -> Option<String> {
    if value == "null" {
        return Some("NULL".to_owned());
    }
    let (kind, value) = value.as_object()?.iter().next()?;
    match (kind.as_str(), value) {
        ("text", Value::String(text)) if !text.contains("***") => Some(quoted(text)),
        // In quotes: it takes whatever type is wanted, and keeps its sign.
        ("integer" | "float", Value::Number(number)) => Some(format!("'{number}'")),
        ("boolean", Value::Bool(value)) => Some(value.to_string()),
        _ => None,
    }
}

/// A value as a reader sees it, in one line.
pub fn shown(value: &Value) -> String {
    sql(value).unwrap_or_else(|| match value.as_object().and_then(|object| object.iter().next()) {
        Some((kind, Value::String(value))) => format!("{kind} {value}"),
        Some((kind, value)) => format!("{kind} {value}"),
        None => value.to_string(),
    })
}

/// A literal that any server and psql read alike, whatever `standard_conforming_strings` says.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    let mut escapes = false;
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => {
                escapes = true;
                out.push_str("\\\\");
            }
            c if c.is_control() => {
                escapes = true;
                // Only formats a number.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    if escapes { format!("E'{out}'") } else { format!("'{out}'") }
}

/// Whether this is a type that can be named in a script.
pub fn is_type(name: &str) -> bool {
    let plain = name.strip_suffix("[]").unwrap_or(name);
    !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}
