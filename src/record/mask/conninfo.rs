//! Secrets in connection strings: `password=…` (libpq, "Connection Strings") and `scheme://user:password@host`.
//!
//! Owns the search for them in a literal, or in the text around one. A value that itself is quoted is not
//! followed through its quoting, which depends on the literal's own: the rest is masked.

use super::passwords;

/// The least that a URL with a password has.
pub fn has_url(text: &str) -> bool {
    find_url(text).is_some()
}

/// Where the first URL with a password begins.
pub fn find_url(text: &str) -> Option<usize> {
    urls(text).next().map(|(start, ..)| start)
}

/// User, password and host together are no longer than this; it bounds the search.
const MAX_AUTHORITY: usize = 1024;

/// Each URL's `://`, and the span of its password.
fn urls(text: &str) -> impl Iterator<Item = (usize, usize, usize)> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b':', bytes).filter_map(move |at| {
        let from = at + 3;
        let rest = bytes.get(at..from).filter(|colon| *colon == b"://").and(bytes.get(from..))?;
        let rest = rest.get(..rest.len().min(MAX_AUTHORITY))?;
        let run = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        // A password may hold anything that nobody encoded, a space too: then what counts is the first @.
        let host = memchr::memrchr(b'@', rest.get(..run)?).or_else(|| memchr::memchr(b'@', rest))?;
        let colon = memchr::memchr(b':', rest.get(..host)?)?;
        Some((at, from + colon + 1, from + host))
    })
}

/// The text with its secrets masked; none when it holds none that can be told.
pub fn mask(text: &str) -> Option<String> {
    edit(text, true)
}

/// As [`mask`], but leaves values in quotes to whoever reads the text as SQL.
pub fn mask_unquoted(text: &str) -> Option<String> {
    edit(text, false)
}

fn edit(text: &str, quoted: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut spans: Vec<(usize, usize)> = urls(text).map(|(_, start, end)| (start, end)).collect();
    let mut bare = false;
    // Up to where the text is already dealt with: each part of it is read once.
    let mut read = 0;
    for at in passwords(text) {
        if at < read {
            continue;
        }
        match value(bytes, at) {
            Ok((start, end, in_quotes)) => {
                read = end;
                if quoted || !in_quotes {
                    spans.push((start, end));
                } else {
                    read = start;
                }
            }
            // The word without a value: what the text is about cannot be told.
            Err(end) => {
                read = end;
                bare = true;
            }
        }
    }
    if spans.is_empty() || (bare && quoted) {
        return None;
    }
    spans.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (start, end) in spans {
        if end > done {
            out.push_str(text.get(done..start.max(done)).unwrap_or_default());
            out.push_str("***");
            done = end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Some(out)
}

/// The value behind `passw… =`: its span, and whether it is in quotes; or where the name ends that has none.
fn value(bytes: &[u8], at: usize) -> Result<(usize, usize, bool), usize> {
    let skip = |at: usize, fits: fn(u8) -> bool| {
        let rest = bytes.get(at..).unwrap_or_default();
        at + rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len())
    };
    let name = skip(at, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let equals = skip(name, |byte| byte.is_ascii_whitespace());
    if bytes.get(equals) != Some(&b'=') {
        return Err(name);
    }
    let start = skip(equals + 1, |byte| byte.is_ascii_whitespace());
    // The quote that closes the whole literal is not the value's.
    let last = bytes.len() - usize::from(bytes.last() == Some(&b'\''));
    match bytes.get(start) {
        None => Err(name),
        Some(b'\'') if start >= last => Ok((start, start, false)),
        Some(b'\'' | b'"' | b'\\') => Ok((start, last.max(start), true)),
        Some(_) => {
            let mut end = start;
            while end < last && bytes.get(end).is_some_and(|byte| !byte.is_ascii_whitespace()) {
                end += if bytes.get(end) == Some(&b'\\') { 2 } else { 1 };
            }
            Ok((start, end.min(last), false))
        }
    }
}
