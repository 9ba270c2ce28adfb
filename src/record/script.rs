//! A recording of Postgres as a script of SQL, for people to read and for psql to run.
//!
//! Owns what of a recording is SQL that may be run, and what is only told in comments. Whoever was recorded chose every
//! letter of it, and whoever judges them may feed it to psql: nothing of it may become a command of psql's own (`\!`), and
//! what is not certain to be read as it was by the server stands behind `--`.

mod literal;

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::mask::lex::{Kind, Lexer, is_clear};
use super::told::{Told, What};

/// How many prepared statements are remembered by their text.
const PREPARED: usize = 10_000;

/// What of a statement is known before it comes to its end.
#[derive(Debug)]
struct Ran {
    at: i64,
    text: Option<String>,
    prepared: Option<u64>,
    continues: Option<u64>,
    parameters: Vec<Value>,
}

/// What came of it.
#[derive(Debug, Default)]
struct Came {
    tags: Vec<String>,
    rows: u64,
    bytes: u64,
    copied: u64,
    micros: u64,
    error: Option<(String, String)>,
    ended: bool,
}

/// Writes the script of one recording, event by event.
#[derive(Debug, Default)]
pub struct Script {
    prepared: HashMap<u64, (String, Vec<String>)>,
    /// Statements that have not all their results yet, in their order.
    running: Vec<(u64, Ran, Came)>,
}

impl Script {
    /// The lines that are certain once this event is known.
    pub fn of(&mut self, told: &Told) -> String {
        match &told.what {
            What::Session { identity, protocol, target, account } => {
                comment(&format!("{} on {target} as {account} ({protocol})", identity.email))
                    + &comment(&format!("began {}", moment(told.at)))
                    + &comment(
                        "Statements that failed, were cut off, or can't be told to be safe are comments.",
                    )
            }
            What::Prepare { prepared, text, types } => {
                if self.prepared.len() >= PREPARED {
                    self.prepared.clear();
                }
                self.prepared.insert(*prepared, (text.clone(), types.clone()));
                String::new()
            }
            What::Statement { n, text, prepared, continues, parameters } => {
                // A Query has one result or several: all of them are there when the next statement has its first.
                let (text, parameters) = (text.clone(), parameters.clone());
                let ran = Ran { at: told.at, text, prepared: *prepared, continues: *continues, parameters };
                self.running.push((*n, ran, Came::default()));
                String::new()
            }
            What::Result { n, tag, rows, bytes, copy_in, micros, sqlstate, error } => {
                let at = self.running.iter().position(|(running, ..)| running == n);
                let Some(at) = at else { return String::new() };
                // Answers come in the order of the statements.
                let before: Vec<_> = self.running.drain(..at).collect();
                if let Some((_, _, came)) = self.running.first_mut() {
                    came.ended = true;
                    came.rows += rows;
                    came.bytes += bytes;
                    came.copied += copy_in;
                    came.micros = came.micros.max(*micros);
                    came.tags.extend((!tag.is_empty()).then(|| tag.clone()));
                    if let Some(error) = error {
                        came.error = Some((sqlstate.clone().unwrap_or_default(), error.clone()));
                    }
                }
                before.iter().map(|(n, ran, came)| self.statement(*n, ran, came)).collect()
            }
            What::Unprepared { prepared, sqlstate, error } => {
                let known = prepared.and_then(|number| self.prepared.get(&number));
                let text = known.map_or("a statement", |(text, _)| text.as_str());
                let why = format!("{}: not prepared, error {sqlstate}: {error}", moment(told.at));
                format!("\n{}{}", comment(&why), comment(text))
            }
            What::Cancel => comment(&format!("{}: the client cancelled", moment(told.at))),
            What::Countdown { remaining } => {
                comment(&format!("{}: the client was told that {remaining} s remain", moment(told.at)))
            }
            What::Goodbye { message } => {
                self.end() + &comment(&format!("{}: the client was told: {message}", moment(told.at)))
            }
            _ => String::new(),
        }
    }

    /// What is left at the end of the recording.
    pub fn end(&mut self) -> String {
        let running = std::mem::take(&mut self.running);
        running.iter().map(|(n, ran, came)| self.statement(*n, ran, came)).collect()
    }

