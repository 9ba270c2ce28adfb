//! End to end: real servers, real clients, and the gate as a stranger meets it.

mod verifier;
