//! Reads the parts of a message in order.

use super::Malformed;

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Reads `bytes` from their beginning.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been read.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or(Malformed("a message ends before its parts do"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) =
            self.0.split_first_chunk::<N>().ok_or(Malformed("a message ends before its parts do"))?;
        self.0 = rest;
        Ok(*taken)
    }

    /// One byte.
    ///
    /// # Errors
    /// Where there is none.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A count of 16 bits; Postgres reads it unsigned.
    ///
    /// # Errors
    /// Where the message ends.
    pub fn count(&mut self) -> Result<usize, Malformed> {
        self.array().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    /// A number of 32 bits.
    ///
    /// # Errors
    /// Where the message ends.
    pub fn int32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    /// A string up to its zero byte, without it.
    ///
    /// # Errors
    /// Where there is no zero byte.
    pub fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = memchr::memchr(0, self.0).ok_or(Malformed("a string has no end"))?;
        let text = self.take(length)?;
        self.take(1)?;
        Ok(text)
    }

    /// A value behind its length; none for NULL, whose length is -1.
    ///
    /// # Errors
    /// Where the message ends, or the length is another one below zero.
    pub fn value(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.int32()? {
            -1 => Ok(None),
            length => {
                let length =
                    usize::try_from(length).map_err(|_| Malformed("a value has a negative length"))?;
                self.take(length).map(Some)
            }
        }
    }

    /// The end.
    ///
    /// # Errors
    /// Where something is left: the server would refuse that message too.
    pub const fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed("a message is longer than its parts")) }
    }
}
