//! End to end: real servers, real clients, and the gate as a stranger meets it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, helpers included"
)]

mod verifier;
