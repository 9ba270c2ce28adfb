//! `cargo xtask bench cut`: live sessions, half of them idle and half of them streaming, ended by one revocation. What
//! counts is seen from outside: when a client's last byte came, beside when the grant ended as the API tells it. What
//! the gate says of itself is told apart.

use std::time::Duration;

use curfew_harness::gate::TARGET;
use curfew_harness::{Context, Gate, Person, Result, until};
use jiff::Timestamp;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::process::Command;

use super::crowd::{Crowd, Ended, Size};
use super::figure::{Figure, Figures};
use super::{Crowds, postgres, ssh};

const LIMIT: Duration = Duration::from_secs(60);

/// Live sessions.
const SESSIONS: [usize; 3] = [1, 100, 1000];

/// Live sessions of a stand-in for Postgres, where as many files may be open.
const MANY: usize = 10_000;

/// From this many sessions on: milliseconds from the end to the last byte, at most.
const GOAL_FROM: usize = 1000;
const P99: f64 = 10.0;
const MAX: f64 = 50.0;

/// Files that a gate, a crowd or a stand-in has open beside two sockets for each session.
const OTHER_FILES: u64 = 1000;

/// Lines a second in all sessions together, at most: it is the cut that is measured, not a machine that can't go on.
const LINES: u64 = 2000;

/// No session shows lines more often than this.
const EVERY: Duration = Duration::from_millis(50);

/// A gate, and sessions to one of its targets.
trait Stage {
    fn gate(&self) -> &Gate;
    /// A grant for alice, which the sessions that come live by.
    async fn grant(&self) -> Result<String>;
    /// The program that holds the sessions.
    fn crowd(&self, size: Size) -> Result<Command>;
}

impl Stage for ssh::Scene {
    fn gate(&self) -> &Gate {
        &self.gate
    }

    async fn grant(&self) -> Result<String> {
        Self::grant(self, ssh::CROWD).await
    }

    fn crowd(&self, size: Size) -> Result<Command> {
        Self::crowd(self, size)
    }
}

/// A target of the gate in front of Postgres.
struct Postgres<'a>(&'a postgres::Scene, &'static str);

impl Stage for Postgres<'_> {
    fn gate(&self) -> &Gate {
        &self.0.gate
    }

    async fn grant(&self) -> Result<String> {
        self.0.grant(self.1).await
    }

    fn crowd(&self, size: Size) -> Result<Command> {
        self.0.crowd(self.1, size)
    }
}

/// Measures, prints a line for each figure, and fails where one is short.
pub async fn cut(only: Option<Crowds>) -> Result<()> {
    let most = most_files()?;
    let mut figures = Figures::default();
    if only != Some(Crowds::Postgres) {
        let scene = ssh::Scene::start().await?;
        measure(&scene, "ssh", &SESSIONS, &mut figures).await?;
    }
    if only != Some(Crowds::Ssh) {
        let scene = postgres::Scene::start().await?;
        measure(&Postgres(&scene, TARGET), "postgres", &SESSIONS, &mut figures).await?;
        let many = usize::try_from(most.saturating_sub(OTHER_FILES) / 2).map_or(MANY, |most| most.min(MANY));
        measure(&Postgres(&scene, postgres::CROWD), "stand-in", &[many], &mut figures).await?;
    }
    figures.verdict()
}

/// Lets this process and those that it starts open as many files as they may; how many.
fn most_files() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, most).context("raising the limit of open files (ulimit -n)")?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

