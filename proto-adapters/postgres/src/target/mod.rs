//! The target's side: reached with the account's secret or certificate, and made to stop when the session is over.
//!
//! What a target says is a stranger's bytes too: bounded, and never shown to the client unread.

mod auth;
pub mod check;
mod cleanup;
mod connect;
mod failure;
mod hosts;
mod keys;
mod place;
pub mod scram;
mod secure;
mod wire;

pub use cleanup::{Found, Stopper, take_leave};
pub use connect::Target;
pub use failure::Failure;
pub use hosts::reach;
pub use keys::KeyCache;
pub use place::{BackendKey, forward_cancel};
