//! Literals that spell a word without its letters standing next to each other: `E'p\x61ssword'`, `U&'p\0061ssword'`,
//! and literals that go on in the next line.
//!
//! Owns what such a literal says, as far as it takes to tell whether a mask is about it. It never undoes a mask, and what
//! it makes of a text is shown to nobody.

use std::borrow::Cow;

use super::lex::{Kind, Lexer};
use super::{MAX_DEPTH, Masker};

/// Whether some literal or name in this text says what a mask is about, and does not show it.
pub fn hides(masker: &Masker, text: &str, depth: u32) -> bool {
    if !may_hide(text) {
        return false;
    }
    Lexer::new(text).any(|token| {
        let token_text = text.get(token.span).unwrap_or_default();
        match token.kind {
            Kind::Literal => literal_hides(masker, token_text),
            Kind::QuotedName => token_text.starts_with(['u', 'U']),
            Kind::Dollar(delimiter) => {
                let body = token_text.get(delimiter..token_text.len().saturating_sub(delimiter));
                depth >= MAX_DEPTH || body.is_some_and(|body| hides(masker, body, depth + 1))
            }
            _ => false,
        }
    })
}

/// Whether this literal says what a mask is about, and does not show it.
pub fn literal_hides(masker: &Masker, literal: &str) -> bool {
    may_hide(literal) && masker.triggers(&said(literal))
}

fn may_hide(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr3(b'\\', b'\n', b'\r', bytes).is_some()
        || memchr::memchr_iter(b'&', bytes).any(|at| matches!(bytes.get(at + 1), Some(b'\'' | b'"')))
}

/// What a literal says, read as a server with either setting of `standard_conforming_strings` might read it.
fn said(literal: &str) -> Cow<'_, str> {
    let unicode = literal.starts_with(['u', 'U']);
    let mut rest = literal.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    // Up to each quote that opens: what lies between is a prefix, or white space and comments.
    while let Some(open) = memchr::memchr(b'\'', rest) {
        rest = rest.get(open + 1..).unwrap_or_default();
        while let Some((byte, behind)) = rest.split_first() {
            rest = behind;
            match byte {
                b'\'' if rest.first() == Some(&b'\'') => {
                    out.push(b'\'');
                    rest = rest.get(1..).unwrap_or_default();
                }
                b'\'' => break,
                b'\\' if !unicode => rest = escaped(rest, &mut out),
                byte if unicode => rest = by_number(*byte, rest, &mut out),
                byte => out.push(*byte),
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned().into()
}

/// What follows a backslash (Postgres manual, 4.1.2.2).
fn escaped<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((first, behind)) = rest.split_first() else { return rest };
    let (digits, radix, most) = match first {
        b'x' => (behind, 16, 2),
        b'u' => (behind, 16, 4),
        b'U' => (behind, 16, 8),
        b'0'..=b'7' => (rest, 8, 3),
        b'b' | b'f' | b'n' | b'r' | b't' => {
            out.push(b' ');
            return behind;
        }
        other => {
            out.push(*other);
            return behind;
        }
    };
    let count = digits.iter().take(most).take_while(|digit| char::from(**digit).is_digit(radix)).count();
    let (number, behind) = digits.split_at_checked(count).unwrap_or((&[], digits));
    push(number, radix, out);
    behind
}

/// Any character may be the one that escapes (UESCAPE): what matters is that the number of another follows it.
fn by_number<'a>(byte: u8, rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let (digits, count) = match rest.split_first() {
        Some((b'+', behind)) => (behind, 6),
        _ => (rest, 4),
    };
    match digits.split_at_checked(count) {
        Some((number, behind)) if !byte.is_ascii_hexdigit() && number.iter().all(u8::is_ascii_hexdigit) => {
            push(number, 16, out);
            behind
        }
        _ => {
            out.push(byte);
            rest
        }
    }
}

fn push(digits: &[u8], radix: u32, out: &mut Vec<u8>) {
    let number = std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, radix).ok());
    let c = number.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_says_what_a_server_reads() {
        for (literal, says) in [
            (r"E'p\x61ss\167ord\u003dx'", "password=x"),
            (r"E'p\a\ssword'", "password"),
            (r"'p\x61ssword'", "password"),
            (r"U&'p\0061ss\+000077ord'", "password"),
            ("U&'p!0061ssword' ", "password"),
            ("'pass'\n  -- or\n'word=it''s'", "password=it's"),
            (r"E'\x'", "\u{fffd}"),
            (r"E'\", ""),
        ] {
            assert_eq!(said(literal), says, "{literal}");
        }
    }

    #[test]
    fn plain_backslashes_and_lines_hide_nothing() {
        let masker = Masker::default();
        for text in [
            r"SELECT '\x70617373776f7264'::bytea, E'\\d+', x ~ '^\d{3}\.\w+$'",
            "SELECT 'a'\n'b',\n 'c' & 'd'",
            "U&'d\\0061t'",
        ] {
            assert!(!hides(&masker, text, 0), "{text}");
        }
        for text in [
            r#"CREATE USER MAPPING FOR b SERVER s OPTIONS (U&"p\0061ssword" 'x')"#,
            r"DO $$ BEGIN PERFORM dblink(E'p\x61ssword=x'); END $$",
            "SELECT 'pass'\n'word=x'",
        ] {
            assert!(hides(&masker, text, 0), "{text}");
        }
    }
}
