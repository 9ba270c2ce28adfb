//! Masking: secrets in SQL and in error messages are replaced before they are recorded.
//!
//! Owns the rule, which docs/formats.md tells readers of recordings:
//! - In a statement, from the word PASSWORD on (or any name with `passw` in it, or what a contract's mask
//!   matches), every literal, number and comment is masked, up to the end of that statement.
//! - `password=…` in connection strings and `scheme://user:password@` in URLs are masked wherever they stand.
//! - A literal that a contract's mask matches is masked.
//! - A text with a quote or a comment that is not closed has all its literals masked, and its error: no server has run it,
//!   and nobody can tell what it was meant to hide. From where it cannot be read for certain, all of it is masked.
//! - A message is masked from its first such word on.
//! - In commands and variables, values are masked, and in paths what a contract's mask matches.
//!
//! - Escapes in literals and names are seen through (`E'p\x61ssword=…'`), as far as it takes to tell what they are about.
//! - What EXECUTEs a statement that SQL's PREPARE made is masked as that statement was.
//!
//! It masks rather too much than too little, never panics, and allocates only where there is something to mask, or a
//! literal with escapes or line breaks in it to be read. It does not see through what is put together at run time
//! (`'pass' || 'word=…'`).

mod command;
mod conninfo;
mod escape;
pub mod lex;

use std::borrow::Cow;

use curfew_adapter::Parameter;
use regex::Regex;

use self::lex::{Kind, Lexer, Token};

/// What stands in place of a masked literal.
pub const MASK: &str = "'***'";

/// How deep literals within dollar-quoted literals are read; deeper ones are masked whole.
const MAX_DEPTH: u32 = 8;

/// The masks of a session: what is always masked, and what its contract adds.
#[derive(Debug, Default)]
pub struct Masker {
    patterns: Vec<Regex>,
}

/// A text that is safe to record.
#[derive(Debug, PartialEq, Eq)]
pub struct Masked<'a> {
    /// The text, borrowed unless something was masked.
    pub text: Cow<'a, str>,
    /// Whether it is about a secret, masked or not: then parameters, results and errors of it are masked as well.
    pub sensitive: bool,
    /// Whether it may have prepared, by SQL's own PREPARE, a statement about a secret: whatever EXECUTEs it may bring that
    /// secret, and says nothing of it.
    pub prepares: bool,
}

impl Masker {
    /// The masks of a contract, as regular expressions.
    ///
    /// # Errors
    /// The first one that is no regular expression.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, regex::Error> {
        let patterns =
            patterns.iter().map(|pattern| Regex::new(pattern.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { patterns })
    }

    /// Whether there is anything in this text that a mask is about.
    pub(in crate::record) fn triggers(&self, text: &str) -> bool {
        has_password(text) || conninfo::has_url(text) || self.matches(text)
    }

    fn matches(&self, text: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_match(text))
    }

    /// Whether a column of this name holds what a mask is about.
    #[must_use]
    pub fn names(&self, column: &str) -> bool {
        has_password(column) || self.matches(column)
    }

    /// Whether the contract masks anything.
    #[must_use]
    pub const fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    fn is_about(&self, text: &str, depth: u32) -> bool {
        self.triggers(text) || escape::hides(self, text, depth)
    }

    /// Masks the SQL of one or several statements.
    #[must_use]
    pub fn statement<'a>(&self, text: &'a str) -> Masked<'a> {
        self.statement_after(text, false)
    }

    /// The same, in a session where a statement was prepared that is about a secret ([`Masked::prepares`]).
    #[must_use]
    pub fn statement_after<'a>(&self, text: &'a str, prepared: bool) -> Masked<'a> {
        let clear = lex::is_clear(text);
        let executes = prepared && has_word(text, "execute");
        if clear && !executes && !self.is_about(text, 0) {
            return Masked { text: Cow::Borrowed(text), sensitive: false, prepares: false };
        }
        let mut writer = Writer::new(self, text, 0, !clear);
        writer.prepares = prepared;
        writer.write();
        Masked { text: Cow::Owned(writer.out), sensitive: true, prepares: has_word(text, "prepare") }
    }

    /// Masks a value on its own: the text of a parameter.
    #[must_use]
    pub fn value<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.triggers(text) {
            Cow::Borrowed(text)
        } else if self.matches(text) {
            Cow::Borrowed(MASK)
        } else {
            match conninfo::mask(text) {
                Some(masked) => Cow::Owned(masked),
                None if has_password(text) => Cow::Borrowed(MASK),
                None => Cow::Borrowed(text),
            }
        }
    }

    /// Whether a contract's mask matches a number.
    #[must_use]
    pub fn hides(&self, number: &Parameter<'_>) -> bool {
        !self.patterns.is_empty()
            && match number {
                Parameter::Integer(number) => self.matches(&number.to_string()),
                Parameter::Float(number) => self.matches(&number.to_string()),
                _ => false,
            }
    }

    /// Masks a message that a target or Curfew wrote about a statement, from the first word on that a mask is about.
    #[must_use]
    pub fn message<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let first = self
            .patterns
            .iter()
            .filter_map(|pattern| pattern.find(text).map(|found| found.start()))
            .chain(conninfo::find_url(text))
            .min();
        let password = passwords(text).next().map(|at| {
            let word = text.get(at..).unwrap_or_default();
            at + word.bytes().take_while(u8::is_ascii_alphabetic).count()
        });
        match first.into_iter().chain(password).min() {
            Some(cut) => Cow::Owned(format!("{} {MASK}", text.get(..cut).unwrap_or_default())),
            None => Cow::Borrowed(text),
        }
    }
}

