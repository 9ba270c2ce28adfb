//! One end of a connection, message by message.

use crate::codec::frame;
use crate::codec::startup::{self, First};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Talk<S> {
    pub stream: S,
    pub buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    pub const fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub async fn more(&mut self) -> usize {
        let mut chunk = vec![0; 64 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut chunk)).await.expect("something in time");
        let read = read.unwrap_or(0);
        self.buffer.extend_from_slice(&chunk[..read]);
        read
    }

    /// The next message; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((tag, body, taken)) = frame::whole(&self.buffer, 1 << 30).unwrap() {
                let message = (tag, body.to_vec());
                self.buffer.drain(..taken);
                return Some(message);
            }
            if self.more().await == 0 {
                return None;
            }
        }
    }

    pub async fn message(&mut self) -> (u8, Vec<u8>) {
        self.next().await.expect("a message")
    }

    /// All messages up to one of type `tag`, that one included.
    pub async fn until(&mut self, tag: u8) -> Vec<(u8, Vec<u8>)> {
        let mut found = Vec::new();
        loop {
            found.push(self.message().await);
            if found.last().unwrap().0 == tag {
                return found;
            }
        }
    }

    /// The first packet; `None` where the stream ends instead.
    pub async fn first(&mut self) -> Option<First> {
        loop {
            if let Some((first, taken)) = startup::parse(&self.buffer).unwrap() {
                self.buffer.drain(..taken);
                return Some(first);
            }
            if self.more().await == 0 {
                return None;
            }
        }
    }

    /// Everything up to the end of the stream.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await > 0 {}
        std::mem::take(&mut self.buffer)
    }
}
