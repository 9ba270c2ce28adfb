//! Folders that programs write to which do not run as we do: root's tests start Postgres and shells as somebody else.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Context, Error, Result};

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A private scratch folder that is `user`'s, or ours where none is named. Its path is short enough for a Unix socket
/// (107 bytes, unix(7)) and, where it is another's, not below a home folder that they can't enter.
pub(crate) fn scratch(prefix: &str, user: Option<&str>) -> Result<TempDir> {
    let usual = tempfile::env::temp_dir();
    let below = if user.is_some() || usual.as_os_str().len() > 60 { PathBuf::from("/tmp") } else { usual };
    let folder =
        tempfile::Builder::new().prefix(prefix).tempdir_in(below).context("making a scratch folder")?;
    own(folder.path(), user)?;
    Ok(folder)
}

/// Gives a file, or a folder and what is in it, to `user`.
pub(crate) fn own(path: &Path, user: Option<&str>) -> Result<()> {
    let Some(user) = user else { return Ok(()) };
    let status = std::process::Command::new("chown").arg("-R").arg(format!("{user}:")).arg(path).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::new(format!("chown to {user} failed: `cargo xtask test` installs what the tests need")))
    }
}
