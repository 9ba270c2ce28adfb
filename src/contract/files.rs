//! The contract files of a folder, read as they stand at one moment.
//!
//! Owns which files count (`*.toml`, not hidden, not in folders below) and reading them whole. It never interprets
//! them.
//!
//! A folder may be swapped under the reader, as Kubernetes does with the link `..data` behind each file; therefore
//! a snapshot is read twice, and stands when both readings agree.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::toml_doc::Problems;

/// No contract is longer; a longer file is not a contract.
const FILE_MAX: u64 = 256 * 1024;
/// More files than any folder of contracts holds.
const FILES_MAX: usize = 10_000;
/// How often a moving folder is read before that is an error.
const ATTEMPTS: usize = 5;

/// What the files held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Snapshot(BTreeMap<PathBuf, String>);

/// Why a folder can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("can't be read: {cause}; check the path and its permissions")]
    Io { path: PathBuf, cause: io::Error },
    #[error("longer than 256 KiB: a contract is not that long, move the file away")]
    TooLong { path: PathBuf },
    #[error("not UTF-8: save it as UTF-8")]
    NotUtf8 { path: PathBuf },
    #[error("more than 10000 files: keep only contracts there")]
    TooMany { path: PathBuf },
    #[error("changed each time that it was read: try again when nobody writes to it")]
    Moving { path: PathBuf },
}

impl Unreadable {
    /// As a problem of the file or folder.
    pub(super) fn problems(&self) -> Problems {
        let (Self::Io { path, .. }
        | Self::TooLong { path }
        | Self::NotUtf8 { path }
        | Self::TooMany { path }
        | Self::Moving { path }) = self;
        Problems::of_file(&path.display().to_string(), self.to_string())
    }
}

impl Snapshot {
    /// Reads the folder until two readings in a row agree.
    pub(super) fn settled(folder: &Path) -> Result<Self, Unreadable> {
        let mut last = Self::once(folder);
        for _ in 0..ATTEMPTS {
            let again = Self::once(folder);
            match (last, again) {
                (Ok(before), Ok(after)) if before == after => return Ok(after),
                // A file that vanishes between listing and reading shows in one reading only.
                (Err(_), Err(unreadable)) => return Err(unreadable),
                (_, again) => last = again,
            }
        }
        Err(Unreadable::Moving { path: folder.to_owned() })
    }

    /// Reads the folder once.
    pub(super) fn once(folder: &Path) -> Result<Self, Unreadable> {
        let failed = |cause| Unreadable::Io { path: folder.to_owned(), cause };
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if hidden || path.extension().is_none_or(|extension| extension != "toml") || path.is_dir() {
                continue;
            }
            if files.len() == FILES_MAX {
                return Err(Unreadable::TooMany { path: folder.to_owned() });
            }
            let text = read(&path)?;
            files.insert(path, text);
        }
        Ok(Self(files))
    }

    /// One file alone, whatever it is called.
    pub(super) fn of_file(path: &Path) -> Result<Self, Unreadable> {
        Ok(Self([(path.to_owned(), read(path)?)].into()))
    }

    /// Those of another reading too.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Each file and its text, ordered by path.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.0.iter().map(|(path, text)| (path.as_path(), text.as_str()))
    }
}

/// One file's text.
fn read(path: &Path) -> Result<String, Unreadable> {
    let failed = |cause| Unreadable::Io { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(Unreadable::TooLong { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|_| Unreadable::NotUtf8 { path: path.to_owned() })
}
