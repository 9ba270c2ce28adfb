//! Running other programs from the root of the repository, with their output where it belongs.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use curfew_harness::{Context, Error, Result, repository};

/// The cargo that started us.
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A command in the root of the repository.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(repository());
    command
}

/// Says what is run, runs it in sight, and fails where it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    eprintln!("xtask: {shown}");
    let status = command.status().context(format!("starting {shown}"))?;
    if status.success() { Ok(()) } else { Err(Error::new(format!("{shown} failed: {status}"))) }
}

/// Runs it out of sight and gives what it wrote to standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).output().context(format!("starting {shown}"))?;
    if !output.status.success() {
        return Err(Error::new(format!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program can be run with these arguments and says that all is well.
pub fn works(program: &str, args: &[&str]) -> bool {
    let quiet = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

/// Does `work` unless Ctrl-C comes first: then all that it has started is dropped, and `None` comes back.
pub fn until_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("starting the runtime")?.block_on(async {
        tokio::select! {
            done = work => done.map(Some),
            _ = tokio::signal::ctrl_c() => Ok(None),
        }
    })
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
