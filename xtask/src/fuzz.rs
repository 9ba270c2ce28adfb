//! Every fuzz target, for a while. Needs a nightly compiler and cargo-fuzz (`cargo install cargo-fuzz`).

use curfew_harness::{Context, Error, Result, repository};

use crate::run::{command, run, works};

/// The longest input that is tried.
const LONGEST: u32 = 64 * 1024;

/// Whether what it needs is installed.
pub fn can() -> bool {
    works("cargo", &["+nightly", "fuzz", "--version"])
}

/// Runs each target of fuzz/fuzz_targets for so many seconds, from its seeds and what was found before.
pub fn fuzz(seconds: u32) -> Result<()> {
    if !can() {
        return Err(Error::new(
            "fuzzing needs a nightly compiler and cargo-fuzz: \
             rustup toolchain install nightly && cargo install cargo-fuzz",
        ));
    }
    let mut targets = Vec::new();
    for entry in
        std::fs::read_dir(repository().join("fuzz/fuzz_targets")).context("reading fuzz/fuzz_targets")?
    {
        let path = entry.context("reading fuzz/fuzz_targets")?.path();
        targets.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    for target in targets {
        // The first folder is where what is found goes; the seeds are checked in.
        let found = format!("fuzz/corpus/{target}");
        std::fs::create_dir_all(repository().join(&found)).context("making fuzz/corpus")?;
        let mut folders = vec![found, format!("fuzz/seeds/{target}")];
        if target == "masking" {
            folders.push("tests/fixtures/masking".to_owned());
        }
        folders.retain(|folder| repository().join(folder).is_dir());
        let (time, longest) = (format!("-max_total_time={seconds}"), format!("-max_len={LONGEST}"));
        let mut fuzz = command("cargo");
        // There is no unsafe code of ours for a sanitizer to watch, and overflow is checked in a dev build.
        fuzz.args(["+nightly", "fuzz", "run", "--dev", "--sanitizer", "none", &target]);
        fuzz.args(folders).args(["--", &time, &longest]);
        run(&mut fuzz)?;
    }
    Ok(())
}
