//! What can go wrong with the store, told twice: a cause for the operator, a sentence for the person.
//!
//! Owns the reading of the database's error codes. It never repeats a statement or a value to anybody.

/// Why the store did not do it. `Display` is for the operator's log; [`StoreError::sentence`] for the person.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store was written by a newer Curfew.
    #[error(
        "the store was written by a newer Curfew: its schema is number {found}, and this binary knows up to \
         {known}; run the newer version, or restore the backup taken before it ran"
    )]
    Newer {
        /// The schema of the store.
        found: i64,
        /// The newest that this binary knows.
        known: i64,
    },
    /// The store has a schema of this number, but not the one that this binary made.
    #[error(
        "the store's schema number {version} is not the one of this Curfew: it was made by a development build; \
         use the build that made it, or start with another data_dir"
    )]
    OtherSchema {
        /// The number.
        version: i64,
    },
    /// The disk has no room. What was committed before stands.
    #[error("the store can't write, because its disk is full")]
    Full(#[source] sqlx::Error),
    /// Others held the store for too long.
    #[error("the store was held by others for too long")]
    Busy(#[source] sqlx::Error),
    /// The store can't be read or written.
    #[error("the store can't be read or written")]
    Unreachable(#[source] sqlx::Error),
    /// The folder or the file can't be made.
    #[error("the store {path} can't be opened")]
    Open {
        /// Where.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A row holds what Curfew never writes.
    #[error("the store holds a damaged value: {what}")]
    Damaged {
        /// Which.
        what: String,
    },
    /// The chain of the audit log moved under a transaction: two processes write for one node.
    #[error("another process writes the audit log of node {node}: only one may run on this store")]
    Forked {
        /// The node.
        node: String,
    },
    /// Anything else: a statement that does not fit the schema.
    #[error("the store refused a statement")]
    Sql(#[source] sqlx::Error),
}

impl StoreError {
    /// What a person is told: what happened, and what to do next.
    #[must_use]
    pub const fn sentence(&self) -> &'static str {
        match self {
            Self::Full(_) => {
                "Curfew's disk is full, so nothing was changed: tell whoever runs it, and try again later"
            }
            Self::Busy(_) => "Curfew's store is busy, so nothing was changed: try again in a moment",
            _ => "Curfew's store does not answer as it should: tell whoever runs it, and try again later",
        }
    }

    /// A bounded label for metrics and logs.
    #[must_use]
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Newer { .. } | Self::OtherSchema { .. } => "schema",
            Self::Full(_) => "full",
            Self::Busy(_) => "busy",
            Self::Unreachable(_) | Self::Open { .. } => "unreachable",
            Self::Damaged { .. } => "damaged",
            Self::Forked { .. } => "forked",
            Self::Sql(_) => "sql",
        }
    }

    /// A row that holds what Curfew never writes.
    pub(crate) fn damaged(what: impl std::fmt::Display) -> Self {
        Self::Damaged { what: what.to_string() }
    }
}

/// What a code of the database means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Code {
    Full,
    Busy,
    Unreachable,
    Other,
}

/// Reads SQLite's result codes (sqlite.org/rescode.html; the low byte is the primary code) and Postgres's
/// SQLSTATEs (manual, appendix A): these have five characters, those are numbers below 10000.
fn read(code: &str) -> Code {
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => match number & 0xff {
            13 => Code::Full,
            5 | 6 => Code::Busy,
            8 | 10 | 11 | 14 | 26 => Code::Unreachable,
            _ => Code::Other,
        },
        _ => match code {
            "53100" => Code::Full,
            "40001" | "40P01" | "55P03" | "57014" => Code::Busy,
            _ if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") => {
                Code::Unreachable
            }
            _ => Code::Other,
        },
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(inner) => inner.code().map_or(Code::Other, |code| read(&code)),
            sqlx::Error::PoolTimedOut => Code::Busy,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Code::Unreachable,
            _ => Code::Other,
        };
        match (code, &error) {
            (Code::Full, _) => Self::Full(error),
            (Code::Busy, _) => Self::Busy(error),
            (Code::Unreachable, _) => Self::Unreachable(error),
            (Code::Other, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
                Self::damaged(format_args!("{error}"))
            }
            (Code::Other, _) => Self::Sql(error),
        }
    }
}

/// The error and its causes in one line, for the operator's log.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        for (code, means) in [
            ("13", Code::Full),
            ("53100", Code::Full),
            ("517", Code::Busy),
            ("40001", Code::Busy),
            ("1034", Code::Unreachable),
            ("57P01", Code::Unreachable),
            ("2067", Code::Other),
            ("23505", Code::Other),
        ] {
            assert_eq!(read(code), means, "{code}");
        }
    }
}
