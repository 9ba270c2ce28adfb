//! Starts and stops the real parts that tests, the demo and the benches need: Postgres, the OIDC provider, the
//! `curfew` binary, psql, browsers, Prometheus, and taps between any two of them.
//!
//! Each fixture is a value: dropping it stops what it started and removes its files, also when a test panics, and
//! the kernel does so when the process that owns it is killed. A fixture belongs to the thread and runtime that
//! started it, so tests never share one.
//!
//! This crate must never depend on Curfew's own libraries: it knows the gate as a stranger does, from outside.

pub mod browser;
pub mod bulk;
pub mod chromium;
pub mod clock;
mod error;
pub mod gate;
mod port;
pub mod postgres;
pub mod process;
pub mod prometheus;
pub mod provider;
pub mod psql;
pub mod pty;
mod root;
mod scratch;
pub mod ssh;
pub mod sshd;
pub mod tap;
pub mod tls;
mod wait;
pub mod wire;

pub use browser::{Browser, Page};
pub use bulk::Bulk;
pub use clock::Clock;
pub use error::{Context, Error, Result};
pub use gate::{Contract, Gate, GateOptions, Person};
pub use port::free_port;
pub use postgres::Postgres;
pub use process::{Logs, Process};
pub use prometheus::Prometheus;
pub use provider::Provider;
pub use psql::{Output, Psql};
pub use pty::Terminal;
pub use root::{python, repository, scratch_below};
pub use ssh::Ssh;
pub use sshd::Sshd;
pub use tap::{Direction, Tap};
pub use wait::until;
pub use wire::Wire;
