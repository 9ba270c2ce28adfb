//! What happened inside a session, as the adapter tells it, and in the shape in which it is recorded.

use serde::Serialize;
use std::fmt;

/// One thing that happened. `n` numbers the statements of a session from 1; times are added by the core.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event<'a> {
    /// A statement was prepared: its text, once, under a number that executions refer to.
    Prepare {
        /// The number, from 1 in each session.
        prepared: u64,
        /// The name that the client gave it; empty for the unnamed one.
        name: &'a str,
        /// The SQL; invalid UTF-8 replaced.
        text: &'a str,
        /// The types of its parameters, where the client prescribes them.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        types: &'a [TypeName],
    },
    /// A statement goes to the target. Either `text`, or `prepared` with its parameters.
    Statement {
        /// Its number in the session.
        n: u64,
        /// The SQL of a simple query.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
        /// Which `Prepare` it executes.
        #[serde(skip_serializing_if = "Option::is_none")]
        prepared: Option<u64>,
        /// Which statement it goes on with: the client takes the rows of one in several portions.
        #[serde(skip_serializing_if = "Option::is_none")]
        continues: Option<u64>,
        /// Its parameters, as the contract allows.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        parameters: &'a [Parameter<'a>],
    },
    /// The target refused to prepare, bind or describe a statement, and no execution of it was under way.
    Unprepared {
        /// Which `Prepare`, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        prepared: Option<u64>,
        /// The SQLSTATE of the error.
        sqlstate: &'a str,
        /// The message of the error.
        error: &'a str,
    },
    /// A statement came to its end.
    Result {
        /// The statement's number.
        n: u64,
        /// The command tag (`SELECT 3`); empty where there was an error.
        #[serde(skip_serializing_if = "str::is_empty")]
        tag: &'a str,
        /// Rows sent to the client.
        rows: u64,
        /// Bytes of those rows, and of COPY data from the target.
        bytes: u64,
        /// Bytes of COPY data from the client.
        #[serde(skip_serializing_if = "is_zero")]
        copy_in: u64,
        /// From the statement's forwarding to the last byte of its result, in microseconds.
        micros: u64,
        /// The SQLSTATE of an error.
        #[serde(skip_serializing_if = "Option::is_none")]
        sqlstate: Option<&'a str>,
        /// The message of an error.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    },
    /// What the rows that follow are made of. Only where the contract records results.
    Columns {
        /// The statement's number.
        n: u64,
        /// The columns, from the left; none where nobody asked the target for them.
        columns: &'a [Column<'a>],
    },
    /// A row that the target sent.
    Row {
        /// The statement's number.
        n: u64,
        /// Its values, from the left.
        values: &'a [Parameter<'a>],
    },
    /// A piece of a row that is too long to be held: what follows each other makes up the value, and the values the row.
    Value {
        /// The statement's number.
        n: u64,
        /// The column, from 0.
        column: u32,
        /// The value, or a piece of it; none where it is NULL.
        data: Option<Text<'a>>,
        /// The next event goes on with this value.
        #[serde(skip_serializing_if = "is_false")]
        more: bool,
    },
    /// What was copied, message by message.
    Copy {
        /// The statement's number.
        n: u64,
        /// Whether the client sent it (COPY FROM), and not the target.
        #[serde(skip_serializing_if = "is_false")]
        input: bool,
        /// The bytes.
        data: Text<'a>,
    },
    /// The client asked for a running statement to be cancelled.
    Cancel,
    /// A channel was opened and put to its use: a shell, a command, a file transfer, a forwarded connection.
    Channel {
        /// Its number in the session, from 1.
        ch: u32,
        /// What it is for, in the adapter's word for it in `allow` (`shell`, `exec`, `sftp`, `forward`).
        purpose: &'a str,
        /// The command, or the other end of a forwarded connection as `host:port`.
        #[serde(skip_serializing_if = "Option::is_none")]
        command: Option<&'a str>,
        /// The terminal that stands at the client's end of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        terminal: Option<Terminal<'a>>,
    },
    /// What the target sent on a channel.
    Output {
        /// The channel.
        ch: u32,
        /// Whether it is standard error, and not standard output or a terminal.
        #[serde(skip_serializing_if = "is_false")]
        err: bool,
        /// The bytes.
        data: Text<'a>,
    },
    /// What was typed into a terminal, where the contract wants that recorded.
    Input {
        /// The channel.
        ch: u32,
        /// The bytes.
        data: Text<'a>,
    },
    /// The terminal has another size.
    Resize {
        /// The channel.
        ch: u32,
        /// Columns.
        cols: u32,
        /// Rows.
        rows: u32,
    },
    /// The client set a variable for what it starts on a channel, and it was let through.
    Environment {
        /// The channel.
        ch: u32,
        /// Its name.
        name: &'a str,
        /// Its value.
        value: &'a str,
    },
    /// The client sent a signal to what runs on a channel.
    Signal {
        /// The channel.
        ch: u32,
        /// Its name, without SIG.
        name: &'a str,
    },
    /// An operation on a file of the target came to its end.
    File {
        /// The channel.
        ch: u32,
        /// What was done: `get`, `put`, `list`, `remove`, `rename`, `mkdir` and the like.
        op: &'a str,
        /// To which path, as the client spelled it.
        path: &'a str,
        /// The second path of a rename or link; what the owner or the mode was set to.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<&'a str>,
        /// Bytes read or written.
        #[serde(skip_serializing_if = "is_zero")]
        bytes: u64,
        /// SHA-256 of the file's contents, where it was transferred whole and in order.
        #[serde(skip_serializing_if = "Option::is_none")]
        sha256: Option<Hex<'a>>,
        /// What the target, or Curfew, answered instead of a success.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    },
    /// The client asked for something that the contract does not allow.
    Refused {
        /// What it asked for.
        what: &'a str,
        /// What it was told.
        why: &'a str,
    },
    /// A channel came to its end.
    ChannelEnd {
        /// The channel.
        ch: u32,
        /// The exit status, where the target gave one.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u32>,
        /// The signal that ended it, without SIG.
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<&'a str>,
        /// Bytes from the client.
        input: u64,
        /// Bytes of standard output, or of a forwarded connection's other end, recorded or not.
        output: u64,
        /// Bytes of standard error, recorded or not.
        errors: u64,
    },
    /// The client was told that the end is near.
    Countdown {
        /// What remained, in seconds.
        remaining: u64,
    },
    /// What the client was told at the end.
    Goodbye {
        /// The sentence.
        message: &'a str,
    },
}

