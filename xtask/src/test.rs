//! Everything that CI runs, in the order in which failures are cheapest.

use curfew_harness::Result;

use crate::run::{cargo, run, works};
use crate::{fuzz, install, lint};

/// How long each fuzz target runs, where there is a fuzzer; its seeds are replayed by ordinary tests in any case.
const FUZZ_SECONDS: u32 = 20;

/// Installs what is missing, lints, builds, tests, and fuzzes for a moment where it can.
pub fn test() -> Result<()> {
    install::install()?;
    lint::lint()?;
    run(cargo().args(["build", "--workspace", "--all-targets", "--locked"]))?;
    if works("cargo-nextest", &["nextest", "--version"]) {
        run(cargo().args(["nextest", "run", "--workspace", "--locked"]))?;
        // nextest leaves out the examples in comments.
        run(cargo().args(["test", "--workspace", "--doc", "--quiet", "--locked"]))?;
    } else {
        run(cargo().args(["test", "--workspace", "--locked"]))?;
    }
    if fuzz::can() { fuzz::fuzz(FUZZ_SECONDS) } else { Ok(()) }
}
