//! The guard at the plaintext: no byte passes once the lease is over.

use crate::{End, Lease};
use pin_project::pin_project;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that reads and writes only while its lease lives. It stands above TLS, so that bytes which
/// are not yet encrypted at the end never leave.
#[pin_project]
#[derive(Debug)]
pub struct Leased<Io> {
    #[pin]
    io: Io,
    lease: Lease,
}

/// Proof that the lease is over, with the stream: for the goodbye, and for nothing else.
#[derive(Debug)]
pub struct Farewell<Io> {
    /// The stream below the guard.
    pub io: Io,
    /// How the lease ended.
    pub end: End,
}

impl<Io> Leased<Io> {
    pub(crate) const fn new(io: Io, lease: Lease) -> Self {
        Self { io, lease }
    }

    /// The lease that guards it.
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Takes the stream out for the goodbye.
    ///
    /// # Errors
    /// Itself, while the lease lives.
    pub fn farewell(self) -> Result<Farewell<Io>, Self> {
        match self.lease.check() {
            Ok(()) => Err(self),
            Err(end) => Ok(Farewell { io: self.io, end }),
        }
    }

    fn over() -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionAborted, "the lease is over")
    }
}

impl<Io: AsyncRead> AsyncRead for Leased<Io> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        if !this.lease.is_live() {
            return Poll::Ready(Err(Self::over()));
        }
        this.io.poll_read(cx, buf)
    }
}

impl<Io: AsyncWrite> AsyncWrite for Leased<Io> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.project();
        if !this.lease.is_live() {
            return Poll::Ready(Err(Self::over()));
        }
        this.io.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        if !this.lease.is_live() {
            return Poll::Ready(Err(Self::over()));
        }
        this.io.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// What was accepted before the end was let through by the guard then; it may still be flushed.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().io.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().io.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Deadline, EndReason, LeaseKeeper, ManualClock, Notice};
    use jiff::SignedDuration;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn bytes_after_the_end_event_are_none() {
        let manual = ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap());
        let clock = manual.clock();
        let until = Deadline::at(clock.wall() + SignedDuration::from_secs(10), &clock);
        let keeper = LeaseKeeper::new(clock, until, EndReason::Expired, Notice::default());
        let (near, mut far) = tokio::io::duplex(64);
        let mut leased = Leased::new(near, keeper.lease());
        leased.write_all(b"before").await.unwrap();
        far.write_all(b"unread").await.unwrap();
        let mut leased = leased.farewell().unwrap_err();
        manual.advance(Duration::from_secs(10));
        assert!(leased.write_all(b"after").await.is_err());
        assert!(leased.read(&mut [0; 8]).await.is_err());
        let farewell = leased.farewell().unwrap();
        assert_eq!(farewell.end.reason, EndReason::Expired);
        drop(farewell);
        let mut seen = Vec::new();
        far.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"before");
    }
}
