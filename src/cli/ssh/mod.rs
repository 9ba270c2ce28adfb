//! `curfew ssh`: becomes ssh, signed in by certificate.
//!
//! Owns nothing of the session: from here on it is ssh and the gate.

mod agent;
pub mod certificate;
pub mod config;
mod door;
mod files;
mod hosts;
mod install;
pub mod keys;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

pub use agent::Agent;

use super::CliError;
use super::client::{Client, GateUrl};
use super::context::{Common, Context};
use super::route::account_on;

/// Arguments of `curfew ssh`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The target
    target: String,
    /// The account on the target; needed where several are offered
    #[arg(long = "as", value_name = "ACCOUNT")]
    account: Option<String>,
    /// The gate, when it is not that of the last login
    #[arg(long, value_name = "URL", env = "CURFEW_GATE", hide_env_values = true)]
    gate: Option<String>,
    /// What ssh is to be called with behind the host: options, or a command, such as `-- uptime`
    #[arg(last = true, value_name = "SSH ARGUMENTS")]
    ssh: Vec<OsString>,
}

/// Runs it. On success it does not come back: this process is ssh then.
///
/// # Errors
/// Not signed in, not reached, or there is no ssh.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let saved = cx.saved(&Common { json: false, gate: args.gate })?;
    let client = Client::signed_in(&saved)?;
    let account = account_on(&client, &args.target, "ssh", args.account.as_deref()).await?;
    let held = certificate::keep(&client, &saved, cx).await?.ok_or_else(|| no_ssh(client.url()))?;
    let mut ssh = Command::new("ssh");
    for (name, value) in held.door.options(&saved)? {
        ssh.arg("-o").arg(format!("{name}={value}"));
    }
    // A user or host that begins with a dash would be an option; neither can be empty or begin so.
    ssh.arg("-l").arg(door::user(&account, &args.target)).arg(&held.door.host).args(args.ssh);
    let error = ssh.exec();
    Err(if error.kind() == std::io::ErrorKind::NotFound {
        CliError::failed("ssh is not installed").hint("install it (Debian: openssh-client)")
    } else {
        CliError::failed(format!("ssh can't be started: {error}"))
    })
}

fn no_ssh(url: &GateUrl) -> CliError {
    CliError::failed(format!("the gate at {url} has no listener for SSH"))
}
