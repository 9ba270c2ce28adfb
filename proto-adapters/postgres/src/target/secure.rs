//! TLS towards a target, as its entry says.

use super::place::Place;
use crate::codec::startup;
use crate::stream::Stream;
use curfew_adapter::{GuardedSocket, TlsMode};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

/// Why there is no connection as safe as it must be.
#[derive(Debug, thiserror::Error)]
pub enum Insecure {
    /// The target has no TLS.
    #[error("it does not offer TLS, and its entry demands it (tls.mode)")]
    NotOffered,
    /// Bytes came in the clear behind the agreement to speak TLS (CVE-2021-23222).
    #[error("it sent plaintext behind its agreement to speak TLS")]
    PlaintextBehind,
    /// Another answer than yes or no.
    #[error("its answer to the request for TLS is not that of a Postgres server")]
    NotPostgres,
    /// It closed instead of answering.
    #[error("it closed the connection when asked for TLS")]
    Closed,
    /// The name can't stand in a certificate.
    #[error("its host name is not one that a certificate could carry")]
    Name,
    /// The handshake failed; the certificate is the usual cause.
    #[error("TLS failed: {0}")]
    Handshake(std::io::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
}

/// Agrees on TLS over `socket`, which leads to `place`, or on none where its mode allows that.
///
/// # Errors
/// Where the connection would be less safe than the mode demands.
pub async fn secure(mut socket: GuardedSocket, place: &Place) -> Result<Stream, Insecure> {
    let Place { host, tls, .. } = place;
    if tls.mode() == TlsMode::Disable {
        return Ok(Stream::Plain(socket));
    }
    let mut request = Vec::new();
    startup::ssl_request(&mut request);
    socket.write_all(&request).await?;
    let mut answer = [0; 16];
    match (socket.read(&mut answer).await?, answer) {
        (0, _) => Err(Insecure::Closed),
        (1, [b'S', ..]) => {
            let name = ServerName::try_from(host.host.clone()).map_err(|_| Insecure::Name)?;
            let connector = TlsConnector::from(tls.config());
            let stream = connector.connect(name, socket).await.map_err(Insecure::Handshake)?;
            Ok(Stream::Tls(Box::new(stream.into()), None))
        }
        (1, [b'N', ..]) if tls.mode() == TlsMode::Prefer => Ok(Stream::Plain(socket)),
        (1, [b'N', ..]) => Err(Insecure::NotOffered),
        (_, [b'S' | b'N', ..]) => Err(Insecure::PlaintextBehind),
        _ => Err(Insecure::NotPostgres),
    }
}
