//! Curfew's certificate authority: it makes the gate's own server certificates and the short-lived client
//! certificates of `curfew login`, in X.509 and for SSH, and judges what a client presents.
//!
//! Time is always passed in. This crate never writes a file, never logs, and never decides who may reach what: a
//! certificate only proves which sign-in its holder has.

mod authority;
mod client;
mod error;
mod judge;
mod server;
mod ssh;
#[cfg(test)]
mod tests;
mod tls;

pub use authority::{Authority, fingerprint, pem};
pub use client::{ClientCertificate, ClientSubject};
pub use error::CertsError;
pub use judge::{ClientCertError, ClientIdentity};
pub use server::{Now, OwnCertificate, ServerCertificate, fixed_certificate};
pub use ssh::{SessionCertificate, SshCertError, SshIdentity, SshKey, ssh_fingerprint};
pub use tls::{ClientCertificates, server_config};
