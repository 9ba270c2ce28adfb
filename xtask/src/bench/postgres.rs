//! `cargo xtask bench postgres`: a session through the gate, recorded, beside a session without it. For CPU the peer is
//! a relay that does nothing but TLS: what it takes on a machine, at that moment, no gate there can do without.

use std::time::Duration;

use curfew_harness::{Context, Process, Psql, Result};

use super::calls::{self, Calls};
use super::figure::{Figure, Figures, median};
use super::gate::Bench;
use super::pgbench::{self, MODES, Mode};
use super::relay::{self, Relay, Series};
use super::{release, usage};

const LIMIT: Duration = Duration::from_secs(120);

/// CPU seconds of the gate for a million queries, at most.
const CPU: f64 = 40.0;
/// Reads of sockets for each query, and writes, at most: one on each side.
const CALLS: f64 = 2.0;
/// KiB of memory for each idle session, at most.
const IDLE_KIB: f64 = 60.0;
/// Idle sessions that are measured.
const IDLE: usize = 100;

/// How much is run.
#[derive(Clone, Copy)]
struct Pace {
    rounds: usize,
    /// For each client.
    queries: u32,
    connections: u32,
}

const QUICK: Pace = Pace { rounds: 3, queries: 6_000, connections: 100 };
const LONG: Pace = Pace { rounds: 5, queries: 50_000, connections: 500 };

/// Queries of each client under strace: a short run, and a long one.
const TRACED: (u32, u32) = (200, 1200);

/// Measures everything, prints a line for each figure, and fails where one is short.
pub async fn postgres(quick: bool) -> Result<()> {
    let pace = if quick { QUICK } else { LONG };
    let binary = release("curfew", "curfew")?;
    let bare = release("curfew-benches", "curfew-benches")?;
    let bench = Bench::start(&binary, pgbench::postgres().await?).await?;
    let mut figures = Figures::default();
    let mut tell = |figure: Figure| figures.tell(&figure);
    // First, while no memory has been given back that idle sessions could use again.
    tell(Figure::new("idle-session-KiB", idle(&bench).await?).at_most(IDLE_KIB));
    let bare = Relay::start(&bare, "thread", &bench.postgres).await?;
    for (mode, measured) in MODES.into_iter().zip(load(&bench, &bare, pace).await?) {
        let Load { gate, bare, direct } = measured;
        let mode = mode.name();
        tell(Figure::new(format!("tps-{mode}"), median(gate.tps)).beside(median(direct)));
        let cpu = Figure::new(format!("cpu-s-per-1M-{mode}"), median(gate.cpu));
        tell(cpu.beside(median(bare.cpu)).at_most(CPU));
    }
    for mode in MODES {
        let calls = calls(&bench, mode).await?;
        let mode = mode.name();
        tell(Figure::new(format!("socket-reads-{mode}"), calls.reads).at_most(CALLS));
        tell(Figure::new(format!("socket-writes-{mode}"), calls.writes).at_most(CALLS));
        tell(Figure::new(format!("other-reads-and-writes-{mode}"), calls.others));
        tell(Figure::new(format!("waits-{mode}"), calls.waits));
        tell(Figure::new(format!("futexes-{mode}"), calls.futexes));
    }
    let [cpu, ours, peer] = connections(&bench, pace).await?;
    tell(Figure::new("connections-per-s", ours).beside(peer));
    tell(Figure::new("cpu-ms-per-connection", cpu));
    figures.verdict()
}

/// What was measured under one kind of load: through the gate, through a relay that does nothing, straight.
#[derive(Default)]
struct Load {
    gate: Series,
    bare: Series,
    direct: Vec<f64>,
}

/// Straight to Postgres, over TLS.
fn direct(bench: &Bench) -> Psql {
    relay::client(bench.postgres.address())
}

/// For each mode, the rounds of all three, interleaved.
async fn load(bench: &Bench, bare: &Relay, pace: Pace) -> Result<[Load; 2]> {
    let (pid, through, direct) = (bench.gate.pid()?, bench.client()?, direct(bench));
    let mut loads = MODES.map(|_| Load::default());
    for round in 0..pace.rounds {
        eprintln!("xtask: round {} of {}", round + 1, pace.rounds);
        for (mode, load) in MODES.into_iter().zip(&mut loads) {
            load.direct.push(pgbench::select(&direct, mode, pace.queries).await?.tps);
            bare.round(&mut load.bare, mode, pace.queries).await?;
            load.gate.round(pid, &through, mode, pace.queries).await?;
        }
    }
    Ok(loads)
}

async fn calls(bench: &Bench, mode: Mode) -> Result<Calls> {
    let (pid, client) = (bench.gate.pid()?, bench.client()?);
    let mut runs = [(Calls::default(), 0.0); 2];
    for (run, queries) in runs.iter_mut().zip([TRACED.0, TRACED.1]) {
        let work = pgbench::select(&client, mode, queries);
        let (calls, ran) = calls::watched(pid, bench.gate.folder(), work).await?;
        *run = (calls, ran.queries);
    }
    let [short, long] = runs;
    Ok(Calls::for_each(long, short))
}

/// The gate's CPU milliseconds for each connection, and connections a second through it and without it.
async fn connections(bench: &Bench, pace: Pace) -> Result<[f64; 3]> {
    let (pid, through, direct) = (bench.gate.pid()?, bench.client()?, direct(bench));
    let mut series = [const { Vec::new() }; 3];
    for _ in 0..pace.rounds {
        let [cpu, ours, peer] = &mut series;
        peer.push(pgbench::connect(&direct, pace.connections).await?.tps);
        let before = usage::cpu_seconds(pid)?;
        let ran = pgbench::connect(&through, pace.connections).await?;
        cpu.push((usage::cpu_seconds(pid)? - before) / ran.queries * 1e3);
        ours.push(ran.tps);
    }
    Ok(series.map(median))
}

/// How much the gate grows for each idle session, in KiB.
async fn idle(bench: &Bench) -> Result<f64> {
    let (pid, client) = (bench.gate.pid()?, bench.client()?);
    // What is made once, at the first sessions, belongs to none.
    pgbench::select(&client, Mode::Prepared, 100).await?;
    pgbench::connect(&client, 20).await?;
    let before = usage::resident_kib(pid)?;
    let mut sessions = Vec::new();
    for _ in 0..IDLE {
        sessions.push(open(&client).await?);
    }
    let after = usage::resident_kib(pid)?;
    #[expect(clippy::cast_precision_loss, reason = "a hundred")]
    Ok((after - before) / IDLE as f64)
}

/// A psql that has had one answer and asks nothing more.
async fn open(client: &Psql) -> Result<(Process, tokio::process::ChildStdin)> {
    use tokio::io::AsyncWriteExt;
    let mut psql = client.spawn(["-At"])?;
    let mut stdin = psql.take_stdin().context("psql has no input")?;
    stdin.write_all(b"select 'here' as answer;\n").await?;
    psql.logs().wait_for("here", LIMIT).await?;
    Ok((psql, stdin))
}
