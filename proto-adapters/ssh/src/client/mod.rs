//! The client's leg: SSH with whoever connects, until its session begins, and its requests after that.
//!
//! `door` decides nothing: it carries proofs to the gate and answers back. `front` is what the library calls.

mod door;
mod front;
mod requests;

pub use door::{Door, Reply};
pub use front::{Answer, Front, config};
pub use requests::signal_name;
