//! End to end: the gate as strangers meet it. Real psql, real Postgres, a real provider and browsers, all on loopback.
//! Nothing in here may reach into Curfew (only the two verifiers are set side by side): what can't be seen from outside,
//! it does not know.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on says so by stopping, helpers included"
)]

mod cli;
mod countdown;
mod cut;
mod drivers;
#[path = "../../src/golden.rs"]
mod golden;
mod hostile;
mod identity;
mod r#loop;
mod matrix;
mod ops;
mod pages;
mod recording;
mod ssh;
mod startup;
mod targets;
mod traffic;
mod verifier;
mod world;
