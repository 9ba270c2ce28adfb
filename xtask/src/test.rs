//! Everything that CI runs, in the order in which failures are cheapest.

use curfew_harness::Result;

use crate::run::{cargo, run, works};
use crate::{install, lint};

/// Installs what is missing, lints, builds, tests.
pub fn test() -> Result<()> {
    install::install()?;
    lint::lint()?;
    run(cargo().args(["build", "--workspace", "--all-targets", "--locked"]))?;
    if works("cargo-nextest", &["nextest", "--version"]) {
        run(cargo().args(["nextest", "run", "--workspace", "--locked"]))?;
        // nextest leaves out the examples in comments.
        run(cargo().args(["test", "--workspace", "--doc", "--quiet", "--locked"]))
    } else {
        run(cargo().args(["test", "--workspace", "--locked"]))
    }
}
