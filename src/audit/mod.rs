//! The audit log: what happened to whom, as a chain of lines that cannot be changed unseen.
//!
//! Owns the shapes (events, lines, checkpoints, signatures) and their verification; docs/formats.md describes
//! them for other readers. It never stores anything itself: the store keeps lines, a [`checkpoint::Sink`] keeps
//! checkpoints. Recordings share the digests, the signatures and the findings.

pub mod chain;
pub mod checkpoint;
pub mod digest;
pub mod event;
mod facts;
pub mod finding;
pub mod link;
pub mod sign;

pub use chain::{Head, next_line};
pub use checkpoint::{Checkpoint, RecordingHead};
pub use digest::Digest;
pub use event::{Actor, AuditEvent, What};
pub use finding::{Finding, Verdict};
pub use sign::{Domain, KeyError, PublicKeys, SigningKey};
