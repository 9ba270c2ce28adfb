//! `curfew ssh-config`: targets as hosts for ssh, scp, sftp, rsync, git and whatever else reads ssh_config.
//!
//! Owns the files that ~/.ssh/config includes, and their renewal while ssh starts: quick, silent, and never the reason
//! why a connection fails.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::files::{Files, word};
use super::hosts::{Host, blocks, entry, hosts};
use super::install::install;
use super::{certificate, no_ssh};
use crate::cli::CliError;
use crate::cli::client::wire::Target;
use crate::cli::client::{Client, Saved};
use crate::cli::context::{Common, Context};
use crate::cli::output::{Tone, clean};

/// How old the hosts may get before ssh has them asked for again.
const STALE: SignedDuration = SignedDuration::from_secs(60);
/// How soon after a try that failed there is another.
const AGAIN: SignedDuration = SignedDuration::from_secs(15);
/// How long ssh waits for it at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// Arguments of `curfew ssh-config`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Put the Include line at the top of ~/.ssh/config
    #[arg(long)]
    install: bool,
    /// What ssh calls: renew what is stale, say nothing, and never fail
    #[arg(long, conflicts_with = "install")]
    refresh: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Not signed in, not reached, or a file can't be written.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    if args.refresh {
        refresh(&args.common, cx).await;
        return Ok(());
    }
    let saved = cx.saved(&args.common)?;
    let client = Client::signed_in(&saved)?;
    let (hosts, left_out) = write(&client, &saved, cx).await?;
    let path = Files::of(&saved).config_path();
    let line = format!("Include {}", word(&path)?);
    let installed = match args.install {
        true => Some(install(&own_config()?, &line)?),
        false => None,
    };
    if args.common.json {
        let shown: Vec<_> = hosts
            .iter()
            .map(|host| serde_json::json!({ "names": host.names, "target": host.target, "account": host.account }))
            .collect();
        let all = serde_json::json!({ "include": path.display().to_string(), "hosts": shown });
        return cx.out.raw(all.to_string().as_bytes());
    }
    let out = &mut cx.out;
    match installed {
        Some(true) => out.line("The line was put at the top of ~/.ssh/config.")?,
        Some(false) => out.line("The line was in ~/.ssh/config before.")?,
        None => {
            out.note(
                "Put this line at the top of ~/.ssh/config, or let `curfew ssh-config --install` do it:\n",
            )?;
            out.line(&line)?;
        }
    }
    if hosts.is_empty() {
        out.note("\nNo contract lets you reach or ask for any SSH target yet.")?;
    }
    for host in &hosts {
        let name = host.names.first().map_or("", String::as_str);
        let what = out.paint(Tone::Dim, &format!("# {} as {}", clean(&host.target), clean(&host.account)));
        out.note(format!("  ssh {name}  {what}"))?;
    }
    for account in left_out {
        out.note(format!(
            "  {} has no name that fits; type `curfew ssh TARGET --as ACCOUNT`",
            clean(&account)
        ))?;
    }
    Ok(())
}

/// Writes both files, with a certificate that is good for a while.
async fn write(client: &Client, saved: &Saved, cx: &Context) -> Result<(Vec<Host>, Vec<String>), CliError> {
    let held = certificate::keep(client, saved, cx).await?.ok_or_else(|| no_ssh(client.url()))?;
    let targets: Vec<Target> = client.list(&["targets"], &[]).await?.read()?;
    let (hosts, left_out) = hosts(&targets);
    let files = Files::of(saved);
    let text = blocks(saved.url(), &hosts, &held.door.options(saved)?);
    let entry = entry(saved.url(), &program(), &std::path::absolute(cx.home.folder())?, &files.hosts_path())?;
    files.save_config(&entry, &text)?;
    Ok((hosts, left_out))
}

async fn refresh(common: &Common, cx: &Context) {
    let Ok(saved) = cx.saved(common) else { return };
    // Nobody is signed in: ssh has the gate's link then.
    if saved.token().is_err() || fresh(&saved, cx.out.now()) {
        return;
    }
    let lives = || {
        let ends = saved.about().and_then(|about| about.ssh).and_then(|ssh| ssh.certificate_ends_at);
        ends.is_some_and(|ends| ends > cx.out.now()) && Files::of(&saved).are_there()
    };
    let Some(turn) = Files::of(&saved).turn(PATIENCE, lives).await else { return };
    let now = cx.out.now();
    if fresh(&saved, now) || turn.tried_within(AGAIN, now) {
        return;
    }
    turn.trying(now);
    let renewed = async { write(&Client::signed_in(&saved)?, &saved, cx).await };
    // Whatever went wrong, ssh says in its own words what it means for the connection.
    let _ = tokio::time::timeout(PATIENCE, renewed).await;
}

fn fresh(saved: &Saved, now: Timestamp) -> bool {
    let written = Files::of(saved).hosts_written();
    let current = written.is_some_and(|at| now.duration_since(at).abs() < STALE);
    current && certificate::good(saved, now).is_some()
}

/// This program as it was called: a path without its links resolved, so that it outlives an upgrade.
fn program() -> PathBuf {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let found = if called.components().count() > 1 {
        std::path::absolute(&called).ok()
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(&called)).find(|path| path.is_file())
    };
    found.filter(|path| path.is_file()).or_else(|| std::env::current_exe().ok()).unwrap_or(called)
}

fn own_config() -> Result<PathBuf, CliError> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    home.map(|home| Path::new(&home).join(".ssh/config"))
        .ok_or_else(|| CliError::usage("where ~/.ssh/config is can't be said: set HOME"))
}
