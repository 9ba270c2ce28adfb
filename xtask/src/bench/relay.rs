//! A bare relay that runs, and what it costs: the floor under any gate.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use curfew_harness::postgres::{DATABASE, Postgres, password};
use curfew_harness::{Process, Psql, Result, process};

use super::pgbench::{self, Mode};
use super::usage;

const LIMIT: Duration = Duration::from_secs(10);

/// A relay of curfew-benches in front of a Postgres.
pub struct Relay {
    process: Process,
    address: SocketAddr,
}

/// Queries a second, and CPU seconds for a million, of each round.
#[derive(Debug, Default)]
pub struct Series {
    /// Queries a second.
    pub tps: Vec<f64>,
    /// CPU seconds for a million.
    pub cpu: Vec<f64>,
}

/// How the account connects where no gate stands in between, over TLS.
pub fn client(address: SocketAddr) -> Psql {
    Psql::to(address).user("orders_read").database(DATABASE).password(&password("orders_read"))
}

impl Series {
    /// One more round, of `queries` for each client, through the process `pid`.
    pub async fn round(&mut self, pid: i32, to: &Psql, mode: Mode, queries: u32) -> Result<()> {
        let before = usage::cpu_seconds(pid)?;
        let ran = pgbench::select(to, mode, queries).await?;
        let used = usage::cpu_seconds(pid)? - before;
        self.tps.push(ran.tps);
        self.cpu.push(used / ran.queries * 1e6);
        Ok(())
    }
}

impl Relay {
    /// Starts one in this shape.
    pub async fn start(binary: &Path, shape: &str, postgres: &Postgres) -> Result<Self> {
        let mut command = process::command(binary, process::Stop::Kill, None);
        command.args(["--shape", shape, "--target", &postgres.address().to_string()]);
        let process = Process::spawn(shape, command, process::Stop::Kill)?;
        let address = process.logs().find("its address", LIMIT, |line| line.text.trim().parse().ok()).await?;
        Ok(Self { process, address })
    }

    /// One more round through it.
    pub async fn round(&self, series: &mut Series, mode: Mode, queries: u32) -> Result<()> {
        series.round(self.process.id(), &client(self.address), mode, queries).await
    }
}
