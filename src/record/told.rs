//! The events of a recording, as a reader finds them.
//!
//! Owns their shapes from the reader's side (docs/formats.md, "Events"). A kind that is not known here is
//! [`What::Other`]; so is a known one of another shape, which another version may have written.

use serde::Deserialize;
use serde_json::Value;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// When, in microseconds since 1970 (UTC).
    pub at: i64,
    /// What.
    pub what: What,
}

/// What happened. The members are those of [`curfew_adapter::Event`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// Whose session it is.
    Session {
        /// Who.
        identity: Who,
        /// Over what.
        protocol: String,
        /// To where.
        target: String,
        /// As whom.
        account: String,
    },
    /// A statement was prepared.
    Prepare {
        /// Its number.
        prepared: u64,
        /// Its SQL.
        text: String,
        /// The types of its parameters, where the client prescribed them.
        #[serde(default)]
        types: Vec<String>,
    },
    /// A statement went to the target.
    Statement {
        /// Its number.
        n: u64,
        /// Its SQL.
        text: Option<String>,
        /// Which prepared one it is.
        prepared: Option<u64>,
        /// Which statement it goes on with.
        continues: Option<u64>,
        /// What it was given.
        #[serde(default)]
        parameters: Vec<Value>,
    },
    /// The target refused to prepare, bind or describe a statement.
    Unprepared {
        /// Which prepared one.
        prepared: Option<u64>,
        /// The SQLSTATE.
        sqlstate: String,
        /// The message.
        error: String,
    },
    /// A statement came to its end.
    Result {
        /// The statement's number.
        n: u64,
        /// The command tag.
        #[serde(default)]
        tag: String,
        /// Rows.
        #[serde(default)]
        rows: u64,
        /// Their bytes, and those of COPY data from the target.
        #[serde(default)]
        bytes: u64,
        /// Bytes of COPY data from the client.
        #[serde(default)]
        copy_in: u64,
        /// How long it took, in microseconds.
        micros: u64,
        /// The SQLSTATE of an error.
        sqlstate: Option<String>,
        /// The message of an error.
        error: Option<String>,
    },
    /// What the rows that follow are made of.
    Columns {
        /// The columns, from the left.
        columns: Vec<Column>,
    },
    /// A row.
    Row {
        /// Its values, from the left.
        values: Vec<Value>,
    },
    /// A piece of a row that was too long to be held.
    Value {
        /// The column, from 0.
        column: u32,
        /// The bytes; none for NULL.
        data: Option<Data>,
        /// The next event goes on with this value.
        #[serde(default)]
        more: bool,
    },
    /// What was copied.
    Copy {
        /// Whether the client sent it.
        #[serde(default)]
        input: bool,
        /// The bytes.
        data: Data,
    },
    /// The client asked for a running statement to be cancelled.
    Cancel,
    /// A channel was put to its use.
    Channel {
        /// Its number.
        ch: u32,
        /// For what.
        purpose: String,
        /// The command, or the other end of a forwarded connection.
        command: Option<String>,
        /// The terminal at the client's end.
        terminal: Option<Terminal>,
    },
    /// What the target sent.
    Output {
        /// The channel.
        ch: u32,
        /// Whether it is standard error.
        #[serde(default)]
        err: bool,
        /// The bytes.
        data: Data,
    },
    /// What was typed.
    Input {
        /// The channel.
        ch: u32,
        /// The bytes.
        data: Data,
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
    /// A variable was set.
    Environment {
        /// The channel.
        ch: u32,
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A signal was sent.
    Signal {
        /// The channel.
        ch: u32,
        /// Its name, without SIG.
        name: String,
    },
    /// An operation on a file came to its end.
    File {
        /// The channel.
        ch: u32,
        /// What was done.
        op: String,
        /// To which path.
        path: String,
        /// The second path.
        to: Option<String>,
        /// Bytes read or written.
        #[serde(default)]
        bytes: u64,
        /// SHA-256 of the contents.
        sha256: Option<String>,
        /// What was answered instead of a success.
        error: Option<String>,
    },
    /// Something that the contract does not allow was asked for.
    Refused {
        /// What.
        what: String,
        /// What the client was told.
        why: String,
    },
    /// A channel came to its end.
    ChannelEnd {
        /// The channel.
        ch: u32,
        /// The exit status.
        status: Option<u32>,
        /// The signal that ended it.
        signal: Option<String>,
        /// Bytes from the client.
        #[serde(default)]
        input: u64,
        /// Bytes of standard output.
        #[serde(default)]
        output: u64,
    },
    /// The client was told that the end is near.
    Countdown {
        /// What remained, in seconds.
        remaining: u64,
    },
    /// What the client was told at the end.
    Goodbye {
        /// The sentence.
        message: String,
    },
    /// Something else.
    #[serde(other)]
    Other,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Who {
    /// The verified email.
    pub email: String,
}

/// A terminal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Terminal {
    /// What it says it is.
    pub term: String,
    /// Columns.
    pub cols: u32,
    /// Rows.
    pub rows: u32,
}

impl Terminal {
    /// Its size as something that can be drawn: a client may claim any.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        drawable(self.cols, self.rows)
    }
}

