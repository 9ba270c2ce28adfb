//! The sample database. Everything in it is made up, and the same on every machine.

/// The database's name.
pub const DATABASE: &str = "orders";

/// The login roles: read the tables, change the tables, superuser.
pub const ACCOUNTS: [&str; 3] = ["orders_read", "orders_write", "admin"];

/// The tables and roles.
pub(super) const SQL: &str = include_str!("sample.sql");

/// The password of an account: only loopback ever sees it, and no two are alike, so that a leak can be told.
#[must_use]
pub fn password(account: &str) -> String {
    format!("pw-{account}-Zx81kQ")
}
