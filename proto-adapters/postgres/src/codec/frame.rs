//! The head of a message: one byte of type, four of length.

use super::Malformed;

/// The bytes of a head.
pub const HEAD: usize = 5;

/// What the head of a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The type.
    pub tag: u8,
    /// The bytes that follow the head.
    pub body: usize,
}

impl Head {
    /// The bytes of the whole message.
    pub const fn total(self) -> usize {
        self.body.saturating_add(HEAD)
    }
}

/// Reads the head at the beginning of `bytes`; `None` while it is not whole.
///
/// # Errors
/// Where the length is less than that of the length itself.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    let Some((&[tag, a, b, c, d], _)) = bytes.split_first_chunk::<HEAD>() else {
        return Ok(None);
    };
    // Postgres counts the length word in, and reads it signed.
    let length = i32::from_be_bytes([a, b, c, d]);
    match usize::try_from(length).ok().and_then(|length| length.checked_sub(4)) {
        Some(body) => Ok(Some(Head { tag, body })),
        None => Err(Malformed("a message says that it is shorter than its own head")),
    }
}

/// A whole message: its type, its body, and the bytes that it takes.
pub type Whole<'a> = (u8, &'a [u8], usize);

/// The first message of `bytes`, if it is whole and no longer than `limit`.
///
/// # Errors
/// Where it is malformed or longer than `limit`.
pub fn whole(bytes: &[u8], limit: usize) -> Result<Option<Whole<'_>>, Malformed> {
    let Some(head) = head(bytes)? else {
        return Ok(None);
    };
    if head.body > limit {
        return Err(Malformed("a message is longer than it may be"));
    }
    Ok(bytes.get(HEAD..head.total()).map(|body| (head.tag, body, head.total())))
}

/// Appends a message of type `tag`, whose body `write` appends.
pub fn message(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    packet(out, write);
}

/// Appends a packet without a type, as a startup is: a length, and what `write` appends.
pub fn packet(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = i32::try_from(out.len() - at).unwrap_or(i32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends a string and its zero byte. A zero byte inside would end it, so it ends there.
pub fn string(out: &mut Vec<u8>, text: &str) {
    let text = text.split('\0').next().unwrap_or_default();
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}