/// The size of a terminal as something that can be drawn.
#[must_use]
pub fn drawable(cols: u32, rows: u32) -> (usize, usize) {
    (cols.clamp(1, 1000) as usize, rows.clamp(1, 300) as usize)
}

/// Bytes that are mostly text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Data {
    /// They are UTF-8.
    Text(String),
    /// They are not.
    Binary {
        /// In base64.
        base64: String,
    },
}

impl Data {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Binary { base64 } => data_encoding::BASE64.decode(base64.as_bytes()).unwrap_or_default(),
        }
    }
}

impl Told {
    /// Reads an event of a recording.
    #[must_use]
    pub fn read(event: Value) -> Self {
        let at = event.get("at").and_then(Value::as_i64).unwrap_or_default();
        Self { at, what: serde_json::from_value(event).unwrap_or(What::Other) }
    }
}

/// Bytes that come in pieces, as text: a character that is cut in two waits for its other half, and what is no UTF-8
/// becomes U+FFFD.
#[derive(Debug, Default)]
pub struct Texts(Vec<u8>);

impl Texts {
    /// The text of the next piece.
    pub fn next(&mut self, piece: &Data) -> String {
        let mut bytes = std::mem::take(&mut self.0);
        match piece {
            Data::Text(text) => bytes.extend_from_slice(text.as_bytes()),
            Data::Binary { .. } => bytes.extend(piece.bytes()),
        }
        let mut text = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let last = chunks.peek().is_none();
            if last && is_begun(chunk.invalid()) {
                self.0 = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }
}

/// Whether these bytes may be the beginning of a character.
fn is_begun(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn binary(bytes: &[u8]) -> Data {
        Data::Binary { base64: data_encoding::BASE64.encode(bytes) }
    }

    #[test]
    fn a_character_in_two_pieces_is_one() {
        let mut texts = Texts::default();
        assert_eq!(texts.next(&binary(b"a\xe2\x82")), "a");
        assert_eq!(texts.next(&binary(b"\xacb")), "€b");
        assert_eq!(texts.next(&binary(b"\xff\xe2")), "\u{fffd}");
        assert_eq!(texts.next(&Data::Text("x".to_owned())), "\u{fffd}x");
    }

    #[test]
    fn what_is_not_known_is_something_else() {
        assert_eq!(Told::read(json!({ "at": 5, "kind": "later" })), Told { at: 5, what: What::Other });
        assert_eq!(Told::read(json!({ "at": 5, "kind": "output" })).what, What::Other);
        assert_eq!(Told::read(json!({ "at": 6, "kind": "cancel" })).what, What::Cancel);
    }

    #[test]
    fn what_an_adapter_appends_is_what_a_reader_finds() {
        let data = curfew_adapter::Text(b"a\xffb");
        let event = curfew_adapter::Event::Output { ch: 1, err: false, data };
        let told = Told::read(serde_json::to_value(event).unwrap());
        assert_eq!(told.what, What::Output { ch: 1, err: false, data: binary(b"a\xffb") });
    }
}
