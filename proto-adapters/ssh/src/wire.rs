//! A leg's socket, as the library gets it: one read for what would be two or more, a slow pace where too much is
//! held, and no byte after a leg is frozen.

use crate::flow::{Flow, Pace};
use bytes::{Buf, BytesMut};
use curfew_adapter::GuardedSocket;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What is read ahead, where the library asks for the length of a packet. It asks for the rest next, and gets that
/// without a detour: a copy of a large packet costs more than the read that it would save.
const AHEAD: usize = 8 * 1024;

/// How long a slow peer rests between two reads.
const REST: Duration = Duration::from_millis(20);

/// The socket of one leg.
#[derive(Debug)]
pub struct Wire {
    socket: GuardedSocket,
    flow: Arc<Flow>,
    buffer: BytesMut,
    rest: Option<Pin<Box<Sleep>>>,
    heard: bool,
}

impl Wire {
    /// Counts on `flow` what passes through `socket`.
    pub fn new(socket: GuardedSocket, flow: Arc<Flow>) -> Self {
        Self { socket, flow, buffer: BytesMut::new(), rest: None, heard: false }
    }

    /// Ready when the peer may be read.
    fn poll_pace(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Registered first: what is released between the look and the wait must not be missed.
        self.flow.wake_reader(cx.waker());
        match self.flow.pace() {
            Pace::Free => {}
            Pace::Slow => ready!(self.rest.get_or_insert_with(|| Box::pin(sleep(REST))).as_mut().poll(cx)),
            Pace::Stopped => return Poll::Pending,
        }
        self.rest = None;
        Poll::Ready(())
    }

    /// Reads from the socket into the empty buffer.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.buffer.reserve(AHEAD);
        let polled = pin!(self.socket.read_buf(&mut self.buffer)).poll(cx);
        if polled.is_pending() {
            // Nothing to read: an idle connection holds no buffer.
            self.buffer = BytesMut::new();
        }
        polled
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.buffer.is_empty() {
            ready!(this.poll_pace(cx));
            if buf.remaining() >= AHEAD {
                return Pin::new(&mut this.socket).poll_read(cx, buf);
            }
            if ready!(this.poll_fill(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        if !std::mem::replace(&mut this.heard, true) {
            this.flow.heard(&this.buffer);
        }
        let take = this.buffer.len().min(buf.remaining());
        buf.put_slice(this.buffer.get(..take).unwrap_or_default());
        this.buffer.advance(take);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let allowed = match this.flow.out().left {
            None => buf,
            Some(0) => {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    "the leg is frozen",
                )));
            }
            Some(left) => buf.get(..left).unwrap_or(buf),
        };
        let polled = Pin::new(&mut this.socket).poll_write(cx, allowed);
        match &polled {
            Poll::Pending => this.flow.wrote(buf.len(), 0),
            Poll::Ready(Ok(written)) => this.flow.wrote(buf.len(), *written),
            Poll::Ready(Err(_)) => {}
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = ready!(Pin::new(&mut self.socket).poll_shutdown(cx));
        if done.is_ok() && self.flow.out().left.is_none() {
            self.flow.close();
        }
        Poll::Ready(done)
    }
}
