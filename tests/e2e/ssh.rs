//! SSH through the gate: real clients on one side, a real sshd on the other.

mod client;
mod operator;
mod recordings;
mod scene;
mod tools;
mod whole;
