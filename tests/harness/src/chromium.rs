//! A real Chromium, driven by the node scripts of tests/browser through playwright-core.

use std::ffi::OsStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::process::{self, Process, Stop};
use crate::psql::{Output, output};
use crate::root::repository;

/// Runs `tests/browser/SCRIPT` to its end. Scripts print what they found and exit non-zero when a page is not as
/// it should be.
///
/// # Errors
/// When packages are missing, or it takes longer than two minutes.
pub async fn chromium<S: AsRef<OsStr>>(script: &str, args: impl IntoIterator<Item = S>) -> Result<Output> {
    let folder = repository().join("tests/browser");
    if !folder.join("node_modules").exists() {
        return Err(Error::new("the browser tests' packages are missing: run `cargo xtask test`"));
    }
    // SIGTERM lets playwright close the browser that it started in a group of its own.
    let mut command = process::command("node", Stop::Term, None);
    command.arg(script).args(args).current_dir(folder);
    let mut process = Process::spawn("chromium", command, Stop::Term)?;
    drop(process.take_stdin());
    output(&mut process, Duration::from_secs(120)).await
}
