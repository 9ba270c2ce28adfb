//! What is open and what is asked on one channel.
//!
//! Owns the bounds on it. It neither sees bytes nor passes them on.

use super::Access;
use super::files::{FileId, Files, MAX_OPEN, Use};
use super::request::{Asked, Operation};
use super::wire;
use bytes::BytesMut;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Requests without an answer; a client that has more is not read from until some are answered. Paramiko asks for a
/// whole file at once, in pieces of 32 KiB: this is 2 GiB of it.
const MAX_PENDING: usize = 65_536;

/// Bytes of paths in requests without an answer; beyond, the client is not read from.
const MAX_PATHS: usize = 1024 * 1024;

/// Bytes of answers of Curfew's own that wait for the end of a packet of the target's; beyond, the same.
const MAX_WAITING: usize = 64 * 1024;

/// What a client is told that may only read.
const READ_ONLY: &str =
    "Curfew lets this session read files, not change them: ask for access that includes sftp.";

/// A request without an answer.
#[derive(Debug)]
pub enum Pending {
    /// Its answer says nothing that is recorded.
    Pass,
    /// Contents from this offset.
    Read { file: FileId, offset: u64 },
    /// Contents, this many bytes.
    Write { file: FileId, length: u32 },
    /// A file or directory is opened.
    Open(Box<(Arc<str>, Use)>),
    /// A file or directory is closed.
    Close { file: FileId },
    /// The size of a path's file.
    Stat(Arc<str>),
    /// The size of an open file.
    Fstat { file: FileId },
    /// A change, and where it sets the size of an open file, that.
    Change(Box<(Operation, Option<Resize>)>),
}

/// An open file is given a size.
#[derive(Debug)]
pub struct Resize {
    /// Which.
    pub file: FileId,
    /// To what.
    pub size: u64,
    /// How much of it was written by then.
    pub written: u64,
}

impl Pending {
    fn paths(&self) -> usize {
        match self {
            Self::Open(opening) => opening.0.len(),
            Self::Stat(path) => path.len(),
            Self::Change(change) => change.0.path.len() + change.0.to.as_ref().map_or(0, |to| to.len()),
            _ => 0,
        }
    }
}

/// A request that is answered here.
#[derive(Debug)]
pub struct Refusal {
    /// The status code.
    pub code: u32,
    /// The sentence.
    pub message: &'static str,
    /// What is recorded, where anything would have happened.
    pub operation: Option<Operation>,
}

impl Refusal {
    const fn silent(code: u32, message: &'static str) -> Self {
        Self { code, message, operation: None }
    }

    const fn read_only(operation: Operation) -> Self {
        Self { code: wire::PERMISSION_DENIED, message: READ_ONLY, operation: Some(operation) }
    }
}

/// The channel.
pub struct State {
    /// Its number in the recording.
    pub ch: u32,
    access: Access,
    /// The client has sent its INIT.
    pub begun: bool,
    /// The target has answered it.
    pub greeted: bool,
    /// What is open.
    pub files: Files,
    /// Answers of our own that the client is to get after the packet that it is getting.
    pub waiting: BytesMut,
    /// Whose contents the client is sending.
    pub writing: Option<FileId>,
    /// Whose contents the target is sending.
    pub reading: Option<FileId>,
    pending: HashMap<u32, Pending>,
    paths: usize,
    opening: usize,
}

impl State {
    /// A channel on which nothing was said yet.
    pub fn new(ch: u32, access: Access) -> Self {
        Self {
            ch,
            access,
            begun: false,
            greeted: false,
            files: Files::default(),
            waiting: BytesMut::new(),
            writing: None,
            reading: None,
            pending: HashMap::new(),
            paths: 0,
            opening: 0,
        }
    }

    /// Whether another request may be taken.
    pub fn has_room(&self) -> bool {
        self.pending.len() < MAX_PENDING && self.paths < MAX_PATHS && self.waiting.len() < MAX_WAITING
    }

    /// Whether a request with this id has no answer yet.
    pub fn is_pending(&self, id: u32) -> bool {
        self.pending.contains_key(&id)
    }

    /// Remembers a request until it is answered.
    pub fn remember(&mut self, id: u32, pending: Pending) {
        self.paths += pending.paths();
        self.opening += usize::from(matches!(pending, Pending::Open(_)));
        self.pending.insert(id, pending);
    }

