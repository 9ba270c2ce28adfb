//! What came back, as it may be seen.
//!
//! Owns which columns and which pieces of a value are masked. What a `mask` could match only across two pieces is masked
//! in both; what was copied is masked line by line, as far as a line is in one message.

use std::borrow::Cow;

use curfew_adapter::{Event, Text};

use super::values;
use crate::record::mask::{MASK, Masker};

/// What has to be remembered from one event to the next.
#[derive(Debug, Default)]
pub struct Results {
    /// The columns, of the result at hand, whose names say that they hold a secret.
    columns: Vec<usize>,
    /// The value at hand goes on.
    cut: bool,
}

impl Results {
    /// Calls `then` with the event as it may be seen. `sensitive` tells the statements about secrets.
    pub fn event<T>(
        &mut self,
        masker: &Masker,
        sensitive: impl Fn(u64) -> bool,
        event: &Event<'_>,
        then: impl FnOnce(&Event<'_>) -> T,
    ) -> T {
        match *event {
            Event::Columns { columns, .. } => {
                self.columns.clear();
                let secret = columns.iter().enumerate().filter(|(_, column)| masker.names(column.name));
                self.columns.extend(secret.map(|(n, _)| n));
                then(event)
            }
            Event::Row { n, values } => {
                let all = sensitive(n);
                let secret = |column: usize| all || self.columns.contains(&column);
                values::shown(masker, secret, values, |values| then(&Event::Row { n, values }))
            }
            Event::Value { n, column, data, more } => {
                let secret = sensitive(n)
                    || self
                        .columns
                        .iter()
                        .any(|hidden| u32::try_from(*hidden).is_ok_and(|hidden| hidden == column))
                    || ((more || self.cut) && masker.has_patterns());
                self.cut = more;
                let shown = data.map(|Text(bytes)| bytes_shown(masker, secret, bytes, Masker::value));
                then(&Event::Value { n, column, data: shown.as_deref().map(Text), more })
            }
            Event::Copy { n, input, data: Text(bytes) } => {
                let shown = bytes_shown(masker, sensitive(n), bytes, lines);
                then(&Event::Copy { n, input, data: Text(&shown) })
            }
            _ => then(event),
        }
    }
}

fn bytes_shown<'a>(
    masker: &Masker,
    secret: bool,
    bytes: &'a [u8],
    mask: impl for<'t> Fn(&Masker, &'t str) -> Cow<'t, str>,
) -> Cow<'a, [u8]> {
    if secret {
        return Cow::Borrowed(MASK.as_bytes());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => match mask(masker, text) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        },
        // Nothing in it can be told apart, a secret neither.
        Err(_) if masker.triggers(&String::from_utf8_lossy(bytes)) => Cow::Borrowed(MASK.as_bytes()),
        Err(_) => Cow::Borrowed(bytes),
    }
}

/// Masks line by line, so that one secret does not hide all that was copied.
fn lines<'a>(masker: &Masker, text: &'a str) -> Cow<'a, str> {
    if !masker.triggers(text) {
        return Cow::Borrowed(text);
    }
    let line = |line: &'a str| {
        let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
        [masker.value(text), Cow::Borrowed(end)]
    };
    Cow::Owned(text.split_inclusive('\n').flat_map(line).collect())
}
