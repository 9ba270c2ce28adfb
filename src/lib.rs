//! Curfew: access that ends on time.
//!
//! The library behind the one binary. Dependencies point one way: `serve` wires the core and the
//! adapters; the core knows adapters by their interface only (docs/architecture.md).

pub mod adapters;
pub mod api;
pub mod app;
pub mod audit;
pub mod cli;
pub mod config;
pub mod contract;
#[cfg(test)]
mod golden;
pub mod grant;
pub mod identity;
pub mod keys;
pub mod listen;
pub mod logging;
pub mod metrics;
pub mod proxy_protocol;
pub mod record;
pub mod serve;
pub mod session;
pub mod store;
pub mod toml_doc;
pub mod ways;
pub mod worker;
