//! Commands against a gate of documented answers, over real HTTP.

mod commands;
pub mod fake;
mod help;
mod http;
mod login;
mod sessions;
mod ssh;
