//! Secrets in the command lines of shells, in variables and in paths.
//!
//! Owns what counts as one. Whoever types a command decides what is in it, so it masks values and nothing more: a word
//! that looks like a secret must not hide the command that follows it.

use std::borrow::Cow;
use std::ops::Range;

use super::{Masker, passwords};

/// What stands in place of a secret.
const HIDDEN: &str = "***";

impl Masker {
    /// Masks a command: what a contract's mask matches, the values of options and variables with `passw` in their
    /// name, and the passwords of URLs.
    #[must_use]
    pub fn command<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut secrets = self.matched(text);
        secrets.extend(passwords(text).filter_map(|at| value(text, at)));
        secrets.extend(url_passwords(text));
        hide(text, secrets)
    }

    /// Masks a path: what a contract's mask matches. `/etc/passwd` is no secret.
    #[must_use]
    pub fn path<'a>(&self, text: &'a str) -> Cow<'a, str> {
        hide(text, self.matched(text))
    }

    /// Masks the value of a variable.
    #[must_use]
    pub fn variable<'a>(&self, name: &str, value: &'a str) -> Cow<'a, str> {
        let name = name.to_ascii_lowercase();
        if ["passw", "secret", "token"].iter().any(|word| name.contains(word)) {
            return if value.is_empty() { Cow::Borrowed(value) } else { Cow::Borrowed(HIDDEN) };
        }
        self.command(value)
    }

    fn matched(&self, text: &str) -> Vec<Range<usize>> {
        self.patterns
            .iter()
            .flat_map(|pattern| pattern.find_iter(text).map(|found| found.range()))
            .filter(|found| !found.is_empty())
            .collect()
    }
}

/// The value that belongs to the name in which `passw` stands at `at`: behind `=` or `:`, or, for an option, the next
/// word.
fn value(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let skip = |at: usize, fits: fn(&u8) -> bool| {
        let rest = bytes.get(at..).unwrap_or_default();
        at + rest.iter().position(|byte| !fits(byte)).unwrap_or(rest.len())
    };
    let name = skip(at, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let behind = skip(name, u8::is_ascii_whitespace);
    let before = text.get(..at).unwrap_or_default();
    let word = before.rfind(|c: char| c.is_ascii_whitespace()).map_or(0, |space| space + 1);
    let is_option = before.get(word..).is_some_and(|word| word.starts_with('-'));
    let from = match bytes.get(name)? {
        b'=' => name + 1,
        b':' => skip(name + 1, u8::is_ascii_whitespace),
        _ if is_option && behind > name => behind,
        _ => return None,
    };
    let to = match bytes.get(from)? {
        quote @ (b'\'' | b'"') => {
            let inside = bytes.get(from + 1..).unwrap_or_default();
            inside.iter().position(|byte| byte == quote).map_or(bytes.len(), |at| from + at + 2)
        }
        _ => skip(from, |byte| !byte.is_ascii_whitespace() && !matches!(byte, b';' | b'|' | b'&' | b')')),
    };
    (to > from).then_some(from..to)
}

/// The passwords of `scheme://user:password@host`, each within one word.
fn url_passwords(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(move |(at, scheme)| {
        let from = at + scheme.len();
        let rest = text.get(from..)?;
        let word = rest.split(|c: char| c.is_whitespace() || c == '/').next()?;
        let host = word.rfind('@')?;
        let colon = word.get(..host)?.find(':')?;
        Some(from + colon + 1..from + host)
    })
}

fn hide(text: &str, mut secrets: Vec<Range<usize>>) -> Cow<'_, str> {
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    secrets.sort_unstable_by_key(|secret| secret.start);
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for secret in secrets {
        if secret.end > done {
            out.push_str(text.get(done..secret.start.max(done)).unwrap_or_default());
            out.push_str(HIDDEN);
            done = secret.end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masker() -> Masker {
        Masker::new(&[r"\b\d{16}\b"]).unwrap()
    }

    #[test]
    fn values_are_masked_and_commands_are_not() {
        for (command, masked) in [
            ("PGPASSWORD=hunter2 psql -c 'SELECT 1'", "PGPASSWORD=*** psql -c 'SELECT 1'"),
            ("mysql --password=hunter2; rm -rf /", "mysql --password=***; rm -rf /"),
            ("tool --db-password 'hunter 2' --all", "tool --db-password *** --all"),
            ("tool --password \"hunter", "tool --password ***"),
            ("curl -d 'password: hunter2' x", "curl -d 'password: *** x"),
            (
                "git clone https://bob:hunter2@example.com/x.git",
                "git clone https://bob:***@example.com/x.git",
            ),
            ("pay 4111111111111111 now", "pay *** now"),
            ("cat /etc/passwd; rm -rf /", "cat /etc/passwd; rm -rf /"),
            ("passwd bob", "passwd bob"),
            ("curl http://host:80/x user@y", "curl http://host:80/x user@y"),
        ] {
            assert_eq!(masker().command(command), masked);
        }
    }

    #[test]
    fn a_path_is_masked_by_the_contract_alone() {
        assert_eq!(masker().path("/etc/passwd=x"), "/etc/passwd=x");
        assert_eq!(masker().path("/cards/4111111111111111.csv"), "/cards/***.csv");
    }

    #[test]
    fn a_variable_with_such_a_name_is_masked_whole() {
        assert_eq!(masker().variable("API_TOKEN", "a b"), "***");
        assert_eq!(masker().variable("LANG", "de_DE.UTF-8"), "de_DE.UTF-8");
        assert_eq!(masker().variable("DSN", "postgres://a:b@c/d"), "postgres://a:***@c/d");
    }

    proptest! {
        #[test]
        fn any_text_is_taken_and_a_masked_one_stays(text in "(--|passw|=| |://|@|:|'|\"|ä|x|4111111111111111){0,12}") {
            let once = masker().command(&text).into_owned();
            prop_assert!(once.len() <= text.len() + 3 * text.len());
            let more = format!(" {text} 4111111111111111 ");
            let shown = masker().command(&more).contains(" 4111111111111111 ");
            prop_assert!(!shown, "{}", more);
        }
    }
}
