//! Messages from a target while a connection is set up; there is no raw read.

use crate::codec::{frame, limits};
use crate::stream::Stream;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A connection on which messages come one by one.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    buffer: Vec<u8>,
    taken: usize,
    total: usize,
}

impl Wire {
    /// Reads from `stream`.
    pub const fn new(stream: Stream) -> Self {
        Self { stream, buffer: Vec::new(), taken: 0, total: 0 }
    }

    /// Sends `bytes` at once.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next message: its type and its body.
    ///
    /// # Errors
    /// Those of the connection; also where the target says too much, or ends in mid-message.
    pub async fn message(&mut self) -> io::Result<(u8, &[u8])> {
        self.buffer.drain(..std::mem::take(&mut self.taken).min(self.buffer.len()));
        let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        while frame::whole(&self.buffer, limits::BACKEND_STARTUP).map_err(|e| broken(e.0))?.is_none() {
            let mut chunk = [0; 1024];
            let read = self.stream.read(&mut chunk).await?;
            self.total += read;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"));
            }
            if self.total > limits::BACKEND_STARTUP_TOTAL {
                return Err(broken("it says more than a server says while it connects"));
            }
            self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
        }
        match frame::whole(&self.buffer, limits::BACKEND_STARTUP) {
            Ok(Some((tag, body, taken))) => {
                self.taken = taken;
                Ok((tag, body))
            }
            _ => Err(broken("a message that was whole is not")),
        }
    }

    /// The connection, and what came behind the last message.
    pub fn into_parts(mut self) -> (Stream, Vec<u8>) {
        self.buffer.drain(..self.taken.min(self.buffer.len()));
        (self.stream, self.buffer)
    }
}
