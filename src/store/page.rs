//! Long lists in pieces, newest first.
//!
//! Owns the cursor: where the next piece begins. It is a place in the order, not an offset, so that rows which
//! appear meanwhile shift nothing.

use std::fmt;

/// The most rows that one piece has.
pub const LIMIT: u32 = 500;

/// A place in a list: behind the row with this instant and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    at: i64,
    id: String,
}

impl Cursor {
    /// Reads one back; `None` where it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let at = at.parse().ok()?;
        (plain && id.len() <= 80).then(|| Self { at, id: id.to_owned() })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.id)
    }
}

/// Which piece of a list is wanted.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Behind this place; `None`: from the newest on.
    pub after: Option<Cursor>,
    /// At most so many rows; more than 500 are cut to that, none is one.
    pub limit: u32,
}

impl Default for Slice {
    fn default() -> Self {
        Self { after: None, limit: LIMIT }
    }
}

impl Slice {
    /// The instant that rows must be before, or at with a lesser id: the largest where there is no cursor.
    pub(super) fn before(&self) -> (i64, &str) {
        self.after.as_ref().map_or((i64::MAX, ""), |cursor| (cursor.at, &cursor.id))
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.clamp(1, LIMIT) as usize
    }

    /// How many rows to ask for: one more than wanted tells whether there is a next piece.
    pub(super) fn fetch(&self) -> i64 {
        i64::from(self.limit.clamp(1, LIMIT)) + 1
    }

    /// Makes a piece of the rows, where `place` tells the instant and id of one.
    pub(super) fn page<T>(&self, mut items: Vec<T>, place: impl Fn(&T) -> (i64, String)) -> Page<T> {
        let more = items.len() > self.limit();
        items.truncate(self.limit());
        let next = items.last().filter(|_| more).map(|last| {
            let (at, id) = place(last);
            Cursor { at, id }
        });
        Page { items, next }
    }
}

/// A piece of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next piece begins; `None`: this is the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The same piece of other rows.
    pub fn with<U>(self, items: Vec<U>) -> Page<U> {
        Page { items, next: self.next }
    }
}