/// A parameter of a prepared statement.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter<'a> {
    /// SQL NULL.
    Null,
    /// Its text.
    Text(&'a str),
    /// A binary value of a common type, decoded.
    Integer(i64),
    /// A binary value of a common type, decoded.
    Float(f64),
    /// A binary value of a common type, decoded.
    Boolean(bool),
    /// A binary value of another type, in hex.
    Hex(Hex<'a>),
    /// Only its length in bytes, because it is too long to be recorded.
    Length(usize),
    /// Only its type and its length in bytes, because the contract records no more.
    Typed {
        /// The type.
        #[serde(rename = "type")]
        kind: TypeName,
        /// The length.
        length: usize,
    },
}

/// A type of the target's, by its name where it is a common one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeName {
    /// It has this name.
    Named(&'static str),
    /// It is an array of the type of this name.
    Array(&'static str),
    /// It has this number; 0 where not even that is known.
    Number(u32),
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Array(name) => write!(f, "{name}[]"),
            Self::Number(0) => f.write_str("unknown"),
            Self::Number(number) => write!(f, "type {number}"),
        }
    }
}

impl Serialize for TypeName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A column of a result.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: TypeName,
}

/// A terminal at the client's end of a channel.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Terminal<'a> {
    /// What it says it is (`xterm-256color`).
    pub term: &'a str,
    /// Columns.
    pub cols: u32,
    /// Rows.
    pub rows: u32,
}

/// Bytes that are mostly text: written as a string where they are UTF-8, else as `{"base64": "…"}`.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(pub &'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Binary {
            base64: String,
        }
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Binary { base64: data_encoding::BASE64.encode(self.0) }.serialize(serializer),
        }
    }
}

/// Bytes that are written in hex.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
