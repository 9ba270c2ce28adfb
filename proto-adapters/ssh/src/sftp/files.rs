//! The open files of a channel, and what was read from and written to each.
//!
//! Owns the hashes. It hashes what goes on where the last piece ended and keeps no contents: where a transfer is not
//! read or written from its beginning to its end in order, there is a count of bytes and no hash.

use super::wire::{self, Malformed};
use aws_lc_rs::digest::{Context, Digest, SHA256};
use std::collections::HashMap;
use std::sync::Arc;

/// Files and directories open at once; more are refused, as a system refuses them.
pub const MAX_OPEN: usize = 1024;

/// Which open file: handles come again, these numbers don't.
pub type FileId = u64;

/// How an open file is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A directory is listed.
    Directory,
    /// A file, opened with these flags (`SSH_FXF_…`).
    File(u32),
}

impl Use {
    /// Whether opening it so may change the target: with any flag but that for reading.
    pub const fn changes(self) -> bool {
        matches!(self, Self::File(flags) if flags & !wire::FOR_READING != 0)
    }

    /// What opening it is called in the recording.
    pub const fn op(self) -> &'static str {
        match self {
            Self::Directory => "list",
            Self::File(_) if self.changes() => "put",
            Self::File(_) => "get",
        }
    }

    /// Whether nothing of what was in the file before is in it afterwards.
    const fn fresh(self) -> bool {
        matches!(self, Self::File(flags)
            if flags & (wire::TRUNCATING | wire::NEW_ONLY) != 0 && flags & wire::APPENDING == 0)
    }
}

/// One direction of a file's contents.
#[derive(Default)]
pub struct Transfer {
    /// Bytes, in whatever order.
    pub bytes: u64,
    hash: Option<Context>,
    /// Where the next piece has to begin.
    at: u64,
    /// Something was not in order, so there will be no hash.
    broken: bool,
}

impl Transfer {
    /// Hashes a piece that goes on where the last one ended.
    pub fn feed(&mut self, piece: &[u8]) {
        self.hash.get_or_insert_with(|| Context::new(&SHA256)).update(piece);
        self.at = self.at.saturating_add(piece.len() as u64);
    }

    /// There will be no hash.
    pub const fn spoil(&mut self) {
        self.broken = true;
    }

    /// Whether a piece at this offset goes on where the last one ended.
    pub const fn goes_on(&self, offset: u64) -> bool {
        !self.broken && self.at == offset
    }

    fn finish(&mut self, whole: bool) -> Option<Digest> {
        let hash = self.hash.take().unwrap_or_else(|| Context::new(&SHA256));
        (whole && !self.broken).then(|| hash.finish())
    }
}

/// An open file or directory.
pub struct File {
    /// Its path, as the client spelled it.
    pub path: Arc<str>,
    /// How it was opened.
    pub usage: Use,
    /// What was read.
    pub got: Transfer,
    /// What was written.
    pub put: Transfer,
    /// Where reading met the end.
    eof: Option<u64>,
    /// How large the target said it is.
    pub size: Option<u64>,
    /// How long the client made it, before it wrote the rest.
    length: Option<u64>,
    /// The first thing that went wrong.
    pub error: Option<Box<str>>,
}

impl File {
    fn new(path: Arc<str>, usage: Use, size: Option<u64>) -> Self {
        let (got, put) = (Transfer::default(), Transfer::default());
        Self { path, usage, got, put, eof: None, size, length: None, error: None }
    }

    /// Reading at this offset met the end of the file.
    pub const fn met_end(&mut self, offset: u64) {
        self.eof = Some(offset);
    }

    /// Takes a failure down, if it is the first.
    pub fn failed(&mut self, error: &str) {
        self.error.get_or_insert_with(|| error.into());
    }

    /// A piece is on its way to the target. Whether it is hashed.
    pub const fn writes(&mut self, offset: u64) -> bool {
        let appends = matches!(self.usage, Use::File(flags) if flags & wire::APPENDING != 0);
        if appends || !self.put.goes_on(offset) {
            self.put.spoil();
        }
        !self.put.broken
    }

    /// The client made the file `size` bytes long when `written` bytes of it were on their way.
    pub const fn resized(&mut self, size: u64, written: u64) {
        if size < written {
            self.put.spoil();
        }
        self.length = Some(size);
    }

    /// How many bytes are on their way from the beginning, without a gap.
    pub const fn written(&self) -> u64 {
        self.put.at
    }

    /// What was done, once it is closed: the names, bytes and hashes to record.
    pub fn finish(&mut self) -> impl Iterator<Item = (&'static str, u64, Option<Digest>)> + use<> {
        let Use::File(flags) = self.usage else {
            return [None, None].into_iter().flatten();
        };
        let reads = flags & wire::FOR_READING != 0;
        let put =
            self.put.bytes > 0 || self.put.at > 0 || (self.usage.changes() && !reads) || self.usage.fresh();
        let get = self.got.bytes > 0 || !put;
        let at = self.got.at;
        let got = self.got.finish(self.eof == Some(at) || self.size == Some(at));
        let written = self.put.at;
        let sent = self.put.finish(
            self.put.bytes == written && self.length.map_or(self.usage.fresh(), |length| written >= length),
        );
        [get.then_some(("get", self.got.bytes, got)), put.then_some(("put", self.put.bytes, sent))]
            .into_iter()
            .flatten()
    }
}

/// The open files of a channel, by the target's handles.
#[derive(Default)]
pub struct Files {
    last: FileId,
    open: HashMap<FileId, File>,
    handles: HashMap<Box<[u8]>, FileId>,
    /// The size that the target last told for a path: clients ask before they open.
    told: Option<(Arc<str>, u64)>,
}

impl Files {
    /// Files that are open, or being closed.
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// The target opened one.
    ///
    /// # Errors
    /// Where it hands out a handle that is in use.
    pub fn opened(&mut self, handle: &[u8], path: Arc<str>, usage: Use) -> Result<(), Malformed> {
        self.last += 1;
        if self.handles.insert(handle.into(), self.last).is_some() {
            return Err(Malformed("a handle is given out twice"));
        }
        let size = self.told.as_ref().filter(|(told, _)| *told == path).map(|(_, size)| *size);
        self.open.insert(self.last, File::new(path, usage, size));
        Ok(())
    }

    /// The file that goes by this handle.
    pub fn by_handle(&self, handle: &[u8]) -> Option<FileId> {
        self.handles.get(handle).copied()
    }

    /// A client must not use this handle any more; its file stays until the target has answered.
    pub fn closing(&mut self, handle: &[u8]) -> Option<FileId> {
        self.handles.remove(handle)
    }

    /// An open file; none once it is closed.
    pub fn file(&mut self, id: FileId) -> Option<&mut File> {
        self.open.get_mut(&id)
    }

    /// Its path; empty once it is closed.
    pub fn path(&self, id: FileId) -> Arc<str> {
        self.open.get(&id).map_or_else(|| Arc::from(""), |file| file.path.clone())
    }

    /// Takes out a file that was closed.
    pub fn closed(&mut self, id: FileId) -> Option<File> {
        self.open.remove(&id)
    }

    /// Takes out all files, in the order in which they were opened.
    pub fn all(&mut self) -> Vec<File> {
        self.handles.clear();
        let mut all: Vec<_> = self.open.drain().collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all.into_iter().map(|(_, file)| file).collect()
    }

    /// The target told how large the file at a path is.
    pub fn told(&mut self, path: Arc<str>, size: u64) {
        self.told = Some((path, size));
    }
}
