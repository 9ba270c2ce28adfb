//! Where the repository is. It must never be asked for from a binary that is shipped.

use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};

/// The root of the repository that this crate was compiled in.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// A folder below `target/` for what is worth keeping between runs.
pub(crate) fn cache() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    target.join("harness")
}

/// From now on, keeps what the fixtures write below this folder instead of below /tmp. For programs, not for tests: it
/// holds for the whole process.
///
/// # Errors
/// When the folder can't be made, or this was called before.
pub fn scratch_below(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).context(format!("making {}", folder.display()))?;
    tempfile::env::override_temp_dir(folder)
        .map_err(|before| Error::new(format!("scratch folders are below {} already", before.display())))
}

/// The Python that `cargo xtask test` installs, with the packages of tests/requirements.txt.
#[must_use]
pub fn python() -> PathBuf {
    cache().join("python/bin/python3")
}
