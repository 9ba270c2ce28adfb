//! What must be true of each cut, whatever the session was doing, and however it came to its end.

use std::time::{Duration, Instant};

use curfew_harness::clock::{Clock, millis};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use super::ending::Ending;
use super::kernel::sockets_of;
use super::subject::Subject;
use crate::world::LIMIT;

/// Both sockets are closed within two seconds of the end; and what it takes to see that while others keep the machine
/// busy.
const CLOSED: Duration = Duration::from_millis(2_300);

/// Nothing works for the session at the target three seconds after the end.
const GONE: Duration = Duration::from_secs(3);

/// How long after the end was brought about by somebody a byte may still pass, where many sessions move bytes on a
/// machine that is busy with other tests. A deadline is known beforehand, so after that not one may.
pub const LATENCY: Duration = Duration::from_secs(1);

/// When the gate's sockets were closed, and when the last process at the target was gone, if they ever were.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    client: Option<Instant>,
    target: Option<Instant>,
    work: Option<Instant>,
}

impl Seen {
    fn all(&self) -> bool {
        self.client.is_some() && self.target.is_some() && self.work.is_some()
    }
}

/// Looks at all of them, and at what the gate holds, until everything is over.
pub async fn watch(gate: i32, subjects: &[&Subject]) -> Vec<Seen> {
    let mut seen = vec![Seen::default(); subjects.len()];
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looking = async {
        while !seen.iter().all(Seen::all) {
            looks.tick().await;
            let held = sockets_of(gate);
            let now = Instant::now();
            for (subject, seen) in subjects.iter().zip(&mut seen) {
                let [client, target] = subject.sockets.each_ref().map(|socket| !held.contains(socket));
                let work = seen.work.is_some() || !subject.answers || !subject.running.are_left();
                let all = [&mut seen.client, &mut seen.target, &mut seen.work];
                for (over, at) in [client, target, work].into_iter().zip(all) {
                    if over && at.is_none() {
                        *at = Some(now);
                    }
                }
            }
        }
    };
    // What is not over by then is found by who reads this.
    let _ = tokio::time::timeout(2 * LIMIT, looking).await;
    seen
}

/// What was found about a cut.
pub struct Findings {
    /// The instant of the end, on the taps' clock.
    pub end: Instant,
    /// No byte that was made after this may have passed.
    pub last: Timestamp,
    /// The same on the taps' clock.
    pub last_seen: Instant,
    /// `session.ended`.
    pub event: Value,
    /// What was not as it must be.
    pub wrong: Vec<String>,
    /// To be read by people.
    pub figures: String,
}

impl Findings {
    /// Holds what was seen against the end, as the audit event, the session's record and the grant's have it.
    pub fn of(subject: &Subject, seen: Seen, [event, session, grant]: [Value; 3], clock: Clock) -> Self {
        let mut wrong = Vec::new();
        let ended_at = session["ended_at"].as_str().unwrap();
        let end = clock.instant(ended_at).unwrap();
        if subject.ending == Ending::Expiry && session["ended_at"] != grant["ends_at"] {
            wrong.push(format!("ended at {ended_at}, and not at {}", grant["ends_at"]));
        }
        if event["reason"] != subject.ending.reason() {
            wrong.push(format!("ended as {}", event["reason"]));
        }
        let latency = event["cut"]["latency_us"].as_u64().map(Duration::from_micros);
        if latency.is_none_or(|latency| latency > LATENCY) {
            wrong.push(format!("the cut took {latency:?}"));
        }
        let mut figures = format!("latency {:?}", latency.unwrap_or_default());
        let works = subject.running.count() > 0 && subject.answers;
        let limits = [
            ("client", seen.client, CLOSED, true),
            ("target", seen.target, CLOSED, true),
            ("work", seen.work, GONE, works),
        ];
        for (what, at, limit, _) in limits.into_iter().filter(|(_, _, _, counts)| *counts) {
            match at {
                Some(at) if at <= end + limit => {
                    figures.push_str(&format!(", {what} {:.0} ms", millis(end, at)))
                }
                Some(at) => wrong.push(format!("the {what} was there for {:.0} ms", millis(end, at))),
                None => wrong.push(format!("the {what} stays")),
            }
        }
        let grace = if subject.ending.foreseen() { Duration::ZERO } else { LATENCY };
        let last = ended_at.parse::<Timestamp>().unwrap() + grace;
        Self { end, last, last_seen: end + grace, event, wrong, figures }
    }

    /// The newest that came out somewhere.
    pub fn newest(&mut self, at: Option<Timestamp>) {
        match at {
            Some(at) if at <= self.last => {
                let before = self.last.duration_since(at).as_millis_f64();
                self.figures.push_str(&format!(", newest byte {before:.1} ms before"));
            }
            Some(at) => self.wrong.push(format!("a byte of {at} passed, after {}", self.last)),
            None => self.wrong.push("nothing ever passed".to_owned()),
        }
    }

    /// Something that must be so.
    pub fn must(&mut self, is: bool, wrong: impl FnOnce() -> String) {
        if !is {
            self.wrong.push(wrong());
        }
    }
}
