//! One table of a file. It remembers which keys it was asked for; the others are problems when its reader is done.

use std::{cell::RefCell, collections::BTreeMap, ops::RangeInclusive, str::FromStr, time::Duration};

use regex::Regex;
use toml::de::DeTable;

use super::{Mark, Value, closest, problems::Source};

/// A table: `[section]`, `[[element]]` or `{ inline = "…" }`.
pub struct Section<'d> {
    source: &'d Source<'d>,
    table: &'d DeTable<'d>,
    at: Mark,
    path: String,
    asked: RefCell<Asked>,
}

#[derive(Default)]
struct Asked {
    known: Vec<String>,
    /// Keys that had to be there, with the message to give unless a misspelling explains it.
    missing: Vec<(String, String)>,
}

impl<'d> Section<'d> {
    pub(super) fn of_root(source: &'d Source<'d>, table: &'d DeTable<'d>) -> Self {
        Self::new(source, table, Mark(0), String::new())
    }

    pub(super) fn new(source: &'d Source<'d>, table: &'d DeTable<'d>, at: Mark, path: String) -> Self {
        Self { source, table, at, path, asked: RefCell::default() }
    }

    pub(super) fn read_with<T>(self, reader: impl FnOnce(&Self) -> Option<T>) -> Option<T> {
        let read = reader(&self);
        self.finish();
        read
    }

    /// Where it begins, for a problem that turns up later.
    pub fn mark(&self) -> Mark {
        self.at
    }

    /// Notes a problem of the whole section.
    pub fn problem(&self, message: impl Into<String>) {
        self.source.note(self.at, message.into());
    }

    /// Notes a problem at a place taken earlier.
    pub fn problem_at(&self, at: Mark, message: impl Into<String>) {
        self.source.note(at, message.into());
    }

    /// Whether it has `key`, whose reading is left to another call.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Every key that is there, with its value: for tables whose keys are the user's own.
    pub fn entries(&self) -> Vec<(String, Value<'d>)> {
        let keys: Vec<String> = self.table.keys().map(|key| key.get_ref().clone().into_owned()).collect();
        keys.into_iter().filter_map(|key| self.get(&key).map(|value| (key, value))).collect()
    }

    /// The value of `key`, if it is there.
    pub fn get(&self, key: &str) -> Option<Value<'d>> {
        self.asked.borrow_mut().known.push(key.to_owned());
        let value = self.table.get(key)?;
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        // The span of a table under a header is the header; that of a value is the value, where the mistake is.
        let at = Mark(value.span().start);
        Some(Value { source: self.source, value: value.get_ref(), at, key: key.to_owned(), path })
    }

    /// The value of `key`, which must be there. `example` is a value to write, in TOML.
    pub fn require(&self, key: &str, example: &str) -> Option<Value<'d>> {
        let value = self.get(key);
        if value.is_none() {
            let message = format!("missing key `{key}` {}; write `{key} = {example}`", self.place());
            self.asked.borrow_mut().missing.push((key.to_owned(), message));
        }
        value
    }

    /// A key that is spelled right, but that this version does not have. `why` follows "is not known to this version: ".
    pub fn not_yet(&self, key: &str, why: &str) {
        if let Some((found, _)) = self.table.get_key_value(key) {
            self.asked.borrow_mut().known.push(key.to_owned());
            let message = format!("`{key}` {} is not known to this version: {why}", self.place());
            self.source.note(Mark(found.span().start), message);
        }
    }

    /// A string that must be there.
    pub fn string(&self, key: &str, example: &str) -> Option<String> {
        self.require(key, example)?.string()
    }

    /// A string, if it is there.
    pub fn optional_string(&self, key: &str) -> Option<String> {
        self.get(key)?.string()
    }

    /// A list of strings; empty where it is left out.
    pub fn strings(&self, key: &str) -> Vec<String> {
        self.get(key).and_then(|value| value.strings()).unwrap_or_default()
    }

    /// A table of strings under keys of the user's own; empty where it is left out.
    pub fn string_map(&self, key: &str) -> BTreeMap<String, String> {
        self.optional_table(key, |table| {
            let entries = table.entries().into_iter();
            Some(entries.filter_map(|(name, value)| value.string().map(|text| (name, text))).collect())
        })
        .unwrap_or_default()
    }

    /// `true` or `false`, if it is there.
    pub fn optional_bool(&self, key: &str) -> Option<bool> {
        self.get(key)?.bool()
    }

    /// A whole number within `range`, if it is there.
    pub fn optional_integer(&self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.get(key)?.integer(range)
    }

    /// A duration within `range` that must be there.
    pub fn duration(&self, key: &str, example: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.require(key, example)?.duration(range)
    }

    /// A duration within `range`, if it is there.
    pub fn optional_duration(&self, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.get(key)?.duration(range)
    }

    /// A regular expression, if it is there.
    pub fn optional_regex(&self, key: &str) -> Option<Regex> {
        self.get(key)?.regex()
    }

    /// One of a few words, if it is there.
    pub fn optional_one_of<T: Clone>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        self.get(key)?.one_of(words)
    }

    /// A string that `T` reads, if it is there; `what` as for [`Value::parse`].
    pub fn optional_parse<T: FromStr>(&self, key: &str, what: &str) -> Option<T> {
        self.get(key)?.parse(what)
    }

    /// A table that must be there.
    pub fn table<T>(&self, key: &str, reader: impl FnOnce(&Section<'d>) -> Option<T>) -> Option<T> {
        let found = self.get(key);
        if found.is_none() {
            let header = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
            let message = format!("missing section [{header}]");
            self.asked.borrow_mut().missing.push((key.to_owned(), message));
        }
        found?.table(reader)
    }

    /// A table, if it is there.
    pub fn optional_table<T>(&self, key: &str, reader: impl FnOnce(&Section<'d>) -> Option<T>) -> Option<T> {
        self.get(key)?.table(reader)
    }

    /// An array of tables, `[[key]]` or `key = [{ … }]`, each read by `reader`; empty where it is left out. Those that
    /// `reader` gave up on are left out.
    pub fn tables<T>(&self, key: &str, reader: impl Fn(&Section<'d>) -> Option<T>) -> Vec<T> {
        let Some(value) = self.get(key) else { return Vec::new() };
        if value.is_table() {
            value.problem(format_args!("is a list of tables: write [[{key}]], or [{{ … }}] inline"));
            return Vec::new();
        }
        let elements = value.list().unwrap_or_default();
        elements.into_iter().filter_map(|element| element.table(&reader)).collect()
    }

    /// `in [listen]`, or `at the top of the file`.
    fn place(&self) -> String {
        if self.path.is_empty() { "at the top of the file".to_owned() } else { format!("in [{}]", self.path) }
    }

    fn finish(self) {
        let Asked { known, mut missing } = self.asked.take();
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if known.iter().any(|known| known == name) {
                continue;
            }
            // A key that is there already can't be what was meant.
            let candidates =
                known.iter().map(String::as_str).filter(|known| !self.table.contains_key(*known));
            let mut message = format!("unknown key `{name}` {}", self.place());
            if let Some(meant) = closest(name, candidates) {
                message.push_str(&format!("; did you mean `{meant}`?"));
                missing.retain(|(key, _)| key != meant);
            } else if !known.is_empty() {
                message.push_str(&format!("; known here: {}", known.join(", ")));
            }
            self.source.note(Mark(key.span().start), message);
        }
        for (_, message) in missing {
            self.source.note_missing(self.at, message);
        }
    }
}
