//! One measured figure, and the line that tells it. It must never round a short figure into a good one.

use std::fmt;

/// How far above its goal a count of system calls may be: a few belong to timers and to the recorder's wake-ups.
const SLACK: f64 = 0.05;

/// A figure of ours, beside a peer's where there is one, and the goal where there is one.
#[derive(Clone, Debug)]
pub struct Figure {
    name: String,
    ours: f64,
    peer: Option<f64>,
    goal: Option<f64>,
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
        Self { goal: Some(goal), ..self }
    }

    /// Whether it misses its goal.
    pub fn is_short(&self) -> bool {
        self.goal.is_some_and(|goal| self.ours.is_nan() || self.ours > goal + SLACK)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_dash = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
        let ratio = self.peer.map(|peer| self.ours / peer);
        write!(
            f,
            "bench {} ours={} peer={} ratio={} goal={} {}",
            self.name,
            short(self.ours),
            or_dash(self.peer),
            or_dash(ratio),
            or_dash(self.goal),
            if self.is_short() { "short" } else { "ok" },
        )
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
    fn what_could_not_be_measured_is_short() {
        assert!(Figure::new("idle", f64::NAN).at_most(60.0).is_short());
    }

    #[test]
    fn the_median_is_the_middle_run() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }
}