/// Whether these letters stand somewhere in the text, in any case.
fn has_word(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|letters| letters.eq_ignore_ascii_case(word.as_bytes()))
}

/// The places of `passw`, in any case: w is rare in SQL, so it is what is looked for.
fn passwords(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    memchr::memchr2_iter(b'w', b'W', bytes).filter_map(move |at| {
        let start = at.checked_sub(4)?;
        bytes.get(start..=at)?.eq_ignore_ascii_case(b"passw").then_some(start)
    })
}

fn has_password(text: &str) -> bool {
    passwords(text).next().is_some()
}

/// Walks over the tokens of a text and writes what may be seen of it.
struct Writer<'m, 't> {
    masker: &'m Masker,
    text: &'t str,
    out: String,
    depth: u32,
    /// Nothing in it can be told for certain: all its literals are secret.
    all: bool,
    /// Something was prepared, here or before, that may be about a secret.
    prepares: bool,
}

/// What the statement at hand has told so far.
#[derive(Default)]
struct Seen {
    /// A word came that makes all literals after it secret.
    secret: bool,
    /// The words it began with: `create`/`alter`, then `role`/`user`/`group`.
    words: u8,
    about_roles: bool,
    /// The word before this token was PASSWORD, in a statement about roles.
    bare: Bare,
}

/// A secret that somebody forgot to quote, in a statement about roles: `PASSWORD hunter2`.
#[derive(Default, PartialEq)]
enum Bare {
    #[default]
    No,
    /// PASSWORD came, and nothing but space and comments since.
    Next,
    /// Up to the next space.
    Within,
}

impl<'m, 't> Writer<'m, 't> {
    fn new(masker: &'m Masker, text: &'t str, depth: u32, all: bool) -> Self {
        Self { masker, text, out: String::with_capacity(text.len()), depth, all, prepares: false }
    }

    fn write(&mut self) {
        let mut matches: Vec<(usize, usize)> = Vec::new();
        for pattern in &self.masker.patterns {
            let found = pattern.find_iter(self.text).filter(|found| !found.is_empty());
            matches.extend(found.map(|found| (found.start(), found.end())));
        }
        matches.sort_unstable();
        let mut matches = matches.into_iter().peekable();
        let mut matched_up_to = 0;
        let mut seen = Seen::of(self.all);
        for token in Lexer::new(self.text) {
            while let Some((_, end)) = matches.next_if(|(start, _)| *start < token.span.end) {
                matched_up_to = matched_up_to.max(end);
            }
            self.token(&token, token.span.start < matched_up_to, &mut seen);
        }
    }

    fn mask(&mut self) {
        if !self.out.ends_with(MASK) {
            self.out.push_str(MASK);
        }
    }

