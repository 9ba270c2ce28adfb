//! Turns events into the lines of a recording, with their secrets masked.
//!
//! Owns what a line looks like, and remembers which statements are about secrets, because their parameters and
//! their errors come in later events. It allocates nothing for an event that holds nothing to mask.

use std::borrow::Cow;

use curfew_adapter::{Event, Parameter};
use serde::Serialize;

use super::mask::{MASK, Masker};

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

    fn remove(&mut self, number: u64) {
        self.numbers.retain(|other| *other != number);
    }
}

/// The encoder of one session.
#[derive(Debug, Default)]
pub struct Encoder {
    prepared: Few,
    statements: Few,
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
            Event::Prepare { prepared, name, text } => {
                let masked = masker.statement(text);
                if masked.sensitive {
                    self.prepared.insert(*prepared);
                }
                line(at, &Event::Prepare { prepared: *prepared, name, text: &masked.text }, out)
            }
            Event::Statement { n, text, prepared, parameters } => {
                let masked = text.map(|text| masker.statement(text));
                let sensitive = masked.as_ref().is_some_and(|masked| masked.sensitive)
                    || prepared.is_some_and(|prepared| self.prepared.contains(prepared));
                if sensitive {
                    self.statements.insert(*n);
                }
                let parameters = self::parameters(masker, sensitive, parameters);
                let parameters: Option<Vec<Parameter<'_>>> =
                    parameters.as_ref().map(|texts| texts.iter().map(Shown::parameter).collect());
                let event = Event::Statement {
                    n: *n,
                    text: masked.as_ref().map(|masked| &*masked.text),
                    prepared: *prepared,
                    parameters: parameters.as_deref().unwrap_or(match event {
                        Event::Statement { parameters, .. } => parameters,
                        _ => &[],
                    }),
                };
                line(at, &event, out)
            }
            Event::Result { n, tag, rows, bytes, copy_in, micros, sqlstate, error } => {
                let sensitive = self.statements.contains(*n);
                self.statements.remove(*n);
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
}

/// A parameter as it may be seen.
enum Shown<'a> {
    Text(Cow<'a, str>),
    As(Parameter<'a>),
}

impl Shown<'_> {
    fn parameter(&self) -> Parameter<'_> {
        match self {
            Self::Text(text) => Parameter::Text(text),
            Self::As(parameter) => *parameter,
        }
    }
}

/// The parameters, masked; none when they may be seen as they are.
fn parameters<'a>(masker: &Masker, sensitive: bool, given: &'a [Parameter<'a>]) -> Option<Vec<Shown<'a>>> {
    let shown = |parameter: &Parameter<'a>| match *parameter {
        Parameter::Null | Parameter::Length(_) => Shown::As(*parameter),
        _ if sensitive => Shown::Text(Cow::Borrowed(MASK)),
        Parameter::Text(text) => Shown::Text(masker.value(text)),
        Parameter::Integer(_) | Parameter::Float(_) if masker.hides(parameter) => {
            Shown::Text(Cow::Borrowed(MASK))
        }
        _ => Shown::As(*parameter),
    };
    let same = |parameter: &Parameter<'a>| match (shown(parameter), parameter) {
        (Shown::As(_), _) => true,
        (Shown::Text(shown), Parameter::Text(given)) => shown == *given,
        (Shown::Text(_), _) => false,
    };
    if given.iter().all(same) { None } else { Some(given.iter().map(shown).collect()) }
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
mod tests {
    use super::*;

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

    fn executed<'a>(n: u64, prepared: u64, parameters: &'a [Parameter<'a>]) -> Event<'a> {
        Event::Statement { n, text: None, prepared: Some(prepared), parameters }
    }

    #[test]
    fn an_event_is_a_line_with_its_time_first() {
        let event = Event::Statement { n: 1, text: Some("SELECT 1"), prepared: None, parameters: &[] };
        assert_eq!(lines(&[event]), [r#"{"at":7,"kind":"statement","n":1,"text":"SELECT 1"}"#]);
        assert_eq!(lines(&[Event::Cancel]), [r#"{"at":7,"kind":"cancel"}"#]);
    }

    #[test]
    fn parameters_and_errors_of_a_statement_about_secrets_are_masked() {
        let secret = [Parameter::Text("hunter2"), Parameter::Null, Parameter::Integer(5)];
        let all = lines(&[
            Event::Prepare { prepared: 1, name: "", text: "UPDATE users SET password = $1 WHERE id = $3" },
            Event::Prepare { prepared: 2, name: "", text: "SELECT $1" },
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
        assert!(
            all[4].contains("hunter2") && all[5].contains("hunter2"),
            "only the first was about a secret"
        );
    }

    #[test]
    fn a_number_that_the_contract_masks_is_masked_as_a_parameter() {
        let all =
            lines(&[executed(1, 1, &[Parameter::Integer(4_111_111_111_111_111), Parameter::Integer(1)])]);
        assert!(all[0].contains(r#"[{"text":"'***'"},{"integer":1}]"#), "{}", all[0]);
    }

    #[test]
    fn an_error_of_an_unclosed_password_is_masked() {
        let all = lines(&[
            Event::Statement {
                n: 1,
                text: Some("ALTER ROLE b PASSWORD 'hunter2"),
                prepared: None,
                parameters: &[],
            },
            failed(1, "unterminated quoted string at or near \"'hunter2\""),
        ]);
        assert!(!all.concat().contains("hunter2"), "{all:?}");
    }

    #[test]
    fn commands_variables_and_paths_are_masked_and_terminals_are_as_they_were() {
        let data = curfew_adapter::Text(b"password=hunter2");
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
        few.remove(14);
        assert!(!few.contains(14));
    }
}
