//! Turns events into the lines of a recording, with their secrets masked.
//!
//! Owns what a line looks like, and remembers which statements are about secrets, because their parameters and
//! their errors come in later events. It allocates nothing for an event that holds nothing to mask.

mod results;
mod values;

use std::borrow::Cow;

use curfew_adapter::Event;
use serde::Serialize;

use self::results::Results;
use super::mask::{MASK, Masked, Masker};

/// How many statements about secrets are remembered one by one; of older ones, all count as such.
const REMEMBERED: usize = 256;

/// Numbers that grow, a few of them.
#[derive(Debug, Default)]
struct Few {
    numbers: Vec<u64>,
    /// Every number up to here counts as in.
    below: u64,
}

impl Few {
    fn insert(&mut self, number: u64) {
        if self.numbers.len() >= REMEMBERED {
            self.below = self.numbers.remove(0).max(self.below);
        }
        self.numbers.push(number);
    }

    fn contains(&self, number: u64) -> bool {
        number <= self.below || self.numbers.contains(&number)
    }
}

/// The encoder of one session.
#[derive(Debug, Default)]
pub struct Encoder {
    prepared: Few,
    statements: Few,
    /// SQL's own PREPARE was about a secret: an EXECUTE may bring it.
    prepares: bool,
    results: Results,
}

impl Encoder {
    /// Appends the event's line, with its newline, to `out`. `at` is in microseconds since 1970.
    ///
    /// # Errors
    /// The event cannot be written as JSON; `out` is as before.
    pub fn event(
        &mut self,
        masker: &Masker,
        at: i64,
        event: &Event<'_>,
        out: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        match event {
            Event::Prepare { prepared, name, text, types } => {
                let masked = self.masked(masker, text);
                if masked.sensitive {
                    self.prepared.insert(*prepared);
                }
                line(at, &Event::Prepare { prepared: *prepared, name, text: &masked.text, types }, out)
            }
            Event::Statement { n, text, prepared, continues, parameters } => {
                let masked = text.map(|text| self.masked(masker, text));
                let sensitive = masked.as_ref().is_some_and(|masked| masked.sensitive)
                    || prepared.is_some_and(|prepared| self.prepared.contains(prepared));
                if sensitive {
                    self.statements.insert(*n);
                }
                let text = masked.as_ref().map(|masked| &*masked.text);
                values::shown(
                    masker,
                    |_| sensitive,
                    parameters,
                    |parameters| {
                        let (n, prepared, continues) = (*n, *prepared, *continues);
                        line(at, &Event::Statement { n, text, prepared, continues, parameters }, out)
                    },
                )
            }
            Event::Columns { .. } | Event::Row { .. } | Event::Value { .. } | Event::Copy { .. } => {
                let sensitive = |n| self.statements.contains(n);
                self.results.event(masker, sensitive, event, |event| line(at, event, out))
            }
            Event::Result { n, tag, rows, bytes, copy_in, micros, sqlstate, error } => {
                // There may be more results, and so it is not forgotten here.
                let sensitive = self.statements.contains(*n);
                let error =
                    error.map(|error| if sensitive { Cow::Borrowed(MASK) } else { masker.message(error) });
                let event = Event::Result {
                    n: *n,
                    tag,
                    rows: *rows,
                    bytes: *bytes,
                    copy_in: *copy_in,
                    micros: *micros,
                    sqlstate: *sqlstate,
                    error: error.as_deref(),
                };
                line(at, &event, out)
            }
            Event::Unprepared { prepared, sqlstate, error } => {
                // Whatever was prepared by SQL under a name may be about a secret.
                let sensitive = prepared.map_or(self.prepares, |prepared| self.prepared.contains(prepared));
                let error = if sensitive { Cow::Borrowed(MASK) } else { masker.message(error) };
                line(at, &Event::Unprepared { prepared: *prepared, sqlstate, error: &error }, out)
            }
            Event::Goodbye { message } => {
                line(at, &Event::Goodbye { message: &masker.message(message) }, out)
            }
            Event::Channel { ch, purpose, command, terminal } => {
                let command = command.map(|command| masker.command(command));
                let event =
                    Event::Channel { ch: *ch, purpose, command: command.as_deref(), terminal: *terminal };
                line(at, &event, out)
            }
            Event::Environment { ch, name, value } => {
                let value = masker.variable(name, value);
                line(at, &Event::Environment { ch: *ch, name, value: &value }, out)
            }
            Event::Refused { what, why } => {
                line(at, &Event::Refused { what: &masker.command(what), why: &masker.command(why) }, out)
            }
            Event::File { ch, op, path, to, bytes, sha256, error } => {
                let (path, to) = (masker.path(path), to.map(|to| masker.path(to)));
                let error = error.map(|error| masker.path(error));
                let event = Event::File {
                    ch: *ch,
                    op,
                    path: &path,
                    to: to.as_deref(),
                    bytes: *bytes,
                    sha256: *sha256,
                    error: error.as_deref(),
                };
                line(at, &event, out)
            }
            Event::Cancel
            | Event::Countdown { .. }
            | Event::Output { .. }
            | Event::Input { .. }
            | Event::Resize { .. }
            | Event::Signal { .. }
            | Event::ChannelEnd { .. } => line(at, event, out),
        }
    }

    fn masked<'a>(&mut self, masker: &Masker, text: &'a str) -> Masked<'a> {
        let masked = masker.statement_after(text, self.prepares);
        self.prepares |= masked.prepares;
        masked
    }
}

/// Writes `{"at":…,` and the event's own members behind it.
pub fn line<E: Serialize>(at: i64, event: &E, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let start = out.len();
    out.extend_from_slice(b"{\"at\":");
    let written = serde_json::to_writer(&mut *out, &at).and_then(|()| {
        let brace = out.len();
        serde_json::to_writer(&mut *out, event)?;
        if let Some(brace) = out.get_mut(brace) {
            *brace = b',';
        }
        Ok(())
    });
    match written {
        Ok(()) => out.push(b'\n'),
        Err(_) => out.truncate(start),
    }
    written
}

#[cfg(test)]
mod tests;
