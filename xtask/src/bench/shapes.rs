//! `cargo xtask bench shapes`: a bare relay in three shapes, and no relay at all. The figures of docs/adr/0002.

use curfew_harness::Result;

use super::figure::median;
use super::light::Light;
use super::pgbench::{self, MODES, Mode};
use super::postgres::account;
use super::usage;

const ROUNDS: usize = 3;
const CLIENTS: u32 = 8;
/// For each client.
const QUERIES: u32 = 10_000;

/// As `curfew-benches --shape` calls them, and what they are.
const SHAPES: [(&str, &str); 3] = [
    ("thread", "one current-thread runtime a core, one task a session"),
    ("shared", "one multi-thread runtime, one task a session"),
    ("split", "one multi-thread runtime, two tasks a session"),
];

/// Queries a second, and CPU seconds for a million, of each round.
#[derive(Debug, Default)]
struct Series {
    tps: Vec<f64>,
    cpu: Vec<f64>,
}

impl Series {
    /// One more round through a relay.
    async fn round(&mut self, relay: &Light, mode: Mode) -> Result<()> {
        let pid = relay.process.id();
        let before = usage::cpu_seconds(pid)?;
        let ran = pgbench::select(&account(relay.address), mode, CLIENTS, QUERIES).await?;
        let used = usage::cpu_seconds(pid)? - before;
        self.tps.push(ran.tps);
        self.cpu.push(used / ran.queries * 1e6);
        Ok(())
    }
}

/// Measures, and prints the table.
pub async fn shapes() -> Result<()> {
    let postgres = pgbench::postgres().await?;
    let mut relays = Vec::new();
    for (shape, _) in SHAPES {
        relays.push(Light::relay(shape, postgres.address()).await?);
    }
    let direct = account(postgres.address());
    let mut straight = MODES.map(|_| Vec::new());
    let mut through = SHAPES.map(|_| MODES.map(|_| Series::default()));
    for round in 0..ROUNDS {
        eprintln!("xtask: round {} of {ROUNDS}", round + 1);
        for (mode, tps) in MODES.into_iter().zip(&mut straight) {
            tps.push(pgbench::select(&direct, mode, CLIENTS, QUERIES).await?.tps);
        }
        for (relay, series) in relays.iter().zip(&mut through) {
            for (mode, series) in MODES.into_iter().zip(series) {
                series.round(relay, mode).await?;
            }
        }
    }
    println!("| pgbench -S, {CLIENTS} clients, client TLS | {} |", columns());
    println!("|---|---|---|---|---|");
    let none = straight.map(|tps| format!("{:.0} | -", median(tps)));
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
