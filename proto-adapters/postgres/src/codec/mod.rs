//! The Postgres protocol as pure bytes: no sockets, no waiting, no state.
//!
//! A parser gets the bytes that have arrived and answers `Ok(None)` while it needs more. It never
//! copies a message, and no length that a peer sends makes it allocate. The formats are those of the
//! Postgres manual, 55.7 "Message Formats".

pub mod backend;
mod cursor;
pub mod frame;
pub mod frontend;
pub mod limits;
pub mod report;
pub mod row;
pub mod startup;
pub mod value;

pub use cursor::Cursor;

/// Bytes that are not what the protocol says. The sentence is for logs and for the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

#[cfg(test)]
mod tests;
