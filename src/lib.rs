//! Curfew: access that ends on time. The core behind the one binary: configuration, identity, contracts, grants,
//! sessions, recordings, and what ties them together. The protocols are crates of their own.

pub mod api;
pub mod app;
pub mod audit;
pub mod cli;
pub mod store;
pub mod contract;
pub mod grant;
pub mod toml_doc;
