//! What every adapter is tested with: a core made of script, a stage of loopback sockets, a tap between
//! the gate and its peers, and the rules that hold for any protocol.
//!
//! Nothing here is part of the gate itself.

mod core;
mod rules;
mod script;
mod sink;
mod stage;
mod tap;
mod tls;

pub use crate::core::FakeCore;
pub use rules::{
    Speaker, abandoned_session_is_let_go, bytes_after_the_end_are_none,
    garbage_ends_within_the_startup_deadline, the_lease_ends_while_the_client_reads_nothing,
};
pub use script::Script;
pub use sink::MemorySink;
pub use stage::{Served, Stage};
pub use tap::{Seen, Tap};
pub use tls::{client_config, self_signed, target_roots};
