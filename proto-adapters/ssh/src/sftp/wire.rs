//! The bytes of SFTP version 3 (draft-ietf-secsh-filexfer-02): types, codes, lengths, and the parts of a packet.
//!
//! Pure functions of bytes. It says how much of a packet is its head, which is all that is ever held back.

use bytes::{BufMut, Bytes, BytesMut};
use std::borrow::Cow;

/// The version that both sides are held to: later ones lay their packets out otherwise.
pub const VERSION: u32 = 3;

/// The longest packet after its length word (`SFTP_MAX_MSG_LENGTH` in OpenSSH's sftp-common.h).
const MAX_PACKET: usize = 256 * 1024;

/// The longest handle (section 6.2 of the draft).
const MAX_HANDLE: usize = 256;

/// The longest path that is followed: `PATH_MAX` of Linux, which refuses longer ones as well.
const MAX_PATH: usize = 4096;

/// The bytes before a packet's type.
const LENGTH: usize = 4;

/// The bytes before what is particular to a type: length, type, and id or version.
pub const HEAD: usize = 9;

/// SSH_FXP_INIT
pub const INIT: u8 = 1;
/// SSH_FXP_VERSION
pub const VERSION_IS: u8 = 2;
/// SSH_FXP_OPEN
pub const OPEN: u8 = 3;
/// SSH_FXP_CLOSE
pub const CLOSE: u8 = 4;
/// SSH_FXP_READ
pub const READ: u8 = 5;
/// SSH_FXP_WRITE
pub const WRITE: u8 = 6;
/// SSH_FXP_LSTAT
pub const LSTAT: u8 = 7;
/// SSH_FXP_FSTAT
pub const FSTAT: u8 = 8;
/// SSH_FXP_SETSTAT
pub const SETSTAT: u8 = 9;
/// SSH_FXP_FSETSTAT
pub const FSETSTAT: u8 = 10;
/// SSH_FXP_OPENDIR
pub const OPENDIR: u8 = 11;
/// SSH_FXP_READDIR
pub const READDIR: u8 = 12;
/// SSH_FXP_REMOVE
pub const REMOVE: u8 = 13;
/// SSH_FXP_MKDIR
pub const MKDIR: u8 = 14;
/// SSH_FXP_RMDIR
pub const RMDIR: u8 = 15;
/// SSH_FXP_REALPATH
pub const REALPATH: u8 = 16;
/// SSH_FXP_STAT
pub const STAT: u8 = 17;
/// SSH_FXP_RENAME
pub const RENAME: u8 = 18;
/// SSH_FXP_READLINK
pub const READLINK: u8 = 19;
/// SSH_FXP_SYMLINK
pub const SYMLINK: u8 = 20;
/// SSH_FXP_STATUS
pub const STATUS: u8 = 101;
/// SSH_FXP_HANDLE
pub const HANDLE: u8 = 102;
/// SSH_FXP_DATA
pub const DATA: u8 = 103;
/// SSH_FXP_NAME
pub const NAME: u8 = 104;
/// SSH_FXP_ATTRS
pub const ATTRS: u8 = 105;
/// SSH_FXP_EXTENDED
pub const EXTENDED: u8 = 200;
/// SSH_FXP_EXTENDED_REPLY
pub const EXTENDED_REPLY: u8 = 201;

/// SSH_FX_OK
pub const OK: u32 = 0;
/// SSH_FX_EOF
pub const EOF: u32 = 1;
/// SSH_FX_PERMISSION_DENIED
pub const PERMISSION_DENIED: u32 = 3;
/// SSH_FX_FAILURE
pub const FAILURE: u32 = 4;
/// SSH_FX_OP_UNSUPPORTED
pub const UNSUPPORTED: u32 = 8;

/// SSH_FXF_READ
pub const FOR_READING: u32 = 0x01;
/// SSH_FXF_APPEND
pub const APPENDING: u32 = 0x04;
/// SSH_FXF_TRUNC
pub const TRUNCATING: u32 = 0x10;
/// SSH_FXF_EXCL
pub const NEW_ONLY: u32 = 0x20;

/// SSH_FILEXFER_ATTR_SIZE
pub const ATTR_SIZE: u32 = 0x01;
/// SSH_FILEXFER_ATTR_UIDGID
pub const ATTR_OWNER: u32 = 0x02;
/// SSH_FILEXFER_ATTR_PERMISSIONS
pub const ATTR_MODE: u32 = 0x04;
/// SSH_FILEXFER_ATTR_ACMODTIME
pub const ATTR_TIMES: u32 = 0x08;

/// What is wrong with a packet, as the end of "… broke the protocol:".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

const SHORT: Malformed = Malformed("a packet ends before its parts do");

/// The bytes that a packet takes, its length word included; `None` while that word is not whole.
///
/// # Errors
/// Where it is too short to be a packet, or too long to be taken.
pub fn total(packet: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some((length, _)) = packet.split_first_chunk() else {
        return Ok(None);
    };
    let total = (u32::from_be_bytes(*length) as usize).saturating_add(LENGTH);
    if total < HEAD {
        return Err(Malformed("a packet is shorter than any may be"));
    }
    if total > MAX_PACKET + LENGTH {
        return Err(Malformed("a packet is longer than any may be"));
    }
    Ok(Some(total))
}

