//! The target's side: reached with the account's secret, and made to stop when the session is over.
//!
//! What a target says is a stranger's bytes too: bounded, and never shown to the client unread.

mod auth;
mod cleanup;
mod connect;
mod failure;
mod keys;
mod scram;
mod secure;
mod wire;

pub use cleanup::{Found, Stopper, take_leave};
pub use connect::{Target, connect};
pub use failure::Failure;
pub use keys::KeyCache;

use crate::codec::startup;
use curfew_adapter::{GuardedSocket, Session, TargetTls, Terms};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What names a backend on the target, and its secret: 4 bytes, or up to 256 from Postgres 18 on.
#[derive(Clone)]
pub struct BackendKey {
    /// Its process.
    pub process: i32,
    /// What a CancelRequest must say.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for BackendKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BackendKey({}, …)", self.process)
    }
}

/// Asks the target, over `socket`, to cancel what `key` runs; returns once it has closed, which it does
/// after the signal is sent.
///
/// # Errors
/// Where the target can't be told.
pub async fn cancel(socket: GuardedSocket, tls: &TargetTls, host: &str, key: &BackendKey) -> io::Result<()> {
    let mut stream = secure::secure(socket, tls, host).await.map_err(io::Error::other)?;
    let mut request = Vec::new();
    startup::cancel_request(&mut request, key.process, &key.secret);
    stream.write_all(&request).await?;
    stream.flush().await?;
    let mut answer = [0; 64];
    // There is no answer but the close; whatever comes is not looked at.
    while matches!(stream.read(&mut answer).await, Ok(read) if read > 0) {}
    Ok(())
}

/// A cancel that the client asked for, while its session lives.
///
/// # Errors
/// As [`cancel`].
pub async fn forward_cancel(session: &Session, key: &BackendKey) -> io::Result<()> {
    let Terms { target, .. } = &**session.terms();
    cancel(session.dial().await?, &target.tls, &target.address.host, key).await
}
