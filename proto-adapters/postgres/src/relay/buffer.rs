//! The bytes of one direction, in place: read at the end, looked at in the middle, written from the
//! start. It starts small, grows while bulk runs, shrinks when the bulk is over, and is not there while nothing happens.

/// What a direction begins with.
const SMALL: usize = 4 * 1024;

/// What bulk runs with: beyond this, more buffer bought no less CPU (measured).
pub const LARGE: usize = 64 * 1024;

/// Reads that use little of a large buffer before it shrinks.
const LULL: u8 = 16;

/// `start ≤ ready ≤ end ≤ data.len()`: written, may be written, not yet looked at, free.
#[derive(Debug)]
pub struct Buffer {
    data: Vec<u8>,
    start: usize,
    ready: usize,
    end: usize,
    lull: u8,
}

impl Buffer {
    /// Empty, but for `bytes` that have been read already.
    pub fn holding(bytes: &[u8]) -> Self {
        Self { data: bytes.to_vec(), start: 0, ready: 0, end: bytes.len(), lull: 0 }
    }

    /// What may be written.
    pub fn vetted(&self) -> &[u8] {
        self.data.get(self.start..self.ready).unwrap_or_default()
    }

    /// What has been read and not been looked at.
    pub fn unvetted(&self) -> &[u8] {
        self.data.get(self.ready..self.end).unwrap_or_default()
    }

    /// The next `count` bytes may be written.
    pub fn vet(&mut self, count: usize) {
        self.ready = (self.ready + count).min(self.end);
    }

    /// `count` bytes have been written.
    pub fn written(&mut self, count: usize) {
        self.start = (self.start + count).min(self.ready);
    }

    /// Whether nothing is held.
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room to read into, on the way to a message of `wanted` bytes. To be called when all that may be written is.
    pub fn room(&mut self, wanted: usize) -> &mut [u8] {
        if self.start == self.ready && self.start > 0 {
            // What is left is the beginning of one message.
            self.data.copy_within(self.ready..self.end, 0);
            self.end -= self.ready;
            (self.start, self.ready) = (0, 0);
        }
        if self.end == self.data.len() {
            // By doubling, so that a length alone never makes it allocate.
            let grown = (self.data.len() * 2).min(wanted.max(LARGE)).max(SMALL);
            self.data.resize(grown.max(self.data.len()), 0);
        }
        self.data.get_mut(self.end..).unwrap_or_default()
    }

    /// `count` bytes have been read. Full reads make it grow, small ones shrink in the end.
    pub fn read(&mut self, count: usize) {
        self.end = (self.end + count).min(self.data.len());
        if self.end == self.data.len() && self.data.len() < LARGE {
            self.data.resize(self.data.len() * 2, 0);
            self.lull = 0;
        } else if self.data.len() > SMALL && count < self.data.len() / 8 {
            self.lull = self.lull.saturating_add(1);
        } else {
            self.lull = 0;
        }
    }

    /// Gives back what it does not need. To be called when it is empty.
    pub fn settle(&mut self) {
        if self.lull >= LULL || self.data.len() > LARGE {
            self.shrink();
        }
    }

    /// Gives all of it back, if there is nothing in it.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::holding(&[]);
        }
    }

    /// How many bytes it takes.
    pub const fn memory(&self) -> usize {
        self.data.len()
    }

    /// How much is written, and how much may be: from the beginning of the buffer.
    pub const fn position(&self) -> (usize, usize) {
        (self.start, self.ready)
    }

    /// The bytes from `at`, up to what may be written.
    pub fn vetted_from(&self, at: usize) -> &[u8] {
        self.data.get(at..self.ready).unwrap_or_default()
    }
}
