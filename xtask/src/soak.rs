//! `cargo xtask soak`: what takes too long for the tests. As shipped, real programs, loopback; it fails where something
//! stalls, arrives as something else, or costs memory.

use std::future::Future;
use std::time::Instant;

use clap::Subcommand;
use curfew_harness::gate::{Contract, SSH_TARGET};
use curfew_harness::{Bulk, Context, Error, Gate, GateOptions, Provider, Result, Ssh, Sshd};

use crate::bench::release;
use crate::install;
use crate::run::until_interrupted;

/// What the gate may grow by while gigabytes pass, in KiB.
const GROWTH: u64 = 64 * 1024;

/// What is tried for long.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Soak {
    /// Files of gigabytes, both ways, by a command's streams and by sftp with 64 requests outstanding.
    Ssh {
        /// How large.
        #[arg(long, default_value_t = 5)]
        gigabytes: u64,
    },
}

/// Builds, and tries.
pub fn soak(what: Soak) -> Result<()> {
    install::for_demo()?;
    let Soak::Ssh { gigabytes } = what;
    until_interrupted(ssh(gigabytes * 1_000_000_000))?.context("interrupted")
}

async fn ssh(bytes: u64) -> Result<()> {
    let binary = release("curfew", "curfew")?;
    let sshd = Sshd::start().await?;
    let provider = Provider::start(&[]).await?;
    let contract = Contract::at_once("soak", &[SSH_TARGET], sshd.account(), "");
    let options = GateOptions::new(binary).ssh_target(&sshd, "").only(contract);
    let gate = Gate::start(options, &provider).await?;
    sshd.trust(&gate.public_key("ssh-sessions")?)?;
    let ssh = signed_in(&gate, &sshd).await?;
    let user = format!("{}%{SSH_TARGET}", sshd.account());

    let bulk = Bulk::make(&ssh.path("bulk"), bytes).await?;
    let (there, here) = (sshd.folder().join("bulk"), ssh.path("back"));
    passes(&gate, "up, to a command", bytes, bulk.put_by_exec(&ssh, &user)).await?;
    passes(&gate, "up, by sftp", bytes, bulk.put_by_sftp(&ssh, &user, &there)).await?;
    passes(&gate, "down, from a command", bytes, bulk.get_by_exec(&ssh, &user, &there)).await?;
    passes(&gate, "down, by sftp", bytes, bulk.get_by_sftp(&ssh, &user, &there, &here)).await
}

/// Alice's clients, with the certificate of her sign-in and a grant.
async fn signed_in(gate: &Gate, sshd: &Sshd) -> Result<Ssh> {
    let alice = gate.person("alice")?;
    alice.login().await?;
    let asked = ["request", SSH_TARGET, "--as", sshd.account(), "--reason", "soak", "--for", "4h", "--wait"];
    alice.curfew(asked).await?.success().context("asking for access")?;
    let ssh = Ssh::to(gate.ssh(), &gate.public_key("ssh-authority")?)?;
    alice.curfew(["ssh-config"]).await?.success()?;
    ssh.take(&alice.kept()?)?;
    Ok(ssh)
}

/// Does one transfer, and says how it went; the check of what arrived is in its time.
async fn passes(
    gate: &Gate,
    what: &str,
    bytes: u64,
    transfer: impl Future<Output = Result<()>>,
) -> Result<()> {
    let began = Instant::now();
    let (done, grown) = gate.growth(transfer).await?;
    done.context(what)?;
    #[expect(clippy::cast_precision_loss, reason = "gigabytes are far below 2^52 bytes")]
    let (gigabytes, seconds) = (bytes as f64 / 1e9, began.elapsed().as_secs_f64());
    let speed = gigabytes * 1000.0 / seconds;
    println!(
        "{what}: {gigabytes:.1} GB in {seconds:.0} s, {speed:.0} MB/s; the gate grew by {} MiB",
        grown / 1024
    );
    if grown < GROWTH { Ok(()) } else { Err(Error::new(format!("{what}: the gate grew by {grown} KiB"))) }
}
