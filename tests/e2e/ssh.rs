//! SSH through the gate: real clients on one side, a real sshd on the other.

mod scene;
mod tools;
mod whole;
