//! What people reach Postgres with, through the gate over TLS: each driver and each tool does what it is used for, signed in
//! by the certificate of `curfew login`, and all of it is on record.

mod desk;
mod java;
mod node;
mod python;
mod rust;
mod tools;
