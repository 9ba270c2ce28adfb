//! SSH through the gate: real clients on one side, a real sshd on the other.

mod ansible;
mod audit;
mod bulk;
mod client;
mod cut;
mod desk;
mod flood;
mod jump;
mod names;
mod operator;
mod python;
mod recordings;
mod scene;
mod socks;
mod stolen;
mod strangers;
mod sweep;
mod tools;
mod whole;
