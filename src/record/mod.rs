//! Recordings: what happened inside sessions, as chains of compressed chunks, sealed at the end.
//!
//! Owns the format (docs/formats.md), its writing, its reading and its verification. It never decides whether a
//! session may go on: it says that a recording failed, and the session ends itself.

pub mod mask;
