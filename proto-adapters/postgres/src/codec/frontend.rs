//! What a client says: its message types, and the parts of those that are recorded.

use super::{Cursor, Malformed, frame, limits};

/// Bind
pub const BIND: u8 = b'B';
/// Close
pub const CLOSE: u8 = b'C';
/// CopyData
pub const COPY_DATA: u8 = b'd';
/// CopyDone
pub const COPY_DONE: u8 = b'c';
/// CopyFail
pub const COPY_FAIL: u8 = b'f';
/// Describe
pub const DESCRIBE: u8 = b'D';
/// Execute
pub const EXECUTE: u8 = b'E';
/// Flush
pub const FLUSH: u8 = b'H';
/// FunctionCall
pub const FUNCTION_CALL: u8 = b'F';
/// Parse
pub const PARSE: u8 = b'P';
/// PasswordMessage, SASLInitialResponse, SASLResponse
pub const PASSWORD: u8 = b'p';
/// Query
pub const QUERY: u8 = b'Q';
/// Sync
pub const SYNC: u8 = b'S';
/// Terminate
pub const TERMINATE: u8 = b'X';

/// The longest body that Postgres takes for each type of message (`SocketBackend` in postgres.c);
/// `None` for a type that a client must not send in a session.
pub const fn limit(tag: u8) -> Option<usize> {
    match tag {
        BIND | COPY_DATA | FUNCTION_CALL | PARSE | QUERY => Some(limits::LARGE),
        CLOSE | COPY_DONE | COPY_FAIL | DESCRIBE | EXECUTE | FLUSH | SYNC | TERMINATE => Some(limits::SMALL),
        _ => None,
    }
}

/// The text of a Query.
///
/// # Errors
/// Where it is malformed.
pub fn query(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut cursor = Cursor::new(body);
    let text = cursor.string()?;
    cursor.end()?;
    Ok(text)
}

/// A Parse.
#[derive(Clone, Copy, Debug)]
pub struct Parse<'a> {
    /// The statement's name; empty for the unnamed one.
    pub name: &'a [u8],
    /// The SQL.
    pub text: &'a [u8],
    /// The OIDs of the parameter types that the client prescribes; 0 leaves one to the server. See [`oids`].
    pub types: &'a [u8],
}

impl<'a> Parse<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(body);
        let (name, text) = (cursor.string()?, cursor.string()?);
        let count = cursor.count()?;
        let types = cursor.take(count * 4)?;
        cursor.end()?;
        Ok(Self { name, text, types })
    }
}

/// The OIDs of a ParameterDescription, as they stand in it.
///
/// # Errors
/// Where it is malformed.
pub fn parameter_description(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut cursor = Cursor::new(body);
    let count = cursor.count()?;
    cursor.take(count * 4)
}

/// OIDs as they stand in a message.
pub fn oids(bytes: &[u8]) -> impl ExactSizeIterator<Item = u32> + Clone {
    bytes.chunks_exact(4).map(|oid| oid.try_into().map_or(0, u32::from_be_bytes))
}

/// A Bind.
#[derive(Clone, Copy, Debug)]
pub struct Bind<'a> {
    /// The portal's name.
    pub portal: &'a [u8],
    /// The statement's name.
    pub statement: &'a [u8],
    /// Its parameters.
    pub values: Values<'a>,
    /// The formats that it wants results in, 16 bits each: one is that of all columns, none means text.
    pub results: &'a [u8],
}

impl<'a> Bind<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(body);
        let (portal, statement) = (cursor.string()?, cursor.string()?);
        let values = Values::read(&mut cursor)?;
        let results = cursor.count()?;
        let results = cursor.take(results * 2)?;
        cursor.end()?;
        Ok(Self { portal, statement, values, results })
    }
}

/// Values with their formats, as Bind and FunctionCall carry them.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    formats: &'a [u8],
    count: usize,
    all: &'a [u8],
}

