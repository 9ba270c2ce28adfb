//! The very server that a session is on, and the backend there: where its cancels go.

use super::secure;
use crate::codec::startup;
use curfew_adapter::{GuardedSocket, HostPort, Session, TargetTls};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// One address of one of the target's hosts.
#[derive(Clone, Debug)]
pub struct Place {
    /// The host, as the target's entry names it: its certificate is made out to that name.
    pub host: HostPort,
    /// Which of the host's addresses. Behind one name may be several servers.
    pub address: SocketAddr,
    /// How TLS is spoken there, with the account's certificate where it has one.
    pub tls: TargetTls,
}

/// What names a backend on the target, and its secret: 4 bytes, or up to 256 from Postgres 18 on.
#[derive(Clone)]
pub struct BackendKey {
    /// Where it runs.
    pub place: Place,
    /// Its process.
    pub process: i32,
    /// What a CancelRequest must say.
    pub secret: Box<[u8]>,
}

impl std::fmt::Debug for BackendKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BackendKey({} at {}, …)", self.process, self.place.address)
    }
}

impl BackendKey {
    /// Asks the target, over `socket`, to cancel what the backend runs; returns once it has closed, which it does after
    /// the signal is sent.
    ///
    /// # Errors
    /// Where the target can't be told.
    pub async fn cancel(&self, socket: GuardedSocket) -> io::Result<()> {
        let mut stream = secure::secure(socket, &self.place).await.map_err(io::Error::other)?;
        let mut request = Vec::new();
        startup::cancel_request(&mut request, self.process, &self.secret);
        stream.write_all(&request).await?;
        stream.flush().await?;
        let mut answer = [0; 64];
        // There is no answer but the close; whatever comes is not looked at.
        while matches!(stream.read(&mut answer).await, Ok(read) if read > 0) {}
        Ok(())
    }
}

/// A cancel that the client asked for, while its session lives.
///
/// # Errors
/// As [`BackendKey::cancel`].
pub async fn forward_cancel(session: &Session, key: &BackendKey) -> io::Result<()> {
    key.cancel(session.dial_to(key.place.address).await?).await
}
