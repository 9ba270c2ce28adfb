//! Lines of JSON (application/x-ndjson) as they arrive.
//!
//! Owns the cutting of a body into lines, whatever pieces it comes in. It reads no line's meaning.

use bytes::BytesMut;

use super::problem;
use super::url::GateUrl;
use crate::cli::CliError;

/// The longest line accepted: an event carries one statement, which Postgres caps at 1 GiB but the recorder far lower.
const LINE_MAX: usize = 64 * 1024 * 1024;

/// The lines of one answer.
#[derive(Debug)]
pub struct Lines {
    pub(super) url: GateUrl,
    pub(super) response: reqwest::Response,
    pub(super) held: Cutter,
}

impl Lines {
    /// The next line without its newline; `None` at the end.
    ///
    /// # Errors
    /// The connection broke, or a line is too long.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, CliError> {
        loop {
            if let Some(line) = self.held.cut()? {
                return Ok(Some(line));
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.held.take(&bytes),
                Ok(None) => return Ok(self.held.rest()),
                Err(error) => return Err(problem::unreached(&self.url, &error)),
            }
        }
    }
}

/// Bytes that are not yet a line.
#[derive(Debug, Default)]
pub struct Cutter {
    held: BytesMut,
    /// How far no newline was found.
    searched: usize,
}

impl Cutter {
    fn take(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    fn cut(&mut self) -> Result<Option<Vec<u8>>, CliError> {
        let fresh = self.held.get(self.searched..).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', fresh) else {
            self.searched = self.held.len();
            if self.searched > LINE_MAX {
                return Err(CliError::failed(
                    "the gate sent a line longer than 64 MiB, which can't be right",
                ));
            }
            return Ok(None);
        };
        let line = self.held.split_to(self.searched + at + 1);
        self.searched = 0;
        Ok(Some(line.strip_suffix(b"\n").unwrap_or(&line).to_vec()))
    }

    fn rest(&mut self) -> Option<Vec<u8>> {
        let rest = self.held.split();
        self.searched = 0;
        (!rest.is_empty()).then(|| rest.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_lines(text in "[a\n]{0,40}", sizes in proptest::collection::vec(1usize..6, 1..40)) {
            let mut cutter = Cutter::default();
            let mut lines = Vec::new();
            let mut bytes = text.as_bytes();
            for size in sizes.iter().cycle() {
                if bytes.is_empty() {
                    break;
                }
                let (now, later) = bytes.split_at((*size).min(bytes.len()));
                cutter.take(now);
                bytes = later;
                while let Some(line) = cutter.cut().unwrap() {
                    lines.push(String::from_utf8(line).unwrap());
                }
            }
            lines.extend(cutter.rest().map(|rest| String::from_utf8(rest).unwrap()));
            let expected: Vec<_> = text.lines().map(str::to_owned).collect();
            prop_assert_eq!(lines, expected);
        }
    }
}
