//! `cargo xtask bench shapes`: a bare relay in three shapes, and no relay at all. The figures of docs/adr/0002.

use std::net::SocketAddr;
use std::time::Duration;

use curfew_harness::postgres::{DATABASE, Postgres, password};
use curfew_harness::{Process, Psql, Result, process};

use super::figure::median;
use super::pgbench::{self, MODES, Mode};
use super::{release, usage};

const LIMIT: Duration = Duration::from_secs(10);
const ROUNDS: usize = 3;
/// For each client.
const QUERIES: u32 = 10_000;

/// As `curfew-benches --shape` calls them, and what they are.
const SHAPES: [(&str, &str); 3] = [
    ("thread", "one current-thread runtime a core, one task a session"),
    ("shared", "one multi-thread runtime, one task a session"),
    ("split", "one multi-thread runtime, two tasks a session"),
];

/// A relay that runs.
struct Relay {
    process: Process,
    address: SocketAddr,
}

#[derive(Default)]
struct Series {
    tps: Vec<f64>,
    cpu: Vec<f64>,
}

/// Measures, and prints the table.
pub async fn shapes() -> Result<()> {
    let binary = release("curfew-benches", "curfew-benches")?;
    let postgres = pgbench::postgres().await?;
    let mut relays = Vec::new();
    for (shape, _) in SHAPES {
        relays.push(Relay::start(&binary, shape, &postgres).await?);
    }
    let mut direct = MODES.map(|_| Series::default());
    let mut through = SHAPES.map(|_| MODES.map(|_| Series::default()));
    for round in 0..ROUNDS {
        eprintln!("xtask: round {} of {ROUNDS}", round + 1);
        for (mode, series) in MODES.into_iter().zip(&mut direct) {
            series.tps.push(pgbench::select(&client(postgres.address()), mode, QUERIES).await?.tps);
        }
        for (relay, series) in relays.iter().zip(&mut through) {
            for (mode, series) in MODES.into_iter().zip(series) {
                relay.measure(mode, series).await?;
            }
        }
    }
    println!("| pgbench -S, 8 clients, client TLS | {} |", columns());
    println!("|---|---|---|---|---|");
    let none = direct.map(|series| format!("{:.0} | -", median(series.tps)));
    println!("| no relay: TLS to Postgres itself | {} |", none.join(" | "));
    for ((shape, what), series) in SHAPES.into_iter().zip(through) {
        let cells = series.map(|s| format!("{:.0} | {:.1}", median(s.tps), median(s.cpu)));
        println!("| `{shape}`: {what} | {} |", cells.join(" | "));
    }
    Ok(())
}

fn columns() -> String {
    MODES.map(|mode| format!("TPS, {0} | CPU s per 1M, {0}", mode.name())).join(" | ")
}

fn client(address: SocketAddr) -> Psql {
    Psql::to(address).user("orders_read").database(DATABASE).password(&password("orders_read"))
}

impl Relay {
    async fn start(binary: &std::path::Path, shape: &str, postgres: &Postgres) -> Result<Self> {
        let mut command = process::command(binary, process::Stop::Kill, None);
        command.args(["--shape", shape, "--target", &postgres.address().to_string()]);
        let process = Process::spawn(shape, command, process::Stop::Kill)?;
        let address = process.logs().find("its address", LIMIT, |line| line.text.trim().parse().ok()).await?;
        Ok(Self { process, address })
    }

    async fn measure(&self, mode: Mode, series: &mut Series) -> Result<()> {
        let before = usage::cpu_seconds(self.process.id())?;
        let ran = pgbench::select(&client(self.address), mode, QUERIES).await?;
        let used = usage::cpu_seconds(self.process.id())? - before;
        series.tps.push(ran.tps);
        series.cpu.push(used / ran.queries * 1e6);
        Ok(())
    }
}
