//! What a command prints: results on standard output, everything else on standard error.
//!
//! Owns colour (on a terminal only, and never under NO_COLOR), tables, times, and the cleaning of texts that others
//! wrote. A command never prints by itself.

mod table;
mod tame;
mod when;

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};

use curfew_adapter::Clock;
use jiff::{Timestamp, tz::TimeZone};

use crate::cli::CliError;

pub use table::{Cell, Table};
pub use tame::{RESTORE, Tame};
pub use when::{absolute, parse_at, relative, span};

/// How a word is meant, and hence coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// It may go on: active, approved, granted.
    Good,
    /// It waits for somebody.
    Waiting,
    /// It was refused, or ended before its time.
    Bad,
    /// Less important.
    Dim,
    /// What to look at.
    Strong,
}

impl Tone {
    /// The tone of a state of a request, grant or recording.
    pub fn of_state(state: &str) -> Self {
        match state {
            "approved" | "active" | "live" => Self::Good,
            "pending" | "scheduled" => Self::Waiting,
            "denied" | "revoked" => Self::Bad,
            "expired" | "cancelled" | "returned" | "ended" => Self::Dim,
            _ => Self::Plain,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "32",
            Self::Waiting => "33",
            Self::Bad => "31",
            Self::Dim => "2",
            Self::Strong => "1",
        }
    }
}

/// Where a command prints, and how.
pub struct Output {
    result: Box<dyn Write + Send>,
    aside: Box<dyn Write + Send>,
    colour: bool,
    terminal: bool,
    clock: Clock,
    zone: TimeZone,
}

impl Output {
    /// The process's own standard output and error, in this machine's time zone.
    pub fn standard(clock: Clock) -> Self {
        let terminal = io::stdout().is_terminal();
        // https://no-color.org: set and not empty.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            result: Box::new(io::stdout()),
            aside: Box::new(io::stderr()),
            colour: terminal && !refused && !dumb,
            terminal,
            clock,
            zone: TimeZone::system(),
        }
    }

    /// Into these writers, without colour, in UTC: for tests.
    pub fn to(result: impl Write + Send + 'static, aside: impl Write + Send + 'static, clock: Clock) -> Self {
        let (result, aside) = (Box::new(result), Box::new(aside));
        Self { result, aside, colour: false, terminal: false, clock, zone: TimeZone::UTC }
    }

    /// Whether a person looks at the result.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    /// The zone that times are shown and read in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// A moment, seen from now: `in 42 min (15:04 UTC)`.
    pub fn when(&self, at: Timestamp) -> String {
        relative(at, self.now(), &self.zone)
    }

    /// One line of the result.
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), CliError> {
        Ok(writeln!(self.result, "{}", text.as_ref())?)
    }

    /// Bytes of the result as they are, and a newline unless they end in one.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.bytes(bytes)?;
        if !bytes.ends_with(b"\n") {
            self.result.write_all(b"\n")?;
        }
        Ok(self.result.flush()?)
    }

    /// Bytes of the result, and nothing else.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        Ok(self.result.write_all(bytes)?)
    }

    /// Bytes of the result, now.
    pub fn frame(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.bytes(bytes)?;
        Ok(self.result.flush()?)
    }

    /// A line that is not the result: progress, a question, a next step.
    pub fn note(&mut self, text: impl AsRef<str>) -> Result<(), CliError> {
        Ok(writeln!(self.aside, "{}", text.as_ref())?)
    }

    /// Asks on standard error, without a newline.
    pub fn ask(&mut self, text: &str) -> Result<(), CliError> {
        write!(self.aside, "{text} ")?;
        Ok(self.aside.flush()?)
    }

    /// A table, or `none` where it has no rows.
    pub fn table(&mut self, table: &Table, none: &str) -> Result<(), CliError> {
        if table.is_empty() {
            return self.note(none);
        }
        let text = table.render(self.colour);
        Ok(self.result.write_all(text.as_bytes())?)
    }

    /// One fact of a list of facts: `  label   text`. Nothing where the text is empty.
    pub fn fact(&mut self, label: &str, text: impl AsRef<str>) -> Result<(), CliError> {
        let text = text.as_ref();
        if text.is_empty() {
            return Ok(());
        }
        let label = self.paint(Tone::Dim, &format!("{label:<10}"));
        self.line(format!("  {label} {text}"))
    }

    /// The text in its colour, where there is colour.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.colour, tone, text)
    }
}

fn paint(colour: bool, tone: Tone, text: &str) -> String {
    match tone.code() {
        code if colour && !code.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
        _ => text.to_owned(),
    }
}

/// One line from standard input, where somebody answers.
///
/// # Errors
/// Standard input has ended.
pub fn answer() -> Result<String, CliError> {
    let mut line = String::new();
    // A person's answer is short; the cap is against a pipe that never ends a line.
    let read = io::Read::take(io::stdin().lock(), 1024).read_line(&mut line)?;
    if read == 0 {
        return Err(CliError::failed("no answer came on standard input"));
    }
    Ok(line.trim().to_owned())
}

/// A text that somebody else wrote, fit for a terminal and for one line: control characters, and those that turn the
/// direction of writing around, are spelled out.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => clean.push(' '),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                spell(&mut clean, c)
            }
            c if c.is_control() => spell(&mut clean, c),
            c => clean.push(c),
        }
    }
    clean
}

fn spell(to: &mut String, c: char) {
    // Writing to a String can't fail.
    let _ = write!(to, "\\u{{{:x}}}", u32::from(c));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_stranger_cannot_steer_the_terminal() {
        assert_eq!(clean("a\x1b[2Jb\u{9b}c\nd\u{202e}e"), "a\\u{1b}[2Jb\\u{9b}c d\\u{202e}e");
        assert_eq!(clean("Käse 日本"), "Käse 日本");
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        assert_eq!(paint(true, Tone::Good, "x"), "\x1b[32mx\x1b[0m");
        assert_eq!(paint(false, Tone::Good, "x"), "x");
        assert_eq!(paint(true, Tone::Plain, "x"), "x");
    }
}
