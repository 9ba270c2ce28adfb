//! `curfew targets check`: connects to a target as the gate would, and says what is still open there.
//!
//! Owns the exit status: everything that leads around the gate fails the check. It reads the gate's own secrets, so it is the
//! operator's, on the gate's machine.

mod hba;
mod postgres;
mod ssh;

use std::net::IpAddr;
use std::path::PathBuf;

use curfew_adapter::Protocol;

use crate::cli::CliError;
use crate::cli::context::Context;
use crate::cli::output::{Output, Tone, clean};
use crate::config::{Account, Config, Target};
use crate::toml_doc::closest;

/// Arguments of `curfew targets check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The target
    target: String,
    /// Only this account of it
    #[arg(long = "as", value_name = "ACCOUNT")]
    account: Option<String>,
    /// SSH: a public key that the host must not take, such as your own from before the gate; may be given several times
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// Postgres: another address of this machine, from which the target must not take the account; may be given several
    /// times
    #[arg(long = "from", value_name = "ADDRESS")]
    from: Vec<IpAddr>,
    /// The gate's configuration
    #[arg(
        long,
        value_name = "FILE",
        default_value = "curfew.toml",
        env = "CURFEW_CONFIG",
        hide_env_values = true
    )]
    config: PathBuf,
}

/// Runs it.
///
/// # Errors
/// The target can't be reached, or something is open.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let config =
        Config::load(&args.config).map_err(|problems| CliError::failed(problems.to_string().trim_end()))?;
    let target = find(&config, &args.target)?;
    let accounts: Vec<&Account> = match &args.account {
        Some(name) => vec![target.account(name).ok_or_else(|| {
            CliError::failed(format!("the target `{}` has no account `{}`", target.name, clean(name)))
        })?],
        None => target.accounts.iter().collect(),
    };
    let (wrong, printer, what) = match target.protocol {
        Protocol::Ssh if !args.from.is_empty() => {
            return Err(CliError::usage("--from is for Postgres; an SSH host is offered keys with --key"));
        }
        Protocol::Postgres if !args.keys.is_empty() => {
            return Err(CliError::usage("--key is for SSH; a Postgres server is tried with --from ADDRESS"));
        }
        Protocol::Ssh => {
            (ssh::run(&config, target, &accounts, &args.keys, cx).await?, "add-ssh", "sshd_config")
        }
        Protocol::Postgres => {
            (postgres::run(target, &accounts, &args.from, cx).await?, "add-postgres", "pg_hba.conf")
        }
    };
    let name = &target.name;
    let told = match wrong {
        0 => return Ok(()),
        1 => format!("one thing is not as it should be on {name}"),
        wrong => format!("{wrong} things are not as they should be on {name}"),
    };
    Err(CliError::failed(told)
        .hint(format!("`curfew targets {printer} {name}` prints what its {what} needs")))
}

fn find<'c>(config: &'c Config, name: &str) -> Result<&'c Target, CliError> {
    config.target(name).ok_or_else(|| {
        let near = closest(name, config.targets.iter().map(|target| target.name.as_str()));
        let error = CliError::failed(format!("the configuration has no target `{}`", clean(name)));
        match near {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

/// One line of what was found; what is not fine is counted.
fn say(out: &mut Output, wrong: &mut usize, fine: bool, text: &str) -> Result<(), CliError> {
    let mark = if fine { out.paint(Tone::Good, "ok   ") } else { out.paint(Tone::Bad, "OPEN ") };
    *wrong += usize::from(!fine);
    out.line(format!("  {mark} {text}"))
}
