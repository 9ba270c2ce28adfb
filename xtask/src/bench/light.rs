//! A server of curfew-benches: a bare relay, or a stand-in for a target.

use std::net::SocketAddr;
use std::time::Duration;

use curfew_harness::{Process, Result, process};

use super::release;

const LIMIT: Duration = Duration::from_secs(10);

/// One that serves.
pub struct Light {
    /// The program.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it prints behind its address: the host key of one that speaks SSH.
    pub key: String,
}

impl Light {
    /// Starts the binary of this name.
    pub async fn start(name: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = process::command(release("curfew-benches", name)?, process::Stop::Kill, None);
        command.args(arguments);
        let process = Process::spawn(name, command, process::Stop::Kill)?;
        let listening = process.logs().find("its address", LIMIT, |line| {
            let (address, key) = line.text.split_once(' ').unwrap_or((&line.text, ""));
            Some((address.trim().parse::<SocketAddr>().ok()?, key.to_owned()))
        });
        let (address, key) = listening.await?;
        Ok(Self { process, address, key })
    }

    /// A relay in this shape, in front of a Postgres.
    pub async fn relay(shape: &str, target: SocketAddr) -> Result<Self> {
        Self::start("curfew-benches", &["--shape", shape, "--target", &target.to_string()]).await
    }
}
