//! What is done through each of the peers, interleaved: queries of several clients, a large COPY, new connections.

use std::time::{Duration, Instant};

use curfew_harness::{Psql, Result};

use super::super::figure::median;
use super::super::pgbench::{self, MODES, Mode};
use super::Part;
use super::peers::{ALL, Peers, Who};

const LIMIT: Duration = Duration::from_secs(300);

/// Clients at the same time.
const CLIENTS: [u32; 3] = [1, 8, 32];

/// Queries of each client in the short run that is taken off the long one.
const SHORT: u32 = 20;

/// Bytes of a row that is copied out.
const ROW: u64 = 1000;

/// How much is run.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Of which the medians are taken.
    pub rounds: usize,
    /// Of all clients together, for each load.
    pub queries: u32,
    /// Copied out.
    pub bytes: u64,
    /// New connections, one after the other.
    pub connections: u32,
}

/// One kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `pgbench -S` with so many clients.
    Queries(Mode, u32),
    /// One COPY out.
    Copy,
    /// `pgbench -C`: a connection for each query, from one client.
    Connect,
}

impl Kind {
    /// Which part of the figures it is.
    pub const fn part(self) -> Part {
        match self {
            Self::Queries(..) => Part::Queries,
            Self::Copy => Part::Copy,
            Self::Connect => Part::Connect,
        }
    }

    /// The name in the figures.
    pub fn name(self) -> String {
        match self {
            Self::Queries(mode, clients) => format!("{}-{clients}", mode.name()),
            Self::Copy => "copy".to_owned(),
            Self::Connect => "connect".to_owned(),
        }
    }
}

/// The medians of one kind of work, for each of [`ALL`].
pub struct Done {
    /// What was done.
    pub kind: Kind,
    of: [Ran; ALL.len()],
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// Queries, MB (10^6 bytes) or connections, each second.
    pub speed: f64,
    /// CPU seconds of whoever stands in between for a million queries, a GB (10^9 bytes), a thousand connections.
    pub cpu: f64,
}

impl Done {
    /// Through whom.
    pub fn by(&self, who: Who) -> Ran {
        let place = ALL.iter().position(|known| *known == who);
        place.and_then(|place| self.of.get(place)).copied().unwrap_or(Ran { speed: f64::NAN, cpu: f64::NAN })
    }
}

/// All kinds of work, in order.
pub fn kinds() -> impl Iterator<Item = Kind> {
    let queries = MODES.into_iter().flat_map(|mode| CLIENTS.map(|clients| Kind::Queries(mode, clients)));
    queries.chain([Kind::Copy, Kind::Connect])
}

/// Does these, in turns.
pub async fn rounds(peers: &Peers, pace: Pace, kinds: &[Kind]) -> Result<Vec<Done>> {
    let mut runs: Vec<[Vec<Ran>; ALL.len()]> = kinds.iter().map(|_| Default::default()).collect();
    for round in 0..pace.rounds {
        eprintln!("xtask: round {} of {}", round + 1, pace.rounds);
        for (kind, runs) in kinds.iter().zip(&mut runs) {
            for (who, runs) in ALL.into_iter().zip(runs) {
                runs.push(run(peers, who, *kind, pace).await?);
            }
        }
    }
    let medians = |runs: Vec<Ran>| Ran {
        speed: median(runs.iter().map(|ran| ran.speed).collect()),
        cpu: median(runs.iter().map(|ran| ran.cpu).collect()),
    };
    Ok(kinds.iter().zip(runs).map(|(kind, runs)| Done { kind: *kind, of: runs.map(medians) }).collect())
}

async fn run(peers: &Peers, who: Who, kind: Kind, pace: Pace) -> Result<Ran> {
    let client = peers.client(who)?;
    Ok(match kind {
        Kind::Queries(mode, clients) => {
            // What connecting costs is in both, and is measured by itself.
            let (short, before) = peers.cpu(who, pgbench::select(&client, mode, clients, SHORT)).await?;
            let work = pgbench::select(&client, mode, clients, pace.queries / clients);
            let (long, after) = peers.cpu(who, work).await?;
            Ran { speed: long.tps, cpu: (after - before) / (long.queries - short.queries) * 1e6 }
        }
        Kind::Copy => {
            let (seconds, cpu) = peers.cpu(who, copy(&client, pace.bytes)).await?;
            #[expect(clippy::cast_precision_loss, reason = "gigabytes are far below 2^52 bytes")]
            let bytes = pace.bytes as f64;
            Ran { speed: bytes / 1e6 / seconds, cpu: cpu / (bytes / 1e9) }
        }
        Kind::Connect => {
            let (ran, cpu) = peers.cpu(who, pgbench::connect(&client, pace.connections)).await?;
            Ran { speed: ran.tps, cpu: cpu / ran.queries * 1e3 }
        }
    })
}

/// Seconds that psql takes to copy so much out to nowhere.
async fn copy(client: &Psql, bytes: u64) -> Result<f64> {
    let rows = bytes / ROW;
    let copy =
        format!("\\copy (select repeat('x', {}) from generate_series(1, {rows})) to '/dev/null'", ROW - 1);
    let began = Instant::now();
    client.clone().limit(LIMIT).run(["-c", &copy]).await?.success()?;
    Ok(began.elapsed().as_secs_f64())
}