    /// The request that an answer belongs to.
    pub fn answered(&mut self, id: u32) -> Option<Pending> {
        let Entry::Occupied(entry) = self.pending.entry(id) else {
            return None;
        };
        let pending = entry.remove();
        self.paths = self.paths.saturating_sub(pending.paths());
        self.opening = self.opening.saturating_sub(usize::from(matches!(pending, Pending::Open(_))));
        Some(pending)
    }

    /// Takes out what was never answered, in the order of the ids.
    pub fn unanswered(&mut self) -> Vec<Pending> {
        let mut all: Vec<_> = self.pending.drain().collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        (self.paths, self.opening) = (0, 0);
        all.into_iter().map(|(_, pending)| pending).collect()
    }

    /// Whether a request may go to the target, and what is to be remembered of it.
    ///
    /// # Errors
    /// What the client is answered in the target's stead.
    pub fn admit(&mut self, asked: Asked<'_>) -> Result<Pending, Refusal> {
        Ok(match asked {
            Asked::Open { path, flags } => self.open(path, Use::File(flags))?,
            Asked::List { path } => self.open(path, Use::Directory)?,
            Asked::Close { handle } => Pending::Close { file: self.files.closing(handle).ok_or(NO_HANDLE)? },
            Asked::Read { handle, offset } => Pending::Read { file: self.handle(handle)?, offset },
            Asked::Write { handle, offset, length } => {
                let file = self.handle(handle)?;
                self.may_change(|| Operation::on("put", self.path(file)))?;
                self.writing = self.files.file(file).is_some_and(|open| open.writes(offset)).then_some(file);
                Pending::Write { file, length }
            }
            Asked::Stat { path } => Pending::Stat(path),
            Asked::Fstat { handle } => Pending::Fstat { file: self.handle(handle)? },
            Asked::On { handle } => self.handle(handle).map(|_| Pending::Pass)?,
            Asked::Fsync { handle } => {
                let file = self.handle(handle)?;
                self.may_change(|| Operation::on("fsync", self.path(file)))?;
                Pending::Pass
            }
            Asked::Change(operation) | Asked::Unknown(operation) => {
                self.may_change(|| operation.clone())?;
                Pending::Change(Box::new((operation, None)))
            }
            Asked::Fsetstat { handle, set } => {
                let file = self.handle(handle)?;
                let (operation, size) = (set.on(self.path(file)), set.size);
                self.may_change(|| operation.clone())?;
                let written = self.files.file(file).map_or(0, |file| file.written());
                Pending::Change(Box::new((operation, size.map(|size| Resize { file, size, written }))))
            }
            Asked::Copy { from, to, length } => {
                let (from, to) = (self.handle(from)?, self.handle(to)?);
                let operation =
                    Operation { op: "copy", path: self.path(from), to: Some(self.path(to)), bytes: length };
                self.may_change(|| operation.clone())?;
                if let Some(file) = self.files.file(to) {
                    file.put.spoil();
                }
                Pending::Change(Box::new((operation, None)))
            }
            Asked::Pass => Pending::Pass,
            Asked::Unsupported => {
                return Err(Refusal::silent(
                    wire::UNSUPPORTED,
                    "This request is not part of SFTP version 3.",
                ));
            }
            Asked::TooLong => {
                return Err(Refusal::silent(wire::FAILURE, "The path is longer than 4096 bytes."));
            }
        })
    }

    fn open(&self, path: Arc<str>, usage: Use) -> Result<Pending, Refusal> {
        if usage.changes() {
            self.may_change(|| Operation::on(usage.op(), path.clone()))?;
        }
        if self.files.count() + self.opening >= MAX_OPEN {
            return Err(Refusal::silent(wire::FAILURE, "Too many files are open: close some first."));
        }
        Ok(Pending::Open(Box::new((path, usage))))
    }

    fn may_change(&self, operation: impl FnOnce() -> Operation) -> Result<(), Refusal> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Refusal::read_only(operation())),
        }
    }

    /// The file of a handle that the target gave out. Others are not passed on: the client could guess one that is on
    /// its way, and what it does with it would be in no recording.
    fn handle(&self, handle: &[u8]) -> Result<FileId, Refusal> {
        self.files.by_handle(handle).ok_or(NO_HANDLE)
    }

    fn path(&self, file: FileId) -> Arc<str> {
        self.files.path(file)
    }
}

const NO_HANDLE: Refusal = Refusal::silent(wire::FAILURE, "No file is open by this handle.");
