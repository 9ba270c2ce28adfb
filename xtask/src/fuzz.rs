//! Every fuzz target, for a while. Needs a nightly compiler and cargo-fuzz (`cargo install cargo-fuzz`).

use curfew_harness::{Context, Error, Result, repository};

use crate::run::{command, run, works};

/// Runs each target of fuzz/fuzz_targets for so many seconds.
pub fn fuzz(seconds: u32) -> Result<()> {
    if !works("cargo", &["+nightly", "fuzz", "--version"]) {
        return Err(Error::new(
            "fuzzing needs a nightly compiler and cargo-fuzz: \
             rustup toolchain install nightly && cargo install cargo-fuzz",
        ));
    }
    let folder = repository().join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(&folder).context("reading fuzz/fuzz_targets")? {
        let path = entry.context("reading fuzz/fuzz_targets")?.path();
        targets.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    for target in targets {
        let time = format!("-max_total_time={seconds}");
        run(command("cargo").args(["+nightly", "fuzz", "run", &target, "--", &time, "-max_len=65536"]))?;
    }
    Ok(())
}
