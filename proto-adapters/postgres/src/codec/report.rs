//! ErrorResponse and NoticeResponse (Postgres manual, 55.8 "Error and Notice Message Fields").

use super::{Cursor, backend, frame};

/// An error or notice to send.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// `FATAL`, `ERROR`, `NOTICE`…
    pub severity: &'a str,
    /// The SQLSTATE.
    pub code: &'a str,
    /// One sentence.
    pub message: &'a str,
    /// More of it; left out where empty.
    pub detail: &'a str,
    /// What to do; left out where empty.
    pub hint: &'a str,
}

impl Report<'_> {
    /// Appends it as an ErrorResponse.
    pub fn error(&self, out: &mut Vec<u8>) {
        frame::message(out, backend::ERROR, |out| self.fields(out));
    }

    /// Appends it as a NoticeResponse.
    pub fn notice(&self, out: &mut Vec<u8>) {
        frame::message(out, backend::NOTICE, |out| self.fields(out));
    }

    fn fields(&self, out: &mut Vec<u8>) {
        let fields = [
            (b'S', self.severity),
            (b'V', self.severity),
            (b'C', self.code),
            (b'M', self.message),
            (b'D', self.detail),
            (b'H', self.hint),
        ];
        for (field, text) in fields {
            if !text.is_empty() || field == b'M' {
                out.push(field);
                frame::string(out, text);
            }
        }
        out.push(0);
    }
}

/// What an error says of itself. Each part may be missing: servers have left out even the SQLSTATE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told<'a> {
    /// The severity, untranslated where the server gives that.
    pub severity: std::borrow::Cow<'a, str>,
    /// The SQLSTATE.
    pub code: std::borrow::Cow<'a, str>,
    /// The sentence.
    pub message: std::borrow::Cow<'a, str>,
}

impl Told<'_> {
    /// Whether the server closes the connection behind it.
    pub fn is_fatal(&self) -> bool {
        matches!(&*self.severity, "FATAL" | "PANIC")
    }
}

/// Reads the body of an ErrorResponse or NoticeResponse as far as it makes sense.
pub fn read(body: &[u8]) -> Told<'_> {
    let mut told = Told::default();
    let mut cursor = Cursor::new(body);
    while let Ok(field) = cursor.byte() {
        let Ok(text) = cursor.string() else { break };
        let text = String::from_utf8_lossy(text);
        match field {
            0 => break,
            b'S' if told.severity.is_empty() => told.severity = text,
            b'V' => told.severity = text,
            b'C' => told.code = text,
            b'M' => told.message = text,
            _ => {}
        }
    }
    told
}
