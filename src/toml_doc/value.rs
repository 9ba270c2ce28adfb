//! One value of a file, with its place: typed readers that note a problem and return `None` where they can't.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr, time::Duration};

use regex::Regex;
use toml::de::DeValue;

use super::{Mark, Section, closest, parse_duration, problems::Source, show_duration, suggest::listed};

/// A value, the key under which it stands and its place.
#[derive(Clone)]
pub struct Value<'d> {
    pub(super) source: &'d Source<'d>,
    pub(super) value: &'d DeValue<'d>,
    pub(super) at: Mark,
    /// The key alone, for messages.
    pub(super) key: String,
    /// The dotted path to it.
    pub(super) path: String,
}

impl<'d> Value<'d> {
    /// Where it stands, for a problem that turns up later.
    pub fn mark(&self) -> Mark {
        self.at
    }

    /// Notes a problem here. `message` follows the key's name: "must be …", "names no target".
    pub fn problem(&self, message: impl Display) {
        self.source.note(self.at, format!("`{}` {message}", self.key));
    }

    /// A string; an empty one is a problem.
    pub fn string(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) if text.trim().is_empty() => {
                self.problem("must not be empty");
                None
            }
            DeValue::String(text) => Some(text.clone().into_owned()),
            DeValue::Integer(number) => {
                self.problem(format_args!("must be a string; write \"{number}\""));
                None
            }
            DeValue::Boolean(truth) => {
                self.problem(format_args!("must be a string; write \"{truth}\""));
                None
            }
            _ => self.wrong_type("a string in quotes"),
        }
    }

    /// `true` or `false`.
    pub fn bool(&self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong_type("true or false, without quotes"))
    }

    /// A whole number within `range`.
    pub fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let wanted = || {
            if *range.end() == u64::MAX {
                format!("a whole number of at least {}", range.start())
            } else {
                format!("a whole number from {} to {}", range.start(), range.end())
            }
        };
        let Some(number) = self.value.as_integer() else {
            return self.wrong_type(&wanted());
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                self.problem(format_args!("must be {}, not {number}", wanted()));
                None
            }
        }
    }

    /// A duration such as `"1h30m"` within `range`.
    pub fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let DeValue::String(text) = self.value else {
            return self.wrong_type("a duration in quotes, such as \"90s\", \"15m\" or \"7d\"");
        };
        let duration = self.check(parse_duration(text))?;
        if range.contains(&duration) {
            return Some(duration);
        }
        let (from, to) = (show_duration(*range.start()), show_duration(*range.end()));
        if *range.end() == Duration::MAX {
            self.problem(format_args!("must be at least \"{from}\", not \"{text}\""));
        } else {
            self.problem(format_args!("must be from \"{from}\" to \"{to}\", not \"{text}\""));
        }
        None
    }

    /// A regular expression, in the syntax of the `regex` crate (no look-around, linear time).
    pub fn regex(&self) -> Option<Regex> {
        let text = self.string()?;
        self.check(Regex::new(&text).map_err(|error| {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("must be a regular expression: {why}")
        }))
    }

    /// One of a few words, each standing for something.
    pub fn one_of<T: Clone>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.string()?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(meaning.clone());
        }
        let names = || words.iter().map(|(word, _)| *word);
        match closest(&text, names()) {
            Some(word) => {
                self.problem(format_args!("must be {}; did you mean \"{word}\"?", listed(names(), '"')))
            }
            None => self.problem(format_args!("must be {}, not \"{text}\"", listed(names(), '"'))),
        }
        None
    }

    /// A string that `T` reads. `what` says what it must be, with an example: `an address such as "0.0.0.0:443"`.
    pub fn parse<T: FromStr>(&self, what: &str) -> Option<T> {
        let text = self.string()?;
        self.check(text.parse().map_err(|_| format!("must be {what}, not \"{text}\"")))
    }

    /// Notes the error of `outcome`: a phrase that follows the key's name.
    pub fn check<T>(&self, outcome: Result<T, impl Display>) -> Option<T> {
        outcome.map_err(|message| self.problem(message)).ok()
    }

    /// The elements of an array.
    pub fn list(&self) -> Option<Vec<Value<'d>>> {
        let Some(elements) = self.value.as_array() else {
            return self.wrong_type("a list in square brackets");
        };
        let element = |element: &'d toml::Spanned<DeValue<'d>>| Value {
            source: self.source,
            value: element.get_ref(),
            at: Mark(element.span().start),
            key: self.key.clone(),
            path: self.path.clone(),
        };
        Some(elements.iter().map(element).collect())
    }

    /// The elements of an array, each read by `reader`. Every element is read, also behind a wrong one.
    pub fn list_of<T>(&self, reader: impl Fn(&Value<'d>) -> Option<T>) -> Option<Vec<T>> {
        let read: Vec<Option<T>> = self.list()?.iter().map(reader).collect();
        read.into_iter().collect()
    }

    /// A list of strings.
    pub fn strings(&self) -> Option<Vec<String>> {
        self.list_of(|element| element.string())
    }

    /// A table, read by `reader`; keys that it does not ask for are problems.
    pub fn table<T>(&self, reader: impl FnOnce(&Section<'d>) -> Option<T>) -> Option<T> {
        match self.value {
            DeValue::Table(table) => {
                Section::new(self.source, table, self.at, self.path.clone()).read_with(reader)
            }
            _ => self.wrong_type("a table, { … }"),
        }
    }

    /// Whether it is a string, for keys that take a word or something larger.
    pub fn is_string(&self) -> bool {
        self.value.is_str()
    }

    /// Whether it is a table, for keys that take a word or something larger.
    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// Whether it is a list, for keys that take a word or something larger.
    pub fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// Notes that it must be `wanted`.
    pub fn wrong_type<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.problem(format_args!("must be {wanted}, not {found}"));
        None
    }
}
