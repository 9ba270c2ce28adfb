//! The target's leg: the connection with the account, and what the target asks for on it.

mod back;
pub mod check;
mod connect;
mod failure;
mod host_keys;
mod login;

pub use back::{Back, Left, Side};
pub use connect::{Target, connect};
pub use failure::Failure;
