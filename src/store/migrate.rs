//! The migrations in the binary, and the refusal of a store that is newer than them.
//!
//! Owns their list. A migration that was released is never edited: another one follows it.

use std::borrow::Cow;

use sqlx::AnyPool;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::error::StoreError;

/// Each migration: its number, its name, its text.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "core", include_str!("migrations/0001_core.sql")),
    (2, "identity", include_str!("migrations/0002_identity.sql")),
    (3, "keys", include_str!("migrations/0003_keys.sql")),
    (4, "credentials", include_str!("migrations/0004_credentials.sql")),
    (5, "postgres tokens", include_str!("migrations/0005_postgres_tokens.sql")),
];

/// Brings the store to the newest schema that this binary knows.
pub(super) async fn run(pool: &AnyPool) -> Result<(), StoreError> {
    let migrations = MIGRATIONS.iter().map(|(version, name, text)| {
        let text = AssertSqlSafe(*text).into_sql_str();
        Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, text, false)
    });
    Migrator::with_migrations(migrations.collect()).run(pool).await.map_err(refused)
}

/// The newest schema that this binary knows.
pub(super) fn known() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

fn refused(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(found) if found > known() => StoreError::Newer { found, known: known() },
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => {
            StoreError::OtherSchema { version }
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => StoreError::Sql(sqlx::Error::Migrate(Box::new(other))),
    }
}
