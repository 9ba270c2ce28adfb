//! Files that are checked in and made by a test: a change of them is read in review.

use std::path::Path;

/// Compares `text` with the file at `path` in the repository. With `GOLDEN=write` in the environment, writes it.
#[track_caller]
pub(crate) fn golden(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("GOLDEN").is_some_and(|what| what == "write") {
        std::fs::write(&file, text).unwrap();
        return;
    }
    let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = text.lines().zip(checked_in.lines()).position(|(now, then)| now != then);
    assert!(
        text == checked_in,
        "{path} is no longer what the code makes (line {}): look at the change, then run the test with GOLDEN=write",
        differs.map_or(checked_in.lines().count().min(text.lines().count()), |line| line + 1),
    );
}
