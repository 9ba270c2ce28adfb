//! The guard at the socket, below TLS: whoever holds the stream, the core can still shut it down.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// A TCP stream whose [`SocketHandle`] can shut it down from anywhere, at any time.
#[derive(Debug)]
pub struct GuardedSocket(Arc<TcpStream>);

/// The client's connection, as an adapter gets it.
pub type ClientIo = GuardedSocket;

/// Reaches a [`GuardedSocket`] without keeping it alive.
#[derive(Clone, Debug)]
pub struct SocketHandle(Weak<TcpStream>);

impl GuardedSocket {
    /// Guards `stream`, and turns Nagle's algorithm off: a relay flushes once for each read.
    pub fn new(stream: TcpStream) -> Self {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
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
            let _ = socket2::SockRef::from(&*stream).shutdown(Shutdown::Both);
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
                let read = (&*socket2::SockRef::from(&*self.0)).read(room)?;
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
        Poll::Ready(match socket2::SockRef::from(&*self.0).shutdown(Shutdown::Write) {
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
}
