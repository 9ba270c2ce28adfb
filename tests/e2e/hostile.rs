//! Strangers on both sides of a session: what they announce, send, or leave unread costs the gate next to no memory.

mod memory;
mod target;
