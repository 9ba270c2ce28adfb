//! A real Chromium, driven by the node scripts of tests/browser through playwright-core.

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Context, Error, Result};
use crate::process::{self, Process, Stop};
use crate::psql::{Output, output};
use crate::root::repository;

/// What the browser stood at when its last step was done.
#[derive(Clone, Debug, Deserialize)]
pub struct Sight {
    /// The page's address.
    pub url: String,
    /// Its title.
    pub title: String,
    /// The text that is visible on it, white space joined.
    pub text: String,
    /// What its buttons say.
    pub buttons: Vec<String>,
    /// What is wrong: sideways scrolling, buttons too small, errors in the console, refused by the CSP.
    pub problems: Vec<String>,
}

/// Runs `look.mjs`: `look("bob", 360, ["open", url, "press", "Approve"])`. The steps are described there.
///
/// # Errors
/// When a step can't be done. Problems on the pages are no error: look at what is given back.
pub async fn look<const N: usize>(name: &str, width: u32, steps: [&str; N]) -> Result<Sight> {
    let width = width.to_string();
    let args = ["--width", &width, "--as", name].into_iter().chain(steps);
    let output = chromium("look.mjs", args).await?;
    serde_json::from_str(&output.stdout).context(format!("look.mjs: {}{}", output.stdout, output.stderr))
}

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
