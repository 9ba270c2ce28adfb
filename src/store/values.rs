//! How values stand in columns: instants as microseconds, durations as seconds, ids and states as text.
//!
//! Owns these forms and their reading back. What can't be read back is a damaged store, never a default.

use std::time::Duration;

use curfew_adapter::{GrantId, IdentityId, RequestId, SessionId, SigninId};
use jiff::Timestamp;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::error::StoreError;

/// An instant as a column holds it.
pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// The same for an instant that may be absent.
pub(crate) fn maybe_micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(micros)
}

/// `at` without what a column can't hold of it, so that what is decided now reads back the same.
#[must_use]
pub fn to_the_microsecond(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// A duration as a column holds it.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// A count as a column holds it.
pub(crate) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Reads columns by name; all errors say which column.
pub(crate) trait Columns {
    /// A text.
    fn text(&self, column: &str) -> Result<String, StoreError>;
    /// A text, or NULL.
    fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError>;
    /// A number.
    fn number(&self, column: &str) -> Result<i64, StoreError>;
    /// A number, or NULL.
    fn maybe_number(&self, column: &str) -> Result<Option<i64>, StoreError>;

    /// A number that is never negative.
    fn count(&self, column: &str) -> Result<u64, StoreError> {
        u64::try_from(self.number(column)?).map_err(|_| StoreError::damaged(column))
    }

    /// An instant.
    fn instant(&self, column: &str) -> Result<Timestamp, StoreError> {
        instant(self.number(column)?, column)
    }

    /// An instant, or NULL.
    fn maybe_instant(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        self.maybe_number(column)?.map(|value| instant(value, column)).transpose()
    }

    /// A duration.
    fn duration(&self, column: &str) -> Result<Duration, StoreError> {
        self.count(column).map(Duration::from_secs)
    }

    /// A text that `read` understands: an id, a state.
    fn parsed<T>(&self, column: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let text = self.text(column)?;
        read(&text).ok_or_else(|| StoreError::damaged(column))
    }

    /// The same, or NULL.
    fn maybe_parsed<T>(
        &self,
        column: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let Some(text) = self.maybe_text(column)? else { return Ok(None) };
        read(&text).map(Some).ok_or_else(|| StoreError::damaged(column))
    }

    /// A request's id.
    fn request_id(&self, column: &str) -> Result<RequestId, StoreError> {
        self.parsed(column, RequestId::parse)
    }

    /// A grant's id.
    fn grant_id(&self, column: &str) -> Result<GrantId, StoreError> {
        self.parsed(column, GrantId::parse)
    }

    /// A session's id.
    fn session_id(&self, column: &str) -> Result<SessionId, StoreError> {
        self.parsed(column, SessionId::parse)
    }

    /// An identity's id.
    fn identity_id(&self, column: &str) -> Result<IdentityId, StoreError> {
        self.parsed(column, IdentityId::parse)
    }

    /// A sign-in's id.
    fn signin_id(&self, column: &str) -> Result<SigninId, StoreError> {
        self.parsed(column, SigninId::parse)
    }
}

impl Columns for AnyRow {
    fn text(&self, column: &str) -> Result<String, StoreError> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.try_get(column)?)
    }

    fn number(&self, column: &str) -> Result<i64, StoreError> {
        Ok(self.try_get(column)?)
    }

    fn maybe_number(&self, column: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.try_get(column)?)
    }
}

fn instant(value: i64, column: &str) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(value).map_err(|_| StoreError::damaged(column))
}