impl<'a> Values<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let formats = cursor.count()?;
        let formats = cursor.take(formats * 2)?;
        let count = cursor.count()?;
        let before = cursor.rest();
        for _ in 0..count {
            cursor.value()?;
        }
        let all = before.get(..before.len() - cursor.rest().len()).unwrap_or_default();
        Ok(Self { formats, count, all })
    }

    /// Reads back what [`Values::write`] wrote.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read_back(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(&mut Cursor::new(bytes))
    }

    /// Appends them in the form that they had in their message.
    pub fn write(&self, out: &mut Vec<u8>) {
        let count = |count: usize| u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes();
        out.extend_from_slice(&count(self.formats.len() / 2));
        out.extend_from_slice(self.formats);
        out.extend_from_slice(&count(self.count));
        out.extend_from_slice(self.all);
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Each value, `None` for NULL, and whether it is in the binary format. One format is that of all
    /// values, none means text (Postgres manual, Bind).
    pub fn iter(self) -> impl Iterator<Item = (bool, Option<&'a [u8]>)> + Clone + 'a {
        let formats = self.formats;
        let mut cursor = Cursor::new(self.all);
        (0..self.count).map_while(move |n| {
            let n = if formats.len() == 2 { 0 } else { n };
            let binary = formats.get(n * 2..n * 2 + 2).is_some_and(|format| format != [0, 0]);
            cursor.value().ok().map(|value| (binary, value))
        })
    }
}

/// The portal of an Execute.
///
/// # Errors
/// Where it is malformed.
pub fn execute(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut cursor = Cursor::new(body);
    let portal = cursor.string()?;
    cursor.int32()?;
    cursor.end()?;
    Ok(portal)
}

/// What a Describe or a Close is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// The prepared statement of this name.
    Statement(&'a [u8]),
    /// The portal of this name.
    Portal(&'a [u8]),
}

impl<'a> Named<'a> {
    /// Reads the body of a Describe or a Close.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(body);
        let kind = cursor.byte()?;
        let name = cursor.string()?;
        cursor.end()?;
        match kind {
            b'S' => Ok(Self::Statement(name)),
            b'P' => Ok(Self::Portal(name)),
            _ => Err(Malformed("only statements and portals can be described or closed")),
        }
    }
}

/// The function's OID and the arguments of a FunctionCall.
///
/// # Errors
/// Where it is malformed.
pub fn function_call(body: &[u8]) -> Result<(u32, Values<'_>), Malformed> {
    let mut cursor = Cursor::new(body);
    let function = cursor.int32()?.cast_unsigned();
    let values = Values::read(&mut cursor)?;
    cursor.take(2)?;
    cursor.end()?;
    Ok((function, values))
}

/// A SASLInitialResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaslInitial<'a> {
    /// The mechanism that the client takes.
    pub mechanism: &'a [u8],
    /// What the mechanism says first; `None` where the client says nothing yet.
    pub data: Option<&'a [u8]>,
}

impl<'a> SaslInitial<'a> {
    /// Reads the body of the first answer to AuthenticationSASL.
    ///
    /// # Errors
    /// Where it is malformed.
    pub fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(body);
        let mechanism = cursor.string()?;
        let data = cursor.value()?;
        cursor.end()?;
        Ok(Self { mechanism, data })
    }
}

/// Appends a Query.
pub fn write_query(out: &mut Vec<u8>, text: &str) {
    frame::message(out, QUERY, |out| frame::string(out, text));
}

/// Appends a Terminate.
pub fn terminate(out: &mut Vec<u8>) {
    frame::message(out, TERMINATE, |_| ());
}

/// Appends a PasswordMessage.
pub fn password(out: &mut Vec<u8>, answer: &str) {
    frame::message(out, PASSWORD, |out| frame::string(out, answer));
}

/// Appends a SASLInitialResponse.
pub fn sasl_initial(out: &mut Vec<u8>, mechanism: &str, data: &[u8]) {
    frame::message(out, PASSWORD, |out| {
        frame::string(out, mechanism);
        out.extend_from_slice(&i32::try_from(data.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(data);
    });
}

/// Appends a SASLResponse.
pub fn sasl(out: &mut Vec<u8>, data: &[u8]) {
    frame::message(out, PASSWORD, |out| out.extend_from_slice(data));
}