/// How many bytes from the beginning of a client's packet have to be seen at once, as far as can be told from those
/// that are there: all of it, save the contents of a WRITE.
///
/// # Errors
/// Where it is malformed.
pub fn request_head(packet: &[u8]) -> Result<usize, Malformed> {
    let Some(total) = total(packet)? else {
        return Ok(HEAD);
    };
    let head = match packet.get(LENGTH) {
        None => HEAD,
        Some(&WRITE) => match packet.get(HEAD..HEAD + 4) {
            None => HEAD + 4,
            Some(mut length) => {
                let handle = length.number().map_err(|_| SHORT)?;
                HEAD + 4 + checked_handle(handle)? + 8 + 4
            }
        },
        Some(_) => total,
    };
    if head > total { Err(SHORT) } else { Ok(head) }
}

/// The same for a packet of the target's: only the beginning of contents, names and attributes.
///
/// # Errors
/// Where it is malformed.
pub fn answer_head(packet: &[u8]) -> Result<usize, Malformed> {
    let Some(total) = total(packet)? else {
        return Ok(HEAD);
    };
    let head = match packet.get(LENGTH) {
        None | Some(&(VERSION_IS | NAME | EXTENDED_REPLY)) => HEAD,
        Some(&DATA) => HEAD + 4,
        Some(&ATTRS) => total.min(HEAD + 12),
        Some(&(STATUS | HANDLE)) => total,
        Some(_) => return Err(Malformed("a packet is of a type that no target sends")),
    };
    if head > total { Err(SHORT) } else { Ok(head) }
}

fn checked_handle(length: u32) -> Result<usize, Malformed> {
    match length as usize {
        length if length <= MAX_HANDLE => Ok(length),
        _ => Err(Malformed("a handle is longer than 256 bytes")),
    }
}

/// Reads the parts of a packet in order.
pub trait Parts<'a> {
    /// A byte.
    fn byte(&mut self) -> Result<u8, Malformed>;
    /// A number of 32 bits.
    fn number(&mut self) -> Result<u32, Malformed>;
    /// A number of 64 bits.
    fn large(&mut self) -> Result<u64, Malformed>;
    /// A string: its length, and as many bytes.
    fn string(&mut self) -> Result<&'a [u8], Malformed>;
    /// A handle.
    fn handle(&mut self) -> Result<&'a [u8], Malformed>;
    /// A path, as it is recorded.
    fn path(&mut self) -> Result<Path<'a>, Malformed>;
}

impl<'a> Parts<'a> for &'a [u8] {
    fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.split_first().ok_or(SHORT)?;
        *self = rest;
        Ok(*byte)
    }

    fn number(&mut self) -> Result<u32, Malformed> {
        let (number, rest) = self.split_first_chunk().ok_or(SHORT)?;
        *self = rest;
        Ok(u32::from_be_bytes(*number))
    }

    fn large(&mut self) -> Result<u64, Malformed> {
        let (number, rest) = self.split_first_chunk().ok_or(SHORT)?;
        *self = rest;
        Ok(u64::from_be_bytes(*number))
    }

    fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.number()? as usize;
        let (string, rest) = self.split_at_checked(length).ok_or(SHORT)?;
        *self = rest;
        Ok(string)
    }

    fn handle(&mut self) -> Result<&'a [u8], Malformed> {
        let handle = self.string()?;
        checked_handle(u32::try_from(handle.len()).unwrap_or(u32::MAX)).map(|_| handle)
    }

    fn path(&mut self) -> Result<Path<'a>, Malformed> {
        let bytes = self.string()?;
        if bytes.contains(&0) {
            return Err(Malformed("a path holds a zero byte"));
        }
        Ok(if bytes.len() > MAX_PATH { Path::TooLong } else { Path::Text(legible(bytes)) })
    }
}

/// A path that a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Path<'a> {
    /// It may be followed.
    Text(Cow<'a, str>),
    /// No system takes it, and nobody has to remember it.
    TooLong,
}

/// The text as it is; bytes that are not UTF-8, which names on a target may hold, as `\xNN`.
fn legible(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut legible = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        legible.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| legible.push_str(&format!("\\x{byte:02x}")));
    }
    Cow::Owned(legible)
}

/// An INIT that asks for this version, which the draft has without an id.
pub fn init(version: u32) -> Bytes {
    let mut packet = BytesMut::with_capacity(HEAD);
    packet.put_u32(5);
    packet.put_u8(INIT);
    packet.put_u32(version);
    packet.freeze()
}

/// Appends a STATUS.
pub fn status(out: &mut BytesMut, id: u32, code: u32, message: &str) {
    const LANGUAGE: &str = "en";
    let parts = [message, LANGUAGE];
    let length: usize = 9 + parts.iter().map(|part| 4 + part.len()).sum::<usize>();
    out.reserve(LENGTH + length);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    out.put_u8(STATUS);
    out.put_u32(id);
    out.put_u32(code);
    for part in parts {
        out.put_u32(u32::try_from(part.len()).unwrap_or(u32::MAX));
        out.put_slice(part.as_bytes());
    }
}

/// What a status code means (section 7 of the draft), for targets that add no text of their own.
pub const fn meaning(code: u32) -> &'static str {
    match code {
        OK => "success",
        EOF => "end of file",
        2 => "no such file",
        PERMISSION_DENIED => "permission denied",
        FAILURE => "failure",
        5 => "bad message",
        6 => "no connection",
        7 => "connection lost",
        UNSUPPORTED => "operation unsupported",
        _ => "an unknown status",
    }
}
