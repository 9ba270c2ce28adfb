//! The SSH agent: it is given the key with its certificate, for as long as that is good.
//!
//! Owns the calls of ssh-add. An agent that takes nothing is nobody's failure: ssh reads the files as well.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::cli::output::clean;

/// An agent that asks its person may take a while; one that hangs must not hold up a sign-in for longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What became of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agent {
    /// There is none.
    Absent,
    /// It holds key and certificate.
    Holds,
    /// It did not take them, because.
    Refused(String),
}

/// Gives the key at `key`, and the certificate beside it, to the agent at `socket` for so many seconds.
pub async fn add(socket: Option<&Path>, key: &Path, seconds: i64) -> Agent {
    let Some(socket) = socket else { return Agent::Absent };
    let seconds = seconds.max(1).to_string();
    match call(socket, &["-q".as_ref(), "-t".as_ref(), seconds.as_ref(), key.as_os_str()]).await {
        Ok(()) => Agent::Holds,
        Err(why) => Agent::Refused(why),
    }
}

/// Takes the key at `key` and its certificate away from the agent, where they are in it.
pub async fn remove(socket: Option<&Path>, key: &Path) {
    if let Some(socket) = socket
        && key.exists()
    {
        // It may have let go of them by itself already.
        let _ = call(socket, &["-q".as_ref(), "-d".as_ref(), key.as_os_str()]).await;
    }
}

async fn call(socket: &Path, args: &[&std::ffi::OsStr]) -> Result<(), String> {
    let mut command = Command::new("ssh-add");
    command.args(args).env("SSH_AUTH_SOCK", socket).stdin(Stdio::null()).stdout(Stdio::null());
    // Without a way to ask, it never asks.
    command.env_remove("DISPLAY").env_remove("SSH_ASKPASS").stderr(Stdio::piped()).kill_on_drop(true);
    let done = match timeout(PATIENCE, command.output()).await {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => return Err(format!("ssh-add can't be run: {error}")),
        Err(_) => return Err("it does not answer".to_owned()),
    };
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).lines().next().map(clean).unwrap_or_default();
    Err(if said.is_empty() { format!("ssh-add ended with {}", done.status) } else { said })
}
