//! Where the repository is. It must never be asked for from a binary that is shipped.

use std::path::{Path, PathBuf};

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

/// The Python that `cargo xtask test` installs, with the packages of tests/requirements.txt.
#[must_use]
pub fn python() -> PathBuf {
    cache().join("python/bin/python3")
}
