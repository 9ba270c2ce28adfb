//! The files that git knows, or would know after `git add`, read once for all checks.

use std::fs;

use curfew_harness::{Result, repository};

use crate::run::{command, output};

/// Path from the root of the repository, and text.
pub struct Sources(pub Vec<(String, String)>);

impl Sources {
    /// Reads every file that is text.
    pub fn read() -> Result<Self> {
        let listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = output(command("git").args(listed))?;
        let read = |path: &str| Some((path.to_owned(), fs::read_to_string(repository().join(path)).ok()?));
        Ok(Self(listed.split('\0').filter(|path| !path.is_empty()).filter_map(read).collect()))
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        all.filter(|(path, _)| path.ends_with(".rs"))
    }

    /// One file's text.
    pub fn file(&self, path: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == path).map(|(_, text)| text.as_str())
    }
}
