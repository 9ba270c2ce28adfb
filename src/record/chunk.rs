//! One chunk of a recording: a line that describes it, and events, compressed.
//!
//! Owns the chunk's bytes (docs/formats.md, "Recordings"): how they are made and how they are read. Pure; it knows
//! no storage.

use std::io::{self, BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};
use zstd::bulk::Compressor;
use zstd::stream::read::Decoder;

use crate::audit::Digest;

/// The version of the format.
pub const VERSION: u32 = 1;

/// The longest event that is read: a statement of 16 MiB, all of it escaped, is shorter. A few bytes may unpack to any
/// number.
const MAX_EVENT: u64 = 128 * 1024 * 1024;

/// What stands on a chunk's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format, 1.
    pub v: u32,
    /// The session that is recorded.
    pub session: String,
    /// The chunk's number, from 0.
    pub n: u64,
    /// The digest of the chunk before; zeros for the first.
    pub prev: Digest,
    /// How many events it holds.
    pub events: u64,
    /// The time of its first event, in microseconds since 1970 (UTC).
    pub from: i64,
    /// The time of its last event.
    pub to: i64,
    /// The length of the body, in bytes.
    pub zstd: u64,
    /// The digest of the body.
    pub sha256: Digest,
}

/// The seal of a recording: the payload of a signed line (see [`crate::audit::sign`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The version of the format, 1.
    pub v: u32,
    /// The session that is recorded.
    pub session: String,
    /// How many chunks there are.
    pub chunks: u64,
    /// How many events they hold.
    pub events: u64,
    /// Events that could not be written, where the contract allows to go on without them.
    pub lost: u64,
    /// The digest of the last chunk.
    pub head: Digest,
    /// The session's end reason.
    pub reason: String,
    /// When it was sealed (RFC 3339, UTC, microseconds).
    pub at: String,
}

/// Events on their way into a chunk: JSON lines, each with its newline.
#[derive(Debug, Default)]
pub struct Events {
    /// The lines.
    pub lines: Vec<u8>,
    /// How many.
    pub count: u64,
    /// The time of the first, in microseconds since 1970.
    pub from: i64,
    /// The time of the last.
    pub to: i64,
}

/// Where a recording stands: its chunks and events so far, and the digest of the last chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// Chunks written.
    pub chunks: u64,
    /// Events in them.
    pub events: u64,
    /// The digest of the last; [`Digest::ZERO`] when there is none.
    pub head: Digest,
}

impl Chain {
    /// A recording that has no chunk yet.
    pub const EMPTY: Self = Self { chunks: 0, events: 0, head: Digest::ZERO };
}

impl Default for Chain {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Makes chunks. One for each writer: its compression context is large.
pub struct Packer {
    compressor: Compressor<'static>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    /// At zstd's fastest level: the events are alike, and the disk is not what is scarce.
    pub fn new() -> io::Result<Self> {
        Ok(Self { compressor: Compressor::new(1)? })
    }

    /// The bytes of the next chunk, and where the recording stands once they are stored.
    pub fn pack(&mut self, session: &str, after: Chain, events: &Events) -> io::Result<(Vec<u8>, Chain)> {
        let body = self.compressor.compress(&events.lines)?;
        let header = Header {
            v: VERSION,
            session: session.to_owned(),
            n: after.chunks,
            prev: after.head,
            events: events.count,
            from: events.from,
            to: events.to,
            zstd: body.len() as u64,
            sha256: Digest::of(&body),
        };
        let mut bytes = serde_json::to_vec(&header)?;
        bytes.reserve_exact(body.len() + 1);
        bytes.push(b'\n');
        bytes.extend_from_slice(&body);
        let head = Digest::of(&bytes);
        Ok((bytes, Chain { chunks: after.chunks + 1, events: after.events + events.count, head }))
    }
}

/// A chunk that was read: its form is right, its place in a chain not yet checked.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Its first line.
    pub header: Header,
    /// The digest of all its bytes.
    pub hash: Digest,
    /// Its compressed events.
    pub body: Vec<u8>,
}

impl Chunk {
    /// Whether the body is the one that the header describes: its digest, and as many whole lines of JSON.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        if Digest::of(&self.body) != self.header.sha256 {
            return false;
        }
        let mut count = 0;
        for line in self.lines() {
            match line {
                Ok(line) if serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok() => count += 1,
                _ => return false,
            }
        }
        count == self.header.events
    }

    /// The events, one line of JSON each, without newline.
    pub fn lines(&self) -> impl Iterator<Item = io::Result<Vec<u8>>> {
        let decoder = Decoder::with_buffer(self.body.as_slice());
        let (decoder, error) = match decoder {
            Ok(decoder) => (Some(Lines { input: BufReader::new(decoder) }), None),
            Err(error) => (None, Some(Err(error))),
        };
        error.into_iter().chain(decoder.into_iter().flatten())
    }
}

/// Lines that all end in a newline, the last one too.
struct Lines<R: Read> {
    input: BufReader<R>,
}

impl<R: Read> Iterator for Lines<R> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match self.input.by_ref().take(MAX_EVENT).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) if line.pop() == Some(b'\n') => Some(Ok(line)),
            Ok(_) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Some(Err(error)),
        }
    }
}
