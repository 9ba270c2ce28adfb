//! `cargo xtask bench shapes`: a bare relay in three shapes, and no relay at all. The figures of docs/adr/0002.

use curfew_harness::Result;

use super::figure::median;
use super::pgbench::{self, MODES};
use super::relay::{Relay, Series, client};
use super::release;

const ROUNDS: usize = 3;
/// For each client.
const QUERIES: u32 = 10_000;

/// As `curfew-benches --shape` calls them, and what they are.
const SHAPES: [(&str, &str); 3] = [
    ("thread", "one current-thread runtime a core, one task a session"),
    ("shared", "one multi-thread runtime, one task a session"),
    ("split", "one multi-thread runtime, two tasks a session"),
];

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
                relay.round(series, mode, QUERIES).await?;
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