    fn token(&mut self, token: &Token, matched: bool, seen: &mut Seen) {
        let text = self.text.get(token.span.clone()).unwrap_or_default();
        let hides = token.kind == Kind::Literal && escape::literal_hides(self.masker, text);
        let about_passwords = has_password(text) || hides;
        if self.bare(token.kind, text, seen) || self.stray(token.kind, text, seen) {
            return;
        }
        match token.kind {
            Kind::Space | Kind::Placeholder => self.out.push_str(text),
            Kind::Semicolon => {
                *seen = Seen::of(self.all);
                self.out.push_str(text);
            }
            Kind::Word | Kind::QuotedName => {
                seen.word(text);
                if seen.about_roles && text.eq_ignore_ascii_case("password") {
                    seen.bare = Bare::Next;
                }
                // A quoted name that hides its letters may be any word.
                let hidden = token.kind == Kind::QuotedName && text.starts_with(['u', 'U']);
                self.prepares |= text.eq_ignore_ascii_case("prepare");
                let executes = self.prepares && text.eq_ignore_ascii_case("execute");
                seen.secret |= about_passwords || matched || hidden || executes;
                self.out.push_str(text);
            }
            Kind::Other => {
                seen.secret |= matched;
                self.out.push_str(text);
            }
            Kind::Comment if seen.secret || about_passwords || matched || conninfo::has_url(text) => {
                self.out.push_str(if text.starts_with('-') { "-- ***" } else { "/* *** */" });
            }
            Kind::Number if seen.secret || matched => self.mask(),
            Kind::Comment | Kind::Number => self.out.push_str(text),
            Kind::Unclear => self.mask(),
            Kind::Literal if seen.secret || matched => self.mask(),
            Kind::Literal => {
                // Whatever it is, a connection string, SQL or a format, the secret may be what is joined to it.
                seen.secret |= about_passwords;
                let continued = about_passwords && text.contains(['\n', '\r']);
                match conninfo::mask(text) {
                    Some(masked) if !continued && !hides => self.out.push_str(&masked),
                    _ if about_passwords => self.mask(),
                    _ => self.out.push_str(text),
                }
            }
            Kind::Dollar(_) if seen.secret || self.depth >= MAX_DEPTH => self.mask(),
            Kind::Dollar(delimiter) => {
                self.dollar(text, delimiter);
                seen.secret |= about_passwords || matched || escape::hides(self.masker, text, self.depth);
            }
        }
    }

    /// The body of a function or of DO: read as SQL, then as a connection string.
    fn dollar(&mut self, text: &str, delimiter: usize) {
        let ends = (text.get(..delimiter), text.get(delimiter..text.len().saturating_sub(delimiter)));
        let (Some(delimiter), Some(body)) = ends else { return self.mask() };
        let masked = if self.masker.is_about(body, self.depth + 1) {
            let mut inside = Writer::new(self.masker, body, self.depth + 1, false);
            inside.prepares = self.prepares;
            inside.write();
            Cow::Owned(conninfo::mask_unquoted(&inside.out).unwrap_or(inside.out))
        } else {
            Cow::Borrowed(body)
        };
        self.out.push_str(delimiter);
        self.out.push_str(&masked);
        self.out.push_str(delimiter);
    }

    /// Masks what only a quote that is missing or too many makes a name: `PASSWORD ''secret'`.
    fn stray(&mut self, kind: Kind, text: &str, seen: &Seen) -> bool {
        let touches = matches!(kind, Kind::Word | Kind::QuotedName) && self.out.ends_with(MASK);
        let holds = kind == Kind::QuotedName
            && (seen.secret || has_password(text))
            && text.contains(['\'', '=', '$', '\n', '\r']);
        let stray = (seen.secret && touches) || holds;
        if stray {
            self.mask();
        }
        stray
    }

    /// Masks a token that is part of a secret without quotes.
    fn bare(&mut self, kind: Kind, text: &str, seen: &mut Seen) -> bool {
        let inside = match seen.bare {
            Bare::No => false,
            Bare::Next => match kind {
                Kind::Space | Kind::Comment => return false,
                Kind::Literal | Kind::Dollar(_) | Kind::Semicolon | Kind::Unclear => false,
                _ => !text.eq_ignore_ascii_case("null"),
            },
            Bare::Within => !matches!(kind, Kind::Space | Kind::Semicolon),
        };
        seen.bare = if inside { Bare::Within } else { Bare::No };
        if inside {
            self.mask();
        }
        inside
    }
}

impl Seen {
    /// Nothing yet; `secret`, where that is known beforehand.
    fn of(secret: bool) -> Self {
        Self { secret, ..Self::default() }
    }

    fn word(&mut self, word: &str) {
        let is = |words: &[&str]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
        self.about_roles |= self.words == 1 && is(&["role", "user", "group"]);
        self.words = match self.words {
            0 if is(&["create", "alter"]) => 1,
            _ => 2,
        };
    }
}

#[cfg(test)]
mod tests;
