//! Recordings: what happened inside sessions, as chains of compressed chunks, sealed at the end.
//!
//! Owns the format (docs/formats.md), its writing, its reading and its verification. It never decides whether a
//! session may go on: it says that a recording failed, and the session ends itself.

pub mod cast;
pub mod chunk;
mod encode;
pub mod folder;
mod follow;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod lines;
pub mod mask;
pub mod opening;
mod queue;
pub mod read;
pub mod recorder;
mod screen;
pub mod script;
pub mod search;
pub mod split;
pub mod told;
pub mod verify;
pub mod writer;

pub use folder::Folders;
pub use mask::Masker;
pub use opening::Opening;
pub use read::{EventReader, ReadError};
pub use recorder::{Sealed, SessionRecorder};
pub use verify::{RecordingReport, Verification};
pub use writer::{StartError, Writer};

#[cfg(test)]
mod tests;