    fn statement(&self, n: u64, ran: &Ran, came: &Came) -> String {
        let mut out = format!("\n-- statement {n}, {}, {}\n", moment(ran.at), came.told());
        if let Some(first) = ran.continues {
            return out + &comment(&format!("more rows of statement {first}"));
        }
        if let Some((state, error)) = &came.error {
            out += &comment(&format!("error {state}: {error}"));
        }
        let known = ran.prepared.and_then(|number| self.prepared.get(&number));
        let (text, types) = match (&ran.text, known) {
            (Some(text), _) => (text.as_str(), &[][..]),
            (None, Some((text, types))) => (text.as_str(), types.as_slice()),
            (None, None) => return out + &comment("a statement whose text is not known"),
        };
        for (n, parameter) in ran.parameters.iter().enumerate() {
            out += &comment(&format!("${} = {}", n + 1, literal::shown(parameter)));
        }
        let values: Option<Vec<_>> = ran.parameters.iter().map(literal::sql).collect();
        if came.is_rolled_back(text) {
            return out
                + &comment("its transaction had failed, and was rolled back:")
                + &comment(text)
                + "ROLLBACK;\n";
        }
        match (came.obstacle(), is_safe(text), values) {
            (None, Ok(()), Some(values)) if values.is_empty() => out + &ended(text),
            (None, Ok(()), Some(values)) => {
                let types: Vec<_> =
                    types.iter().map(|name| if literal::is_type(name) { name } else { "unknown" }).collect();
                let types = if types.is_empty() { String::new() } else { format!(" ({})", types.join(", ")) };
                let execute =
                    format!("EXECUTE curfew_{n} ({});\nDEALLOCATE curfew_{n};\n", values.join(", "));
                format!("{out}PREPARE curfew_{n}{types} AS\n{}{execute}", ended(text))
            }
            (None, Ok(()), None) => out + &comment("not all of its parameters are known:") + &comment(text),
            (Some(why), ..) | (None, Err(why), _) => {
                let why = if came.error.is_some() { String::new() } else { comment(why) };
                out + &why + &comment(text)
            }
        }
    }
}

impl Came {
    fn told(&self) -> String {
        if !self.ended {
            return "no end of it".to_owned();
        }
        let took = format!("{}.{:03} ms", self.micros / 1000, self.micros % 1000);
        let mut parts = vec![took];
        parts.extend((self.rows > 0).then(|| format!("{} rows", self.rows)));
        parts.extend((self.bytes > 0).then(|| format!("{} bytes", self.bytes)));
        parts.extend((self.copied > 0).then(|| format!("{} bytes copied in", self.copied)));
        parts.extend((!self.tags.is_empty()).then(|| one_line(&self.tags.join("; "))));
        parts.join(", ")
    }

    /// Why what came of it speaks against running it.
    fn obstacle(&self) -> Option<&'static str> {
        if self.error.is_some() {
            return Some("it failed:");
        }
        (!self.ended).then_some("it did not come to an end:")
    }

    /// A COMMIT of a failed transaction rolls it back.
    fn is_rolled_back(&self, text: &str) -> bool {
        let word = text.trim_start().get(..3).unwrap_or_default();
        let ends = word.eq_ignore_ascii_case("com") || word.eq_ignore_ascii_case("end");
        self.error.is_none() && ends && matches!(self.tags.as_slice(), [tag] if tag == "ROLLBACK")
    }
}

/// Whether psql hands this text on to the server as it is.
fn is_safe(text: &str) -> Result<(), &'static str> {
    if text.contains("***") {
        return Err("something in it is masked:");
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err("it has control characters:");
    }
    if !is_clear(text) || Lexer::new(text).any(|token| token.kind == Kind::Unclear) {
        return Err("it can't be told where its literals end:");
    }
    let bytes = text.as_bytes();
    for token in Lexer::new(text) {
        let word = text.get(token.span.clone()).unwrap_or_default();
        match token.kind {
            Kind::Word if word.eq_ignore_ascii_case("stdin") => {
                return Err("its data is not in this script:");
            }
            // What stands there is a command of psql's, or a variable (`:name`, `:'name'`, `:{?name}`).
            Kind::Other if word == "\\" => return Err("it has a backslash outside of literals:"),
            Kind::Other if word == ":" => {
                let before = token.span.start.checked_sub(1).and_then(|at| bytes.get(at));
                let behind = bytes.get(token.span.end);
                let plain = behind.is_none_or(|byte| {
                    byte.is_ascii_digit() || matches!(byte, b' ' | b'\n' | b'\t' | b':' | b'=' | b']')
                });
                if !plain && before != Some(&b':') {
                    return Err("it has what psql takes for a variable:");
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The text with its end, on lines of its own.
fn ended(text: &str) -> String {
    let last = Lexer::new(text).filter(|token| token.kind != Kind::Space).last();
    let end = match last.map(|token| token.kind) {
        None => return comment("an empty statement"),
        Some(Kind::Semicolon) => "",
        // It may end with its line.
        Some(Kind::Comment) => "\n;",
        Some(_) => ";",
    };
    format!("{}{end}\n", text.trim_end())
}

/// Lines that psql leaves alone.
fn comment(text: &str) -> String {
    let line = |line: &str| format!("-- {}\n", one_line(line));
    text.split(['\n', '\r']).map(line).collect()
}

/// Without characters that end a line, or do something to a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn moment(at: i64) -> String {
    Timestamp::from_microsecond(at).map_or_else(|_| at.to_string(), |at| format!("{at:.6}"))
}

#[cfg(test)]
mod tests;
