//! Finds a text in a recording: in statements, commands and paths as they stand, in terminals as it was on the screen.
//!
//! Pure: it takes the bytes of a recording and gives what it found. It knows neither who asks nor where recordings are.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use super::lines::Lines;
use super::screen::Screen;
use super::split::{Part, Splitter};
use super::told::{Texts, Told, What, drawable};

/// The most that is found in one recording.
pub const MAX_HITS: usize = 50;

/// The longest line that is given, in characters around the text.
const AROUND: usize = 120;

/// Lines that were found, so that none is given twice.
const MAX_KNOWN: usize = 4096;

/// Terminals that are followed at once; a client could open any number.
const MAX_SCREENS: usize = 64;

/// A place where the text is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// When it was there first, in microseconds since 1970 (UTC).
    pub at: i64,
    /// Where: `terminal`, `statement`, `command`, `output`, `file`, or the kind of the event.
    pub place: &'static str,
    /// The channel, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<u32>,
    /// The line that holds it.
    pub line: String,
}

/// The recording is not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

#[derive(Debug)]
struct Watched {
    screen: Screen,
    texts: Texts,
    /// What was found last in a row: more of it may be typed.
    rows: HashMap<usize, usize>,
}

/// Searches one recording.
#[derive(Debug)]
pub struct Search {
    needle: String,
    splitter: Splitter,
    screens: HashMap<u32, Watched>,
    lines: Lines,
    known: HashSet<u64>,
    hits: VecDeque<Hit>,
    found: usize,
}

impl Search {
    /// For this text, whatever its case.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            needle: text.to_lowercase(),
            splitter: Splitter::default(),
            screens: HashMap::new(),
            lines: Lines::default(),
            known: HashSet::new(),
            hits: VecDeque::new(),
            found: 0,
        }
    }

    /// Takes more of the recording.
    ///
    /// # Errors
    /// It is damaged; what was found before counts.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Damaged> {
        self.splitter.push(bytes);
        while let Some(part) = self.splitter.part().map_err(|_| Damaged)? {
            let Part::Chunk(chunk) = part else { continue };
            if !chunk.is_whole() {
                return Err(Damaged);
            }
            for line in chunk.lines() {
                if self.is_full() {
                    return Ok(());
                }
                let event = serde_json::from_slice(&line.map_err(|_| Damaged)?).map_err(|_| Damaged)?;
                self.event(&Told::read(event));
            }
        }
        Ok(())
    }

    /// Whether nothing more is looked for.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.found >= MAX_HITS
    }

    /// What was found, in order.
    #[must_use]
    pub fn hits(self) -> Vec<Hit> {
        self.hits.into()
    }

    fn event(&mut self, event: &Told) {
        match &event.what {
            What::Channel { ch, terminal: Some(terminal), .. } => {
                if self.screens.len() < MAX_SCREENS
                    && let Some(screen) = Screen::new(terminal.size())
                {
                    let watched = Watched { screen, texts: Texts::default(), rows: HashMap::new() };
                    self.screens.insert(*ch, watched);
                }
                self.plain(event, "command", Some(*ch));
            }
            What::Resize { ch, cols, rows } => {
                if let Some(watched) = self.screens.get_mut(ch) {
                    watched.screen.resize(drawable(*cols, *rows));
                    watched.rows.clear();
                }
            }
            What::ChannelEnd { ch, .. } => drop(self.screens.remove(ch)),
            What::Output { ch, data, .. } => match self.screens.remove(ch) {
                Some(mut watched) => {
                    let text = watched.texts.next(data);
                    let Watched { screen, rows, .. } = &mut watched;
                    screen.draw(&text, |row, line| self.on_screen(event.at, *ch, rows, row, line));
                    self.screens.insert(*ch, watched);
                }
                None => self.plain(event, "output", Some(*ch)),
            },
            What::Input { ch, .. } => self.plain(event, "input", Some(*ch)),
            What::Prepare { text, .. } => self.look(event.at, "statement", None, text),
            What::Statement { .. } => self.plain(event, "statement", None),
            What::Result { error: Some(_), .. }
            | What::Unprepared { .. }
            | What::Row { .. }
            | What::Value { .. }
            | What::Copy { .. } => self.plain(event, "result", None),
            What::Channel { ch, .. } => self.plain(event, "command", Some(*ch)),
            What::File { ch, .. } => self.plain(event, "file", Some(*ch)),
            What::Environment { ch, .. } => self.plain(event, "environment", Some(*ch)),
            What::Refused { .. } => self.plain(event, "refused", None),
            _ => {}
        }
    }

    /// Looks at the lines that a person would read.
    fn plain(&mut self, event: &Told, place: &'static str, channel: Option<u32>) {
        for line in self.lines.of(&event.what) {
            // The channel has a place of its own.
            let text = line.strip_prefix('[').and_then(|rest| rest.split_once("] ").map(|(_, text)| text));
            self.look(event.at, place, channel, text.unwrap_or(&line));
        }
    }

    fn look(&mut self, at: i64, place: &'static str, channel: Option<u32>, line: &str) {
        if let Some(line) = around(line, &self.needle) {
            self.add(Hit { at, place, channel, line });
        }
    }

    fn on_screen(
        &mut self,
        at: i64,
        ch: u32,
        rows: &mut HashMap<usize, usize>,
        row: Option<usize>,
        line: &str,
    ) {
        let Some(line) = around(line, &self.needle) else {
            if let Some(row) = row {
                rows.remove(&row);
            }
            return;
        };
        if self.known.contains(&hash(&line)) {
            return;
        }
        let before = row.and_then(|row| rows.get(&row)).and_then(|at| self.hits.get_mut(*at));
        if let Some(before) = before.filter(|before| line.starts_with(&before.line)) {
            before.line.clone_from(&line);
            self.know(&line);
            return;
        }
        self.add(Hit { at, place: "terminal", channel: Some(ch), line });
        if let Some(row) = row {
            rows.insert(row, self.hits.len().saturating_sub(1));
        }
    }

    fn add(&mut self, hit: Hit) {
        if self.is_full() {
            return;
        }
        if hit.place == "terminal" {
            self.know(&hit.line);
        }
        self.found += 1;
        self.hits.push_back(hit);
    }

    fn know(&mut self, line: &str) {
        if self.known.len() < MAX_KNOWN {
            self.known.insert(hash(line));
        }
    }
}

