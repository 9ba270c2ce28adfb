//! Takes the bytes of a recording apart: chunks, then the seal.
//!
//! Owns where each part begins and ends. It takes bytes as they come, holds one part at most, and never judges
//! more than a part's outer form.

use super::chunk::{Chunk, Header, VERSION};
use crate::audit::Digest;

/// The longest first line of a chunk, or seal, that is read.
const MAX_LINE: usize = 16 * 1024;

/// The longest body of a chunk that is read. The writer's are some hundred KiB; one statement may be larger.
const MAX_BODY: u64 = 2 << 30;

/// A part of a recording.
#[derive(Debug)]
pub enum Part {
    /// A chunk.
    Chunk(Chunk),
    /// The line that may be the seal, without its newline.
    Seal(Vec<u8>),
}

/// The bytes cannot be taken apart from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// What stands where a part should begin is none.
    Altered,
    /// They end within a part.
    Shortened,
}

/// What is due at the place that was reached.
#[derive(Debug)]
enum State {
    Line,
    Body(Box<Header>),
    Over,
}

/// Takes bytes in, gives parts out.
#[derive(Debug)]
pub struct Splitter {
    bytes: Vec<u8>,
    /// Up to where the first line was searched for its end.
    searched: usize,
    /// Where the part at hand begins.
    start: usize,
    state: State,
}

impl Default for Splitter {
    fn default() -> Self {
        Self { bytes: Vec::new(), searched: 0, start: 0, state: State::Line }
    }
}

impl Splitter {
    /// Takes more bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched = self.searched.saturating_sub(self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next part; none when more bytes are needed.
    ///
    /// # Errors
    /// Once: from there on there is no part any more.
    pub fn part(&mut self) -> Result<Option<Part>, Broken> {
        loop {
            let here = self.bytes.get(self.start..).unwrap_or_default();
            match &self.state {
                State::Over => return Ok(None),
                State::Line => {
                    let searched = self.searched.max(self.start) - self.start;
                    let found = memchr::memchr(b'\n', here.get(searched..).unwrap_or_default());
                    let Some(length) = found.map(|found| searched + found) else {
                        self.searched = self.bytes.len();
                        return if here.len() > MAX_LINE { self.broken() } else { Ok(None) };
                    };
                    if length > MAX_LINE {
                        return self.broken();
                    }
                    let line = here.get(..length).unwrap_or_default();
                    match serde_json::from_slice::<Header>(line) {
                        Ok(header) if header.v == VERSION && header.zstd <= MAX_BODY => {
                            self.state = State::Body(Box::new(header))
                        }
                        _ if line.starts_with(b"{\"payload\":") => {
                            let line = line.to_vec();
                            self.start += length + 1;
                            return Ok(Some(Part::Seal(line)));
                        }
                        _ => return self.broken(),
                    }
                    self.searched = self.start + length + 1;
                }
                State::Body(header) => {
                    let body_at = self.searched - self.start;
                    let length = usize::try_from(header.zstd).unwrap_or(usize::MAX);
                    let Some(end) = body_at.checked_add(length).filter(|end| *end <= here.len()) else {
                        return Ok(None);
                    };
                    let chunk = Chunk {
                        header: (**header).clone(),
                        hash: Digest::of(here.get(..end).unwrap_or_default()),
                        body: here.get(body_at..end).unwrap_or_default().to_vec(),
                    };
                    self.start += end;
                    self.searched = self.start;
                    self.state = State::Line;
                    return Ok(Some(Part::Chunk(chunk)));
                }
            }
        }
    }

    fn broken<T>(&mut self) -> Result<T, Broken> {
        self.state = State::Over;
        self.bytes = Vec::new();
        self.start = 0;
        Err(Broken::Altered)
    }

    /// Says whether the bytes may end here.
    ///
    /// # Errors
    /// When they end within a part.
    pub fn finish(&self) -> Result<(), Broken> {
        match self.state {
            State::Over => Ok(()),
            State::Line if self.bytes.len() <= self.start => Ok(()),
            _ => Err(Broken::Shortened),
        }
    }
}
