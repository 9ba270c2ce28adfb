//! Sessions: the one place where a session's life is decided.
//!
//! Owns admission, the leases, the registry of what lives, and the watch over it. It never speaks a
//! protocol: adapters do, and see of it only what the adapter crate shows.

mod admit;
mod asking;
mod gate;
mod host;
mod judge;
mod kill;
mod live;
mod menu;
mod parts;
mod refuse;
mod registry;
pub mod supervise;
#[cfg(test)]
mod tests;
mod wait;
mod waiters;
mod words;

pub use gate::GateCore;
pub use host::recorded;
pub use kill::Sessions;
pub use parts::{Parts, Reach, reaches};
pub use registry::Registry;
pub use waiters::Waiters;
