//! Checkpoints: signed statements of how long the chains are, kept where the host's owner cannot rewrite them.
//!
//! Owns their shape and where they are written. It does not decide when: a supervisor asks once a minute.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::{Head, instant};
use super::digest::Digest;
use super::sign::{Domain, SigningKey};

/// How long one recording was when the checkpoint was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingHead {
    /// The session that it records.
    pub session: String,
    /// Its chunks so far.
    pub chunks: u64,
    /// The digest of the last chunk.
    pub head: Digest,
    /// Whether its seal is written.
    pub sealed: bool,
}

/// What a checkpoint says: the audit chain of one node, and the recordings that were live or were sealed since
/// the checkpoint before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The version of the format, 1.
    pub v: u32,
    /// When it was signed (RFC 3339, UTC, microseconds).
    pub at: String,
    /// Whose chain.
    pub node: String,
    /// Lines in the chain.
    pub count: u64,
    /// The digest of the last line.
    pub head: Digest,
    /// Recordings, live ones and those sealed since the checkpoint before.
    pub recordings: Vec<RecordingHead>,
}

impl Checkpoint {
    /// The checkpoint of a chain as it stands.
    #[must_use]
    pub fn new(at: Timestamp, node: &str, chain: Head, recordings: Vec<RecordingHead>) -> Self {
        Self { v: 1, at: instant(at), node: node.to_owned(), count: chain.seq, head: chain.hash, recordings }
    }

    /// The signed line, without its newline.
    pub fn sign(&self, key: &SigningKey) -> serde_json::Result<String> {
        key.seal(Domain::Checkpoint, self)
    }
}

/// Where checkpoints go. Blocking: call it from a thread that may wait for a disk.
#[derive(Debug)]
pub enum Sink {
    /// A file that lines are appended to; a mount of another host's, or one that an agent ships away.
    File(FileSink),
}

impl Sink {
    /// Opens the file at this path, which is made, readable by all, if it is not there.
    pub fn file(path: &Path) -> io::Result<Self> {
        FileSink::open(path).map(Self::File)
    }

    /// Writes one line; on return it is durable.
    pub fn append(&mut self, line: &str) -> io::Result<()> {
        match self {
            Self::File(file) => file.append(line),
        }
    }
}

/// A file of checkpoints, one line each.
#[derive(Debug)]
pub struct FileSink {
    file: File,
    /// The length up to which every line is whole.
    whole: u64,
}

impl FileSink {
    /// Opens the file and drops a line that a crash left half-written: it never was a checkpoint.
    fn open(path: &Path) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        let whole = whole_lines(&mut file)?;
        let mut sink = Self { file, whole };
        sink.rewind()?;
        Ok(sink)
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.file.set_len(self.whole)?;
        self.file.seek(SeekFrom::Start(self.whole))?;
        Ok(())
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.whole += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a line (a full disk) would spoil the next one.
                self.rewind()?;
                Err(error)
            }
        }
    }
}

/// The length of the file up to and with its last newline.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let Some(part) = block.get_mut(..usize::try_from(end - start).unwrap_or(0)) else { break };
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = memchr::memrchr(b'\n', part) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_written_line_is_dropped_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints");
        Sink::file(&path).unwrap().append("one").unwrap();
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend_from_slice(&vec![b'x'; 9000]);
        std::fs::write(&path, torn).unwrap();

        let mut sink = Sink::file(&path).unwrap();
        sink.append("two").unwrap();
        sink.append("three").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_file_with_no_whole_line_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints");
        std::fs::write(&path, "torn").unwrap();
        Sink::file(&path).unwrap().append("one").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
    }
}