async fn measure(stage: &impl Stage, name: &str, sizes: &[usize], figures: &mut Figures) -> Result<()> {
    let [dave, erin] = ["dave", "erin"].map(|name| stage.gate().person(name));
    let (dave, erin) = (dave?, erin?);
    dave.login().await?;
    erin.login().await?;
    for sessions in sizes.iter().copied() {
        eprintln!("xtask: {sessions} sessions, {name}");
        let seen = revoked(stage, &dave, &erin, sessions).await?;
        let goals = (sessions >= GOAL_FROM).then_some((P99, MAX));
        let mut tell = |what: &str, latencies: Vec<f64>, goals: Option<(f64, f64)>| {
            let [p50, p99, max] = spread(latencies);
            let name = |of: &str| format!("cut-{name}-{sessions}-{what}-{of}-ms");
            figures.tell(&Figure::new(name("p50"), p50));
            let (p99, max) = (Figure::new(name("p99"), p99), Figure::new(name("max"), max));
            figures.tell(&goals.map_or(p99.clone(), |(p99_goal, _)| p99.at_most(p99_goal)));
            figures.tell(&goals.map_or(max.clone(), |(_, max_goal)| max.at_most(max_goal)));
        };
        tell("last-byte", seen.last, goals);
        tell("told", seen.told, None);
        tell("by-the-gate", seen.by_the_gate, None);
    }
    Ok(())
}

/// Milliseconds from the end of a grant.
struct Seen {
    /// To the last byte of each session that streamed; 0 where that came before.
    last: Vec<f64>,
    /// To when each client heard of it.
    told: Vec<f64>,
    /// To when both directions were blocked, as the gate tells it.
    by_the_gate: Vec<f64>,
}

async fn revoked(stage: &impl Stage, dave: &Person, erin: &Person, sessions: usize) -> Result<Seen> {
    let grant = stage.grant().await?;
    let idle = sessions / 2;
    let streaming = sessions - idle;
    let fair = Duration::from_millis(streaming as u64 * 1000 / LINES);
    let crowd = Crowd::open(stage.crowd(Size { idle, streaming, every: fair.max(EVERY) })?).await?;
    let revoked = dave.json(["revoke", &grant, "--reason", "bench", "--json"]).await?;
    let ended_at = revoked.get("ended_at").and_then(Value::as_str).context(format!("no end: {revoked}"))?;
    let end = ended_at.parse::<Timestamp>().context("the end")?.as_microsecond();
    let ended = crowd.ended().await?;
    #[expect(clippy::cast_precision_loss, reason = "some seconds")]
    let since = |at: Option<i64>| at.map_or(f64::NAN, |at| (at - end).max(0) as f64 / 1e3);
    let last = |ended: &&Ended| ended.streams;
    Ok(Seen {
        last: ended.iter().filter(last).map(|ended| since(ended.last)).collect(),
        told: ended.iter().map(|ended| since(ended.told)).collect(),
        by_the_gate: latencies(erin, &grant, sessions).await?,
    })
}

/// What the gate has measured of all sessions of the grant, once they are all on record.
async fn latencies(erin: &Person, grant: &str, sessions: usize) -> Result<Vec<f64>> {
    let all = async || {
        let listed = erin.json(["sessions", "--json"]).await.ok()?;
        let items = listed.get("items")?.as_array()?;
        let of_grant =
            items.iter().filter(|session| session.get("grant").and_then(Value::as_str) == Some(grant));
        let latency = |session: &Value| session.get("cut")?.get("latency_us")?.as_f64().map(|us| us / 1e3);
        let latencies: Vec<f64> = of_grant.filter_map(latency).collect();
        (latencies.len() == sessions).then_some(latencies)
    };
    Ok(until("the ends of all sessions", LIMIT, all).await?.0)
}

/// The middle, the 99th of a hundred, and the last.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let place = (values.len() * percent).div_ceil(100).max(1) - 1;
        values.get(place).copied().unwrap_or(f64::NAN)
    };
    [at(50), at(99), at(100)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_told_without_rounding_down() {
        assert_eq!(spread((1..=1000).map(f64::from).collect()), [500.0, 990.0, 1000.0]);
        assert_eq!(spread(vec![7.0]), [7.0; 3]);
        assert!(spread(Vec::new()).iter().all(|value| value.is_nan()));
        assert!(spread(vec![1.0, f64::NAN])[2].is_nan(), "what was never seen is not left out");
    }
}
