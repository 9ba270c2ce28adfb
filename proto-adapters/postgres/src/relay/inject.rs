//! The gate's own messages to the client, which go between those of the target.

use crate::codec::report::Report;
use curfew_adapter::Notice;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

/// Messages on their way to the client.
#[derive(Debug)]
pub struct Inject {
    bytes: Vec<u8>,
    written: usize,
    unflushed: bool,
}

impl Inject {
    /// Begins with whole messages.
    pub const fn holding(bytes: Vec<u8>) -> Self {
        Self { bytes, written: 0, unflushed: false }
    }

    /// Adds a notice.
    pub fn notice(&mut self, Notice { message, detail, hint }: &Notice) {
        Report { severity: "NOTICE", code: "00000", message, detail, hint }.notice(&mut self.bytes);
    }

    /// Writes what there is. Only to be called between messages of the target.
    pub fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        while let Some(left @ [_, ..]) = self.bytes.get(self.written..) {
            match Pin::new(&mut *to).poll_write(cx, left) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.written += written;
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.written > 0 {
            *self = Self { bytes: Vec::new(), written: 0, unflushed: self.unflushed };
        }
        Poll::Ready(Ok(()))
    }

    /// Flushes what was written.
    pub fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        if self.unflushed {
            match Pin::new(to).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether none of it has been written in part.
    pub const fn is_between_messages(&self) -> bool {
        self.written == 0
    }

    /// Whether all of it has left.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.unflushed
    }

    /// Whether something written may still be in TLS's hands.
    pub const fn is_unflushed(&self) -> bool {
        self.unflushed
    }
}
