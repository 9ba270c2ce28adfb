//! One direction: finds the messages in place, has each looked at before it may pass, and passes whole
//! buffers. A message that fits the buffer passes whole; a larger one passes in pieces, unless it must be
//! recorded first.

use super::buffer::{Buffer, LARGE};
use crate::codec::frame::{self, HEAD, Head};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is seen of a message that passes in pieces, before any of it passes.
pub const BEGINNING: usize = 4 * 1024;

/// What is to become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Pass,
    /// Not now: there is no room to remember it. Nothing has been noted.
    Later,
    /// It passes, and nothing after it.
    Last,
}

/// How a message is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As a whole, however long.
    Whole,
    /// As a whole where it fits a buffer; else by its head alone.
    Pieces,
}

/// Looks at messages before they pass.
pub trait Inspector {
    /// What stops the session.
    type Fault;
    /// How to look at the message with this head; judges its type and its length.
    fn head(&mut self, head: Head) -> Result<Look, Self::Fault>;
    /// Looks at a whole message.
    fn message(&mut self, tag: u8, body: &[u8]) -> Result<Verdict, Self::Fault>;
    /// Looks at a message that passes in pieces: its head, and the first [`BEGINNING`] bytes of its body.
    fn pieces(&mut self, head: Head, beginning: &[u8]) -> Result<Verdict, Self::Fault>;
    /// Looks at more of such a message.
    fn rest(&mut self, piece: &[u8]) -> Result<(), Self::Fault>;
    /// The length in a head makes no sense.
    fn malformed(&self) -> Self::Fault;
}

/// What a direction does.
#[derive(Debug)]
pub struct Pump {
    buffer: Buffer,
    /// What is left of a message that passes in pieces.
    passing: usize,
    /// The next boundary between messages, from the beginning of the buffer, as of the last vetting.
    mark: usize,
    /// The length of the message that is waited for.
    wanted: usize,
    /// Something was written that may still be held by TLS.
    unflushed: bool,
    /// Something has left since it was asked last.
    moved: bool,
    /// A message was left for later.
    held: bool,
    /// Nothing more passes.
    last: bool,
}

impl Pump {
    /// A direction of which `bytes` have been read already.
    pub fn holding(bytes: &[u8]) -> Self {
        let buffer = Buffer::holding(bytes);
        Self {
            buffer,
            passing: 0,
            mark: 0,
            wanted: 0,
            unflushed: false,
            moved: false,
            held: false,
            last: false,
        }
    }

    /// Looks at what has been read, as far as it may pass.
    pub fn vet<I: Inspector>(&mut self, inspector: &mut I) -> Result<(), I::Fault> {
        if !self.buffer.vetted().is_empty() || self.last {
            return Ok(());
        }
        (self.held, self.wanted) = (false, 0);
        self.mark = self.buffer.position().1 + self.passing;
        loop {
            let bytes = self.buffer.unvetted();
            if self.passing > 0 {
                let piece = self.passing.min(bytes.len());
                if let Some(piece @ [_, ..]) = bytes.get(..piece) {
                    inspector.rest(piece)?;
                }
                self.passing -= piece;
                self.buffer.vet(piece);
                if self.passing > 0 {
                    return Ok(());
                }
                continue;
            }
            let head = match frame::head(bytes) {
                Ok(Some(head)) => head,
                Ok(None) => return Ok(()),
                Err(_) => return Err(inspector.malformed()),
            };
            let look = inspector.head(head)?;
            let verdict = if let Some(body) = bytes.get(HEAD..head.total()) {
                inspector.message(head.tag, body)?
            } else if look == Look::Whole || head.total() <= LARGE {
                self.wanted = head.total();
                return Ok(());
            } else if let Some(beginning) = bytes.get(HEAD..HEAD + BEGINNING) {
                let verdict = inspector.pieces(head, beginning)?;
                if verdict != Verdict::Later
                    && let Some(more @ [_, ..]) = bytes.get(HEAD + BEGINNING..)
                {
                    inspector.rest(more)?;
                }
                verdict
            } else {
                self.wanted = HEAD + BEGINNING;
                return Ok(());
            };
            match verdict {
                Verdict::Later => {
                    self.held = true;
                    return Ok(());
                }
                Verdict::Pass => {}
                Verdict::Last => self.last = true,
            }
            let here = head.total().min(bytes.len());
            self.passing = head.total() - here;
            self.buffer.vet(here);
            if self.last {
                return Ok(());
            }
        }
    }

    /// Writes what may pass; ready when all of it is written.
    pub fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        while !self.buffer.vetted().is_empty() {
            match Pin::new(&mut *to).poll_write(cx, self.buffer.vetted()) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.buffer.written(written);
                    (self.unflushed, self.moved) = (true, true);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
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
                Poll::Ready(Ok(())) => (self.unflushed, self.moved) = (false, true),
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once; 0 where the peer has closed. To be called when all that may pass is written.
    pub fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.is_empty() {
            self.buffer.settle();
        }
        let mut room = ReadBuf::new(self.buffer.room(self.wanted));
        match Pin::new(from).poll_read(cx, &mut room) {
            Poll::Ready(Ok(())) => {
                let read = room.filled().len();
                self.buffer.read(read);
                Poll::Ready(Ok(read))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether bytes have left since this was asked last.
    pub const fn take_moved(&mut self) -> bool {
        std::mem::replace(&mut self.moved, false)
    }

    /// Whether something may be written.
    pub fn has_vetted(&self) -> bool {
        !self.buffer.vetted().is_empty()
    }

    /// Whether something has been read that was not looked at, and may be now.
    pub fn has_unvetted(&self) -> bool {
        self.buffer.vetted().is_empty() && !self.buffer.unvetted().is_empty() && !self.last
    }

    /// Whether a message waits for room to remember it.
    pub const fn is_held(&self) -> bool {
        self.held
    }

    /// Whether the last message has passed.
    pub const fn is_over(&self) -> bool {
        self.last
    }

    /// Whether something written may still be in TLS's hands.
    pub const fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// Whether all that may pass is written, up to the end of a message.
    pub fn is_drained(&self) -> bool {
        self.passing == 0 && self.buffer.vetted().is_empty()
    }

    /// Whether what has been written ends where a message does.
    pub fn is_between_messages(&self) -> bool {
        let (written, ready) = self.buffer.position();
        if written == ready {
            return self.passing == 0;
        }
        let mut at = self.mark;
        while at < written {
            match frame::head(self.buffer.vetted_from(at)) {
                Ok(Some(head)) => at = at.saturating_add(head.total()),
                _ => return false,
            }
        }
        at == written
    }

    /// How many bytes its buffer takes.
    pub const fn memory(&self) -> usize {
        self.buffer.memory()
    }

    /// Gives the buffer back, if there is nothing in it.
    pub fn shrink(&mut self) {
        self.buffer.shrink();
    }
}
