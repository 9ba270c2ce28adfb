//! Files that commands write: results of an export, for their owner's eyes only.
//!
//! Owns the mode. What a session's recording holds is nobody else's business.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::CliError;

/// A file that appears under its name only when it is whole.
pub struct Draft<'p> {
    path: &'p Path,
    draft: std::path::PathBuf,
    file: fs::File,
    kept: bool,
}

impl<'p> Draft<'p> {
    /// Begins it, mode 0600, beside its place.
    ///
    /// # Errors
    /// It can't be made there.
    pub fn begin(path: &'p Path) -> Result<Self, CliError> {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".part-{}", std::process::id()));
        let draft = std::path::PathBuf::from(name);
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
        let file = opened.map_err(|error| cannot(path, &error))?;
        Ok(Self { path, draft, file, kept: false })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// They can't be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.file.write_all(bytes).map_err(|error| cannot(self.path, &error))
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// It can't be written to the end.
    pub fn keep(mut self) -> Result<(), CliError> {
        let kept = self.file.sync_all().and_then(|()| fs::rename(&self.draft, self.path));
        self.kept = kept.is_ok();
        kept.map_err(|error| cannot(self.path, &error))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.draft);
        }
    }
}

/// Reads a file that was named on the command line.
///
/// # Errors
/// It can't be read.
pub fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path).map_err(|error| CliError::failed(format!("can't read {}: {error}", path.display())))
}

fn cannot(path: &Path, error: &std::io::Error) -> CliError {
    CliError::failed(format!("can't write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn half_a_file_is_never_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        let mut draft = Draft::begin(&path).unwrap();
        draft.write(b"half").unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut draft = Draft::begin(&path).unwrap();
        draft.write(b"whole").unwrap();
        draft.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
