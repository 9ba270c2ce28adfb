//! A connection to a peer, with or without TLS.

use crate::binding;
use curfew_adapter::GuardedSocket;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

/// Bytes to and from a client or a target.
#[derive(Debug)]
pub enum Stream {
    /// As they are.
    Plain(GuardedSocket),
    /// Through TLS. Boxed: its state takes a kilobyte. With the certificate that was shown to a client.
    Tls(Box<TlsStream<GuardedSocket>>, Option<Arc<CertifiedKey>>),
}

impl Stream {
    /// The name by which the client called us in TLS (SNI), in lower case.
    pub fn server_name(&self) -> Option<&str> {
        match self {
            Self::Tls(tls, _) => match &**tls {
                TlsStream::Server(tls) => tls.get_ref().1.server_name(),
                TlsStream::Client(_) => None,
            },
            Self::Plain(_) => None,
        }
    }

    /// The certificate chain that the peer showed, and whose key it has proved to hold.
    pub fn peer_certificates(&self) -> Option<Vec<CertificateDer<'static>>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls, _) => {
                let chain = tls.get_ref().1.peer_certificates()?;
                Some(chain.iter().map(|certificate| certificate.clone().into_owned()).collect())
            }
        }
    }
}

impl Stream {
    /// What a client's password exchange can be bound to: the hash of the certificate that it was shown.
    pub fn end_point(&self) -> Option<Vec<u8>> {
        match self {
            Self::Plain(_) | Self::Tls(_, None) => None,
            Self::Tls(_, Some(shown)) => binding::server_end_point(shown.cert.first()?),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(tls, _) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Self::Tls(tls, _) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
            Self::Tls(tls, _) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(tls, _) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(tls, _) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
