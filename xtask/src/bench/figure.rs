//! One measured figure, and the line that tells it. It must never round a short figure into a good one.

use std::fmt;

use curfew_harness::{Error, Result};

/// How far above its goal a count of system calls may be: a few belong to timers and to the recorder's wake-ups.
const SLACK: f64 = 0.05;

/// What is good.
#[derive(Clone, Copy, Debug)]
enum Goal {
    /// Ours is at most this.
    AtMost(f64),
    /// Ours is at most so many times the peer's.
    TimesAtMost(f64),
    /// Ours is at least so many times the peer's.
    TimesAtLeast(f64),
}

/// A figure of ours, beside a peer's where there is one, and the goal where there is one.
#[derive(Clone, Debug)]
pub struct Figure {
    name: String,
    ours: f64,
    peer: Option<f64>,
    goal: Option<Goal>,
}

impl Figure {
    /// A figure without goal or peer.
    pub fn new(name: impl Into<String>, ours: f64) -> Self {
        Self { name: name.into(), ours, peer: None, goal: None }
    }

    /// What the peer does.
    pub fn beside(self, peer: f64) -> Self {
        Self { peer: Some(peer), ..self }
    }

    /// At most this much is good.
    pub fn at_most(self, goal: f64) -> Self {
        Self { goal: Some(Goal::AtMost(goal)), ..self }
    }

    /// At most so many times the peer's is good.
    pub fn times_at_most(self, goal: f64) -> Self {
        Self { goal: Some(Goal::TimesAtMost(goal)), ..self }
    }

    /// At least so many times the peer's is good.
    pub fn times_at_least(self, goal: f64) -> Self {
        Self { goal: Some(Goal::TimesAtLeast(goal)), ..self }
    }

    fn ratio(&self) -> Option<f64> {
        self.peer.map(|peer| self.ours / peer)
    }

    /// Whether it misses its goal.
    pub fn is_short(&self) -> bool {
        // What could not be measured is no number, and no number is good.
        let ratio = self.ratio().unwrap_or(f64::NAN);
        let good = match self.goal {
            None => true,
            Some(Goal::AtMost(goal)) => self.ours <= goal + SLACK,
            Some(Goal::TimesAtMost(goal)) => ratio <= goal,
            Some(Goal::TimesAtLeast(goal)) => ratio >= goal,
        };
        !good
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_dash = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
        let goal = match self.goal {
            None => "-".to_owned(),
            Some(Goal::AtMost(goal)) => short(goal),
            Some(Goal::TimesAtMost(goal)) => format!("ratio<={}", short(goal)),
            Some(Goal::TimesAtLeast(goal)) => format!("ratio>={}", short(goal)),
        };
        write!(
            f,
            "bench {} ours={} peer={} ratio={} goal={} {}",
            self.name,
            short(self.ours),
            or_dash(self.peer),
            or_dash(self.ratio()),
            goal,
            if self.is_short() { "short" } else { "ok" },
        )
    }
}

/// Figures, told as they are measured.
#[derive(Debug, Default)]
pub struct Figures {
    short: usize,
}

impl Figures {
    /// Prints one.
    pub fn tell(&mut self, figure: &Figure) {
        println!("{figure}");
        self.short += usize::from(figure.is_short());
    }

    /// Fails where one was short.
    pub fn verdict(&self) -> Result<()> {
        match self.short {
            0 => Ok(()),
            short => Err(Error::new(format!("{short} figures are short of their goals"))),
        }
    }
}

/// Three digits that count are enough for what is measured here.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// The middle one of an odd number of runs; of an even number, the upper of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_whether_the_goal_is_met() {
        let good = Figure::new("cpu-s-per-1M-simple", 31.26).at_most(40.0);
        assert_eq!(good.to_string(), "bench cpu-s-per-1M-simple ours=31.3 peer=- ratio=- goal=40.0 ok");
        let short = Figure::new("socket-writes-simple", 2.5).at_most(2.0);
        assert_eq!(short.to_string(), "bench socket-writes-simple ours=2.50 peer=- ratio=- goal=2.00 short");
        let free = Figure::new("tps-simple", 9000.0).beside(12000.0);
        assert_eq!(free.to_string(), "bench tps-simple ours=9000 peer=12000 ratio=0.75 goal=- ok");
    }

    #[test]
    fn a_goal_may_be_set_by_the_peer() {
        let fast = Figure::new("MB-per-s", 300.0).beside(200.0).times_at_least(1.5);
        assert_eq!(fast.to_string(), "bench MB-per-s ours=300.0 peer=200.0 ratio=1.50 goal=ratio>=1.50 ok");
        assert!(Figure::new("MB-per-s", 299.0).beside(200.0).times_at_least(1.5).is_short());
        let late = Figure::new("ms", 1.4).beside(1.0).times_at_most(1.3);
        assert_eq!(late.to_string(), "bench ms ours=1.40 peer=1.00 ratio=1.40 goal=ratio<=1.30 short");
    }

    #[test]
    fn what_could_not_be_measured_is_short() {
        assert!(Figure::new("idle", f64::NAN).at_most(60.0).is_short());
        assert!(Figure::new("idle", 1.0).times_at_most(2.0).is_short());
        assert!(Figure::new("idle", f64::NAN).beside(1.0).times_at_least(0.5).is_short());
    }

    #[test]
    fn the_median_is_the_middle_run() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }
}
