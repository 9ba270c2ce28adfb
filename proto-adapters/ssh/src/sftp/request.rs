//! What a client asks for: one packet, parsed into what matters to policy and to the recording.

use super::wire::{self, Malformed, Parts, Path};
use std::sync::Arc;

/// One request. `Err(Path::TooLong)` never leaves this module: such a request is [`Asked::TooLong`].
#[derive(Debug)]
pub struct Request<'a> {
    /// What its answer will carry.
    pub id: u32,
    /// What it asks for.
    pub asked: Asked<'a>,
}

/// What is asked for.
#[derive(Debug)]
pub enum Asked<'a> {
    /// A file is to be opened.
    Open { path: Arc<str>, flags: u32 },
    /// A directory is to be opened.
    List { path: Arc<str> },
    /// A file or directory is done with.
    Close { handle: &'a [u8] },
    /// Contents are to be read.
    Read { handle: &'a [u8], offset: u64 },
    /// Contents follow, this many bytes.
    Write { handle: &'a [u8], offset: u64, length: u32 },
    /// How large a path's file is, among other things.
    Stat { path: Arc<str> },
    /// The same for an open file.
    Fstat { handle: &'a [u8] },
    /// Something on an open file or directory that leaves no trace.
    On { handle: &'a [u8] },
    /// Something by path is to be changed.
    Change(Operation),
    /// The attributes of an open file are to be changed.
    Fsetstat { handle: &'a [u8], set: Attributes },
    /// An open file is to be on disk.
    Fsync { handle: &'a [u8] },
    /// Contents are to go from one open file to another, all of them where the length is 0.
    Copy { from: &'a [u8], to: &'a [u8], length: u64 },
    /// Something that neither changes nor shows a file: it goes its way.
    Pass,
    /// An extension that is not known here, and may do anything.
    Unknown(Operation),
    /// A type that version 3 does not have.
    Unsupported,
    /// A path is longer than any that is followed.
    TooLong,
}

/// An operation on paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name in the recording.
    pub op: &'static str,
    /// The path.
    pub path: Arc<str>,
    /// The second path; of a change of attributes, what they were set to.
    pub to: Option<Arc<str>>,
    /// The bytes that it is about.
    pub bytes: u64,
}

impl Operation {
    /// One on a single path.
    pub const fn on(op: &'static str, path: Arc<str>) -> Self {
        Self { op, path, to: None, bytes: 0 }
    }
}

/// A change of attributes.
#[derive(Debug)]
pub struct Attributes {
    op: &'static str,
    /// The size that it sets.
    pub size: Option<u64>,
    owner: Option<(u32, u32)>,
    mode: Option<u32>,
}

impl Attributes {
    /// The change on a path.
    pub fn on(&self, path: Arc<str>) -> Operation {
        let owner = self.owner.map(|(user, group)| format!("{user}:{group}"));
        let mode = self.mode.map(|mode| format!("{:04o}", mode & PERMISSIONS));
        let set: Vec<String> = owner.into_iter().chain(mode).collect();
        let to = (!set.is_empty()).then(|| set.join(" ").into());
        Operation { op: self.op, path, to, bytes: self.size.unwrap_or(0) }
    }
}

/// What of a mode says who may do what; the rest is the kind of file.
const PERMISSIONS: u32 = 0o7777;

/// Reads a change of attributes. One that sets several is called `setstat`.
fn attributes(mut parts: &[u8]) -> Result<Attributes, Malformed> {
    let flags = parts.number()?;
    let size = if flags & wire::ATTR_SIZE == 0 { None } else { Some(parts.large()?) };
    let owner = if flags & wire::ATTR_OWNER == 0 { None } else { Some((parts.number()?, parts.number()?)) };
    let mode = if flags & wire::ATTR_MODE == 0 { None } else { Some(parts.number()?) };
    let op = match flags {
        wire::ATTR_SIZE => "truncate",
        wire::ATTR_OWNER => "chown",
        wire::ATTR_MODE => "chmod",
        wire::ATTR_TIMES => "utimes",
        _ => "setstat",
    };
    Ok(Attributes { op, size, owner, mode })
}

/// The parts with paths: an error that is no fault of the packet's ends the reading of it.
enum Stop {
    Malformed(Malformed),
    TooLong,
}

impl From<Malformed> for Stop {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

fn path(parts: &mut &[u8]) -> Result<Arc<str>, Stop> {
    match parts.path()? {
        Path::Text(text) => Ok(Arc::from(&*text)),
        Path::TooLong => Err(Stop::TooLong),
    }
}

fn change<'a>(op: &'static str, parts: &mut &[u8]) -> Result<Asked<'a>, Stop> {
    Ok(Asked::Change(Operation::on(op, path(parts)?)))
}

fn both<'a>(op: &'static str, parts: &mut &[u8]) -> Result<Asked<'a>, Stop> {
    Ok(Asked::Change(Operation { op, path: path(parts)?, to: Some(path(parts)?), bytes: 0 }))
}

fn setstat<'a>(parts: &mut &[u8]) -> Result<Asked<'a>, Stop> {
    let path = path(parts)?;
    Ok(Asked::Change(attributes(parts)?.on(path)))
}

fn extended<'a>(mut parts: &'a [u8]) -> Result<Asked<'a>, Stop> {
    let name = path(&mut parts)?;
    Ok(match &*name {
        "posix-rename@openssh.com" => both("rename", &mut parts)?,
        "hardlink@openssh.com" => both("hardlink", &mut parts)?,
        "lsetstat@openssh.com" => setstat(&mut parts)?,
        "fsync@openssh.com" => Asked::Fsync { handle: parts.handle()? },
        "copy-data" => {
            let from = parts.handle()?;
            parts.large()?;
            let length = parts.large()?;
            Asked::Copy { from, to: parts.handle()?, length }
        }
        "statvfs@openssh.com"
        | "fstatvfs@openssh.com"
        | "limits@openssh.com"
        | "expand-path@openssh.com"
        | "home-directory"
        | "users-groups-by-id@openssh.com" => Asked::Pass,
        _ => Asked::Unknown(Operation::on("extended", name)),
    })
}