fn hash(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}

/// The line if it holds the needle (which is in lower case), cut to what is around it.
fn around(line: &str, needle: &str) -> Option<String> {
    let lower = line.to_lowercase();
    let found = lower.find(needle)?;
    // Lower case may be longer or shorter, so the place is counted in characters.
    let at = lower.get(..found).unwrap_or_default().chars().count();
    let length = needle.chars().count();
    let count = line.chars().count();
    if count <= 2 * AROUND + length {
        return Some(line.to_owned());
    }
    let from = at.saturating_sub(AROUND);
    let cut: String = line.chars().skip(from).take(2 * AROUND + length).collect();
    let before = if from > 0 { "…" } else { "" };
    let behind = if from + cut.chars().count() < count { "…" } else { "" };
    Some(format!("{before}{cut}{behind}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn search(needle: &str, events: &[Value]) -> Vec<Hit> {
        let mut search = Search::new(needle);
        for (at, event) in events.iter().enumerate() {
            let mut event = event.clone();
            event["at"] = json!(at);
            search.event(&Told::read(event));
        }
        search.hits()
    }

    fn terminal() -> Value {
        let terminal = json!({ "term": "xterm", "cols": 40, "rows": 4 });
        json!({ "kind": "channel", "ch": 1, "purpose": "shell", "terminal": terminal })
    }

    fn output(data: &str) -> Value {
        json!({ "kind": "output", "ch": 1, "data": data })
    }

    fn found(hits: &[Hit]) -> Vec<(i64, &str, &str)> {
        hits.iter().map(|hit| (hit.at, hit.place, hit.line.as_str())).collect()
    }

    #[test]
    fn what_was_typed_letter_by_letter_is_one_line_at_its_first_moment() {
        let events = [
            terminal(),
            output("$ "),
            output("se"),
            output("cr"),
            output("et"),
            output(".txt"),
            output("\r\n$ "),
        ];
        assert_eq!(found(&search("secret", &events)), [(4, "terminal", "$ secret.txt")]);
    }

    #[test]
    fn what_is_on_the_screen_is_found_and_what_only_steers_it_is_not() {
        let events = [terminal(), output("a\x1b[31mB\x1b[0mc"), output("\x1b]0;hidden\x07")];
        assert_eq!(found(&search("ABC", &events)), [(1, "terminal", "aBc")]);
        assert_eq!(search("31m", &events), []);
        assert_eq!(search("hidden", &events), []);
    }

    #[test]
    fn statements_commands_and_paths_are_found() {
        let events = [
            json!({ "kind": "statement", "n": 1, "text": "SELECT * FROM Secrets" }),
            json!({ "kind": "channel", "ch": 2, "purpose": "exec", "command": "cat secrets" }),
            json!({ "kind": "output", "ch": 2, "data": "one\nsecrets: two\n" }),
            json!({ "kind": "file", "ch": 3, "op": "get", "path": "/etc/secrets", "bytes": 5 }),
            json!({ "kind": "prepare", "prepared": 1, "name": "", "text": "DELETE FROM secrets" }),
        ];
        assert_eq!(
            found(&search("secrets", &events)),
            [
                (0, "statement", "SELECT * FROM Secrets"),
                (1, "command", "exec: cat secrets"),
                (2, "output", " secrets: two"),
                (3, "file", "get /etc/secrets, 5 bytes"),
                (4, "statement", "DELETE FROM secrets"),
            ]
        );
    }

    #[test]
    fn one_recording_gives_so_much_and_no_more() {
        let mut events = vec![terminal()];
        events.extend((0..500).map(|n| output(&format!("secret {n}\r\n"))));
        assert_eq!(search("secret", &events).len(), MAX_HITS);
    }

    #[test]
    fn a_long_line_is_cut_around_the_text() {
        let line = format!("{}secret{}", "ä".repeat(500), "x".repeat(500));
        let cut = around(&line, "secret").unwrap();
        assert!(cut.starts_with("…ä") && cut.ends_with("x…") && cut.contains("secret"));
        assert_eq!(cut.chars().count(), 2 * AROUND + "secret".len() + 2);
        assert_eq!(around("İstanbul SECRET", "secret").unwrap(), "İstanbul SECRET");
    }
}
