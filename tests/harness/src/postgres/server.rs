//! One postmaster over one data folder, run by the user `postgres` where we are root. It must never run as root.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Command;

use crate::error::{Context, Error, Result};
use crate::process::{self, Logs, Process, Stop};
use crate::scratch::is_root;

const READY: Duration = Duration::from_secs(60);

/// The layout of a scratch folder: the data below it, sockets and certificates in it.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn data(&self) -> PathBuf {
        self.0.join("data")
    }
}

/// The user to run Postgres as: it refuses to be root.
pub(super) fn user() -> Option<&'static str> {
    is_root().then_some("postgres")
}

/// Copies a data folder, sharing blocks where the file system can.
pub(super) async fn copy(from: &Path, to: PathBuf) -> Result<()> {
    let status = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(&to).status().await?;
    if !status.success() {
        return Err(Error::new(format!("copying {} to {} failed", from.display(), to.display())));
    }
    std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o700))?;
    Ok(())
}

/// The newest installed Postgres's folder of programs.
pub(super) fn programs() -> Result<PathBuf> {
    let missing = "Postgres is not installed: run `cargo xtask test`, which says what is missing";
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .context(missing)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs.join("initdb").exists().then_some((version, programs))
        })
        .collect();
    found.sort();
    Ok(found.pop().context(missing)?.1)
}

/// One of the newest installed Postgres's programs, such as `pgbench`.
///
/// # Errors
/// When Postgres is not installed.
pub fn program(name: &str) -> Result<PathBuf> {
    Ok(programs()?.join(name))
}

/// A running postmaster.
pub(super) struct Server(Process);

impl Server {
    /// Starts it with the settings given and its socket in the folder; returns when it takes connections.
    pub(super) async fn start(folder: &Folder, settings: &[(String, String)]) -> Result<Self> {
        let mut command = process::command(programs()?.join("postgres"), Stop::Quit, user());
        command.arg("-D").arg(folder.data()).arg("-k").arg(&folder.0);
        for (name, value) in settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").current_dir("/");
        let process = Process::spawn("postgres", command, Stop::Quit)?;
        process.logs().wait_for("database system is ready to accept ", READY).await?;
        Ok(Self(process))
    }

    pub(super) fn logs(&self) -> &Logs {
        self.0.logs()
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        self.0.signal(signal)
    }

    /// Shuts it down in good order, so that its files may be copied.
    pub(super) async fn finish(mut self) -> Result<()> {
        self.0.signal(Signal::INT)?;
        self.0.ended(READY).await?;
        Ok(())
    }
}
