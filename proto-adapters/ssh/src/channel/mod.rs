//! Channels: each is one here and one at the target, with a lane in each direction between them.
//!
//! A lane takes in whatever comes, at once, because the library waits for it; it hands on in order, recorded first,
//! and no faster than the other side grants.

mod entry;
mod files;
mod lane;
mod open;
mod relay;
mod tape;

pub use entry::{Entry, Registry};
pub use lane::STDERR;
pub use tape::{Purpose, Tape, Terminal};
