//! A lexer of Postgres SQL that keeps every byte: enough to tell literals, names, comments and statements apart.
//!
//! Owns the lexical rules of the Postgres manual, "SQL Syntax: Lexical Structure", as its own scanner (scan.l)
//! applies them. It allocates nothing, never panics, and never guesses: where a text could be read in two ways,
//! because a quote or a comment is not closed or because a backslash may or may not escape a quote
//! (`standard_conforming_strings`), the rest of the text is one [`Kind::Unclear`] token.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// White space.
    Space,
    /// A comment of either sort, nested ones included.
    Comment,
    /// A keyword or a name without quotes.
    Word,
    /// A name in double quotes.
    QuotedName,
    /// A quoted literal of any sort (`'…'`, `E'…'`, `U&'…'`, `B'…'`, `X'…'`, `N'…'`), its continuation included.
    Literal,
    /// A dollar-quoted literal; how many bytes its delimiters take on each side.
    Dollar(usize),
    /// A number.
    Number,
    /// `$1`.
    Placeholder,
    /// `;`
    Semicolon,
    /// An operator or a bracket, one byte.
    Other,
    /// The rest of a text that cannot be read for certain.
    Unclear,
}

/// A token and where it stands, in bytes. Tokens follow each other without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Range<usize>,
}

/// The tokens of a text, one after the other.
#[derive(Debug)]
pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// Backslashes are taken to escape nothing in plain literals, as is the default since Postgres 9.1.
    standard: bool,
}

/// Whether a server with the default settings could read all of this text. One that it can't read, it can't run either.
pub fn is_clear(text: &str) -> bool {
    let bytes = text.as_bytes();
    let closes = memchr::memchr3(b'\'', b'"', b'$', bytes).is_none()
        && !memchr::memchr_iter(b'/', bytes).any(|at| bytes.get(at + 1) == Some(&b'*'));
    closes || Lexer { standard: true, ..Lexer::new(text) }.all(|token| token.kind != Kind::Unclear)
}

fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn continues_word(byte: u8) -> bool {
    starts_word(byte) || byte.is_ascii_digit() || byte == b'$'
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

impl<'a> Lexer<'a> {
    /// Reads this text from its beginning.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0, standard: false }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// The first place from `at` on whose byte does not fit.
    fn run(&self, at: usize, fits: fn(u8) -> bool) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        at + rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len())
    }

    fn token(&self) -> Option<(Kind, Option<usize>)> {
        let at = self.at;
        let byte = self.byte(at)?;
        let next = self.byte(at + 1);
        let quoted = |escapes, open| (Kind::Literal, self.literal(open, escapes));
        Some(match (byte, next) {
            (b'e' | b'E', Some(b'\'')) => quoted(true, at + 1),
            (b'b' | b'B' | b'x' | b'X' | b'n' | b'N', Some(b'\'')) => quoted(false, at + 1),
            (b'u' | b'U', Some(b'&')) if self.byte(at + 2) == Some(b'\'') => {
                // Its backslashes are its own escapes, which never escape a quote.
                (Kind::Literal, self.unicode_literal(at + 2))
            }
            (b'u' | b'U', Some(b'&')) if self.byte(at + 2) == Some(b'"') => {
                (Kind::QuotedName, self.quoted_name(at + 2))
            }
            (b'\'', _) => quoted(false, at),
            (b'"', _) => (Kind::QuotedName, self.quoted_name(at)),
            (b'-', Some(b'-')) => (Kind::Comment, Some(self.run(at, |byte| byte != b'\n' && byte != b'\r'))),
            (b'/', Some(b'*')) => (Kind::Comment, self.block_comment(at)),
            (b'$', Some(digit)) if digit.is_ascii_digit() => {
                (Kind::Placeholder, Some(self.run(at + 1, |byte| byte.is_ascii_digit())))
            }
            (b'$', _) => match self.dollar(at) {
                Some((delimiter, end)) => (Kind::Dollar(delimiter), end),
                None => (Kind::Other, Some(at + 1)),
            },
            (b';', _) => (Kind::Semicolon, Some(at + 1)),
            (byte, _) if is_space(byte) => (Kind::Space, Some(self.run(at, is_space))),
            (byte, _) if byte.is_ascii_digit() => {
                (Kind::Number, Some(self.run(at, |byte| byte.is_ascii_digit() || byte == b'.')))
            }
            (byte, _) if starts_word(byte) => (Kind::Word, Some(self.run(at, continues_word))),
            _ => (Kind::Other, Some(at + 1)),
        })
    }

    /// The end of a literal whose quote opens at `open`, with what continues it on further lines; none when it
    /// is not closed, or when it is unclear where it closes.
    fn literal(&self, open: usize, escapes: bool) -> Option<usize> {
        let mut at = open + 1;
        loop {
            match self.byte(at)? {
                b'\\' if escapes => at += 2,
                b'\\' if self.standard => at += 1,
                // Would this quote close the literal? Only the server's setting knows.
                b'\\' if self.byte(at + 1) == Some(b'\'') => return None,
                b'\\' => at += if self.byte(at + 1) == Some(b'\\') { 2 } else { 1 },
                b'\'' if self.byte(at + 1) == Some(b'\'') => at += 2,
                b'\'' => match self.continuation(at + 1) {
                    Some(again) => at = again + 1,
                    None => return Some(at + 1),
                },
                _ => at += 1,
            }
        }
    }

    fn unicode_literal(&self, open: usize) -> Option<usize> {
        let mut at = open + 1;
        loop {
            match self.byte(at)? {
                b'\'' if self.byte(at + 1) == Some(b'\'') => at += 2,
                b'\'' => match self.continuation(at + 1) {
                    Some(again) => at = again + 1,
                    None => return Some(at + 1),
                },
                _ => at += 1,
            }
        }
    }

    /// Where the quote stands that continues a literal closed before `at`: behind white space with a newline in
    /// it, and line comments.
    fn continuation(&self, mut at: usize) -> Option<usize> {
        let mut newline = false;
        loop {
            match self.byte(at)? {
                b'\n' | b'\r' => {
                    newline = true;
                    at += 1;
                }
                byte if is_space(byte) => at += 1,
                b'-' if self.byte(at + 1) == Some(b'-') => {
                    at = self.run(at, |byte| byte != b'\n' && byte != b'\r');
                }
                b'\'' if newline => return Some(at),
                _ => return None,
            }
        }
    }

    fn quoted_name(&self, open: usize) -> Option<usize> {
        let mut at = open + 1;
        loop {
            match self.byte(at)? {
                b'"' if self.byte(at + 1) == Some(b'"') => at += 2,
                b'"' => return Some(at + 1),
                _ => at += 1,
            }
        }
    }

    fn block_comment(&self, open: usize) -> Option<usize> {
        let mut depth = 1_u32;
        let mut at = open + 2;
        while depth > 0 {
            match (self.byte(at)?, self.byte(at + 1)) {
                (b'/', Some(b'*')) => {
                    depth += 1;
                    at += 2;
                }
                (b'*', Some(b'/')) => {
                    depth -= 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        Some(at)
    }

    /// The length of the delimiter that opens here, and the end of the literal if it is closed.
    fn dollar(&self, open: usize) -> Option<(usize, Option<usize>)> {
        let tag_end = match self.byte(open + 1)? {
            b'$' => open + 1,
            byte if starts_word(byte) => self.run(open + 1, |byte| continues_word(byte) && byte != b'$'),
            _ => return None,
        };
        if self.byte(tag_end)? != b'$' {
            return None;
        }
        let body = tag_end + 1;
        let delimiter = self.text.get(open..body)?;
        let rest = self.text.get(body..)?;
        let found = memchr::memmem::find(rest, delimiter);
        Some((delimiter.len(), found.map(|found| body + found + delimiter.len())))
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let (kind, end) = self.token()?;
        let start = self.at;
        let (kind, end) = match end {
            Some(end) => (kind, end),
            None => (Kind::Unclear, self.text.len()),
        };
        self.at = end;
        Some(Token { kind, span: start..end })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lexed(text: &str) -> Vec<(Kind, &str)> {
        Lexer::new(text)
            .filter(|token| token.kind != Kind::Space)
            .map(|token| (token.kind, &text[token.span]))
            .collect()
    }

    #[test]
    fn literals_of_every_sort_are_one_token() {
        for literal in [
            "''",
            "'it''s'",
            r"'a\b'",
            r"E'it\'s \\'",
            r"U&'d\0061t\+000061'",
            "B'101'",
            "x'1F'",
            "N'n'",
            "'one'\n  'two'",
            "'one' -- then\n 'two'",
            "E'one'\n'\\'two'",
            "'ünï'",
        ] {
            assert_eq!(lexed(literal), [(Kind::Literal, literal)]);
        }
        assert_eq!(lexed("'one' 'two'"), [(Kind::Literal, "'one'"), (Kind::Literal, "'two'")]);
        assert_eq!(lexed("$$a'b$$"), [(Kind::Dollar(2), "$$a'b$$")]);
        assert_eq!(lexed("$é1$ $$ $é1$"), [(Kind::Dollar(5), "$é1$ $$ $é1$")]);
    }

    #[test]
    fn what_only_looks_like_a_literal_is_none() {
        assert_eq!(lexed("a$b$c$b$"), [(Kind::Word, "a$b$c$b$")]);
        assert_eq!(lexed("$1"), [(Kind::Placeholder, "$1")]);
        assert_eq!(lexed("\"it's\"\"x\""), [(Kind::QuotedName, "\"it's\"\"x\"")]);
        assert_eq!(lexed("U&\"d'\\0061\""), [(Kind::QuotedName, "U&\"d'\\0061\"")]);
        assert_eq!(lexed("/* ' /* ' */ ' */"), [(Kind::Comment, "/* ' /* ' */ ' */")]);
        assert_eq!(lexed("-- it's\n1.5"), [(Kind::Comment, "-- it's"), (Kind::Number, "1.5")]);
        assert_eq!(
            lexed("name'x'"),
            [(Kind::Word, "name"), (Kind::Literal, "'x'")],
            "a prefix is a prefix only where a word begins"
        );
    }

    #[test]
    fn what_is_not_closed_or_not_clear_is_said_to_be_so() {
        for unclear in ["'open", "E'open\\'", "\"open", "/* /* */", "$a$ open $b$", r"'\' or '"] {
            assert_eq!(lexed(unclear), [(Kind::Unclear, unclear)]);
        }
        assert_eq!(lexed(r"'\\'"), [(Kind::Literal, r"'\\'")], "two backslashes escape no quote either way");
        for clear in
            ["select 1", r"select '\' || E'\'' || $$'$$ /* ' */ -- '", "select \"it's\", 'it''s', $1"]
        {
            assert!(is_clear(clear), "{clear}");
        }
        for unclear in ["'open", r"E'open\'", "\"open", "/* /* */", "$a$ open $b$"] {
            assert!(!is_clear(unclear), "{unclear}");
        }
    }

    proptest! {
        #[test]
        fn tokens_cover_any_text_without_gap(text in r#"([ \n'"$\\;eEuU&/*a1é-]|.){0,60}"#) {
            let mut at = 0;
            for token in Lexer::new(&text) {
                prop_assert_eq!(token.span.start, at);
                prop_assert!(token.span.end > at);
                prop_assert!(text.get(token.span.clone()).is_some(), "cut inside a character");
                at = token.span.end;
            }
            prop_assert_eq!(at, text.len());
        }
    }
}
