//! The rules of the house, beyond what the compiler checks. Each check gives sentences; one is enough to fail.

mod crates;
mod directions;
mod files;
mod lessons;
mod sources;
#[cfg(test)]
mod tests;

use curfew_harness::{Error, Result};

use crate::run::{cargo, command, run, works};

/// Runs every check; ours come first, as they take a second, and all of them are reported.
pub fn lint() -> Result<()> {
    let sources = sources::Sources::read()?;
    let mut wrong = Vec::new();
    wrong.extend(directions::packages()?);
    wrong.extend(directions::names(&sources));
    wrong.extend(crates::check()?);
    wrong.extend(files::check(&sources));
    wrong.extend(lessons::check(&sources));
    for sentence in &wrong {
        eprintln!("lint: {sentence}");
    }
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    if works("cargo-deny", &["--version"]) {
        run(command("cargo-deny").args(["check", "--hide-inclusion-graph"]))?;
    }
    match wrong.len() {
        0 => Ok(()),
        many => Err(Error::new(format!("{many} of the house's rules broken, listed above"))),
    }
}
