//! `cargo xtask bench postgres`: a session through the gate, recorded, beside one straight to Postgres, and beside what
//! people put in front of a Postgres. Rounds are interleaved, and medians compared. For CPU the floor is a relay that
//! does nothing but TLS: what it takes on a machine, at that moment, no gate there can do without.

mod load;
mod memory;
mod peers;
mod scene;

use clap::ValueEnum;
use curfew_harness::Result;

use super::calls::{self, Calls};
use super::figure::{Figure, Figures};
use super::pgbench::{self, MODES, Mode};
use load::{Done, Kind, Pace};
use memory::BACK;
pub use peers::account;
use peers::{ALL, Peers, Who};
pub use scene::{CROWD, Scene};

/// CPU seconds of the gate for a million queries of eight clients, at most.
const CPU: f64 = 25.0;
/// The same for a GB that is copied out.
const CPU_COPY: f64 = 1.6;
/// CPU milliseconds for each connection, at most.
const CPU_CONNECT: f64 = 5.0;
/// Times the peers' speed, at least.
const TPS_HAPROXY: f64 = 0.95;
const TPS_PGBOUNCER: f64 = 1.0;
const COPY: f64 = 1.0;
const CONNECT: f64 = 0.85;
/// Reads of sockets for each query, and writes, at most: one on each side.
const CALLS: f64 = 2.0;
/// KiB of memory for each idle session, at most.
const IDLE_KIB: f64 = 40.0;

const QUICK: Pace = Pace { rounds: 3, queries: 16_000, bytes: 250_000_000, connections: 60 };
const LONG: Pace = Pace { rounds: 3, queries: 80_000, bytes: 1_000_000_000, connections: 300 };

/// Clients and queries of each under strace: a short run, and a long one.
const TRACED: (u32, u32, u32) = (8, 200, 1200);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The memory of idle sessions.
    Idle,
    /// Queries of several clients.
    Queries,
    /// One COPY out.
    Copy,
    /// New connections.
    Connect,
    /// System calls for each query.
    Calls,
}

/// Measures `only` these, or everything where none is named; prints a line for each figure, and fails where one is short.
pub async fn postgres(quick: bool, only: &[Part]) -> Result<()> {
    let pace = if quick { QUICK } else { LONG };
    let wanted = |part: Part| only.is_empty() || only.contains(&part);
    let peers = Peers::start().await?;
    let mut figures = Figures::default();
    // First, while no memory has been given back that idle sessions could use again.
    if wanted(Part::Idle) {
        idle(&peers, &mut figures).await?;
    }
    let kinds: Vec<Kind> = load::kinds().filter(|kind| wanted(kind.part())).collect();
    for done in load::rounds(&peers, pace, &kinds).await? {
        tell(&done, &mut figures);
    }
    for mode in MODES.into_iter().filter(|_| wanted(Part::Calls)) {
        let calls = calls(&peers, mode).await?;
        let mode = mode.name();
        figures.tell(&Figure::new(format!("socket-reads-{mode}"), calls.reads).at_most(CALLS));
        figures.tell(&Figure::new(format!("socket-writes-{mode}"), calls.writes).at_most(CALLS));
        figures.tell(&Figure::new(format!("other-reads-and-writes-{mode}"), calls.others));
        figures.tell(&Figure::new(format!("waits-{mode}"), calls.waits));
        figures.tell(&Figure::new(format!("futexes-{mode}"), calls.futexes));
    }
    figures.verdict()
}

async fn idle(peers: &Peers, figures: &mut Figures) -> Result<()> {
    let gate = memory::idle(peers, Who::Gate).await?;
    figures.tell(&Figure::new("idle-session-KiB-100", gate.hundred).at_most(IDLE_KIB));
    figures.tell(&Figure::new("idle-session-KiB-1000", gate.thousand).at_most(IDLE_KIB));
    figures.tell(&Figure::new("memory-after-1000-of-before", gate.after).at_most(BACK));
    for who in [Who::Gate, Who::Haproxy, Who::Pgbouncer, Who::Bare] {
        let peer = if who == Who::Gate { gate } else { memory::idle(peers, who).await? };
        let name = |what: &str| format!("{what}-by-{}", who.name());
        figures.tell(
            &Figure::new(name("resident-MiB-0-sessions"), gate.none / 1024.0).beside(peer.none / 1024.0),
        );
        figures.tell(&Figure::new(name("idle-session-KiB-1000"), gate.thousand).beside(peer.thousand));
    }
    Ok(())
}

/// The gate beside each of the others.
fn tell(done: &Done, figures: &mut Figures) {
    let (name, gate) = (done.kind.name(), done.by(Who::Gate));
    for who in ALL.into_iter().filter(|who| *who != Who::Gate) {
        let (by, peer) = (who.name(), done.by(who));
        let speed = match done.kind {
            Kind::Queries(..) => "tps",
            Kind::Copy => "MB-per-s",
            Kind::Connect => "connections-per-s",
        };
        let speed = Figure::new(format!("{speed}-{name}-by-{by}"), gate.speed).beside(peer.speed);
        figures.tell(&match (done.kind, who) {
            (Kind::Queries(..), Who::Haproxy) => speed.times_at_least(TPS_HAPROXY),
            (Kind::Queries(..), Who::Pgbouncer) => speed.times_at_least(TPS_PGBOUNCER),
            (Kind::Copy, Who::Nobody) => speed.times_at_least(COPY),
            (Kind::Connect, Who::Nobody) => speed.times_at_least(CONNECT),
            _ => speed,
        });
        let (per, goal) = match done.kind {
            Kind::Queries(_, 8) => ("cpu-s-per-1M", Some(CPU)),
            Kind::Queries(..) => ("cpu-s-per-1M", None),
            Kind::Copy => ("cpu-s-per-GB", Some(CPU_COPY)),
            Kind::Connect => ("cpu-ms-per", Some(CPU_CONNECT)),
        };
        let cpu = Figure::new(format!("{per}-{name}-by-{by}"), gate.cpu).beside(peer.cpu);
        match (who, goal) {
            (Who::Nobody, _) => {}
            // The goal is told once, beside the floor.
            (Who::Bare, Some(goal)) => figures.tell(&cpu.at_most(goal)),
            _ => figures.tell(&cpu),
        }
    }
}

async fn calls(peers: &Peers, mode: Mode) -> Result<Calls> {
    let (pid, client, gate) = (peers.scene.gate.pid()?, peers.client(Who::Gate)?, &peers.scene.gate);
    let (clients, short, long) = TRACED;
    let mut runs = [(Calls::default(), 0.0); 2];
    for (run, queries) in runs.iter_mut().zip([short, long]) {
        let work = pgbench::select(&client, mode, clients, queries);
        let (calls, ran) = calls::watched(pid, gate.folder(), work).await?;
        *run = (calls, ran.queries);
    }
    let [short, long] = runs;
    Ok(Calls::for_each(long, short))
}
