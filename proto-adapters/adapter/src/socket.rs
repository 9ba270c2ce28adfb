//! The guard at the socket, below TLS: whoever holds the stream, the core can still shut it down.

use socket2::{SockRef, TcpKeepalive};
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// When a peer that says nothing is asked whether it is still there, how often, and how often in vain: one that has
/// vanished without a word (its machine off, its network gone) is noticed after two minutes.
const QUIET: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_secs(15);
const IN_VAIN: u32 = 4;

/// A TCP stream whose [`SocketHandle`] can shut it down from anywhere, at any time.
#[derive(Debug)]
pub struct GuardedSocket(Arc<TcpStream>);

/// The client's connection, as an adapter gets it.
pub type ClientIo = GuardedSocket;

/// Reaches a [`GuardedSocket`] without keeping it alive.
#[derive(Clone, Debug)]
pub struct SocketHandle(Weak<TcpStream>);

impl GuardedSocket {
    /// Guards `stream`; turns Nagle's algorithm off, for a relay flushes once for each read; and has the kernel notice a
    /// peer that has vanished.
    pub fn new(stream: TcpStream) -> Self {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let keepalive = TcpKeepalive::new().with_time(QUIET).with_interval(ASK_AGAIN).with_retries(IN_VAIN);
        if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
            tracing::debug!(%error, "SO_KEEPALIVE could not be set");
        }
        Self(Arc::new(stream))
    }

    /// A handle to shut it down by.
    pub fn handle(&self) -> SocketHandle {
        SocketHandle(Arc::downgrade(&self.0))
    }

    /// The same stream once more, for a read before it is handed on.
    #[must_use]
    pub fn share(&self) -> Self {
        Self(self.0.clone())
    }

    /// Waits for bytes and leaves them in the socket; 0 where the peer has closed its side.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.peek(buf).await
    }

    /// The address of this end.
    ///
    /// # Errors
    /// Where the socket is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl SocketHandle {
    /// Shuts both directions down. Nothing happens where the socket is closed already.
    pub fn shutdown(&self) {
        if let Some(stream) = self.0.upgrade() {
            let _ = SockRef::from(&*stream).shutdown(Shutdown::Both);
        }
    }

    /// How long what is sent may stay unacknowledged before the connection counts as broken (TCP_USER_TIMEOUT, RFC 5482);
    /// `None` is a quarter of an hour on Linux. A peer that is there and reads nothing is cut off by it too, once it has
    /// been sent more than fits, so it is for connections on which little is said.
    pub fn gone_after(&self, limit: Option<Duration>) {
        let Some(stream) = self.0.upgrade() else { return };
        if let Err(error) = SockRef::from(&*stream).set_tcp_user_timeout(limit) {
            tracing::debug!(%error, "TCP_USER_TIMEOUT could not be set");
        }
    }

    /// Whether the stream is still held by somebody.
    pub fn is_open(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl AsyncRead for GuardedSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            let room = buf.initialize_unfilled();
            let mut short = None;
            let done = self.0.try_io(Interest::READABLE, || {
                let read = (&*SockRef::from(&*self.0)).read(room)?;
                if read == 0 || read == room.len() {
                    return Ok(read);
                }
                // The socket is drained: saying so here saves the read that would only find that out, on
                // the same ground as in tokio's own TcpStream.
                short = Some(read);
                Err(io::ErrorKind::WouldBlock.into())
            });
            match (done, short) {
                (Ok(read), _) | (Err(_), Some(read)) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                (Err(error), None) if error.kind() == io::ErrorKind::WouldBlock => {}
                (Err(error), None) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for GuardedSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [one] = bufs {
            // The kernel takes one piece with less ado than a list of one.
            return self.poll_write(cx, one);
        }
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write_vectored(bufs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match SockRef::from(&*self.0).shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_handle_shuts_down_what_somebody_else_holds() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async {
            listener.accept().await.unwrap().0
        });
        let (mut near, mut far) = (GuardedSocket::new(near.unwrap()), far);
        let handle = near.handle();
        near.write_all(b"x").await.unwrap();
        handle.shutdown();
        assert!(near.write_all(b"y").await.is_err());
        let mut seen = Vec::new();
        far.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"x");
        drop(near);
        assert!(!handle.is_open());
        handle.shutdown();
    }

    #[tokio::test]
    async fn the_kernel_is_told_to_notice_who_has_vanished() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let near = GuardedSocket::new(near);
        let socket = SockRef::from(&*near.0);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), QUIET);
        assert_eq!(socket.tcp_keepalive_interval().unwrap() * socket.tcp_keepalive_retries().unwrap(), QUIET);
        let limit = Duration::from_secs(30);
        near.handle().gone_after(Some(limit));
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(limit));
        near.handle().gone_after(None);
        assert_eq!(socket.tcp_user_timeout().unwrap(), None);
    }
}