fn asked(kind: u8, mut parts: &[u8]) -> Result<Asked<'_>, Stop> {
    let parts = &mut parts;
    Ok(match kind {
        wire::OPEN => Asked::Open { path: path(parts)?, flags: parts.number()? },
        wire::CLOSE => Asked::Close { handle: parts.handle()? },
        wire::READ => Asked::Read { handle: parts.handle()?, offset: parts.large()? },
        wire::WRITE => {
            Asked::Write { handle: parts.handle()?, offset: parts.large()?, length: parts.number()? }
        }
        wire::STAT | wire::LSTAT => Asked::Stat { path: path(parts)? },
        wire::FSTAT => Asked::Fstat { handle: parts.handle()? },
        wire::READDIR => Asked::On { handle: parts.handle()? },
        wire::SETSTAT => setstat(parts)?,
        wire::FSETSTAT => {
            let handle = parts.handle()?;
            Asked::Fsetstat { handle, set: attributes(parts)? }
        }
        wire::OPENDIR => Asked::List { path: path(parts)? },
        wire::REMOVE => change("remove", parts)?,
        wire::MKDIR => change("mkdir", parts)?,
        wire::RMDIR => change("rmdir", parts)?,
        wire::RENAME => both("rename", parts)?,
        // OpenSSH and all who follow it put what the link points at first, contrary to the draft.
        wire::SYMLINK => both("symlink", parts)?,
        wire::REALPATH | wire::READLINK => Asked::Pass,
        wire::EXTENDED => extended(parts)?,
        _ => Asked::Unsupported,
    })
}

/// Parses the head of a packet that is no INIT.
///
/// # Errors
/// Where it is malformed.
pub fn parse(head: &[u8]) -> Result<Request<'_>, Malformed> {
    let mut parts = head;
    parts.number()?;
    let kind = parts.byte()?;
    let id = parts.number()?;
    match asked(kind, parts) {
        Ok(asked) => Ok(Request { id, asked }),
        Err(Stop::TooLong) => Ok(Request { id, asked: Asked::TooLong }),
        Err(Stop::Malformed(malformed)) => Err(malformed),
    }
}
