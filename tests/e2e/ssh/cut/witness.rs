//! What must be true of each cut, whatever the session was doing, and however it came to its end.

use std::time::{Duration, Instant};

use curfew_harness::Direction;
use curfew_harness::clock::{Clock, millis};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use super::cell::{Cell, Doing, Ending};
use super::kernel::sockets_of;
use super::stage::Scene;
use crate::cut::witness::{CLOSED, GONE};
use crate::world::LIMIT;

/// How long after the end was brought about by somebody a byte may still pass, where twenty sessions move bytes on a
/// machine that is busy with other tests. A deadline is known beforehand, so after that not one may.
const LATENCY: Duration = Duration::from_secs(1);

/// What may still go to a peer where nothing moved at the end: the goodbye, or the signals and the disconnect.
const GOODBYE: usize = 4096;

/// When the gate's sockets were closed, and when the last process at the target was gone, if they ever were.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    client: Option<Instant>,
    target: Option<Instant>,
    processes: Option<Instant>,
}

impl Seen {
    fn all(&self) -> bool {
        self.client.is_some() && self.target.is_some() && self.processes.is_some()
    }
}

/// Looks at all of them, and at what the gate holds, until everything is over.
pub async fn watch(gate: i32, scenes: &[Scene]) -> Vec<Seen> {
    let mut seen = vec![Seen::default(); scenes.len()];
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looking = async {
        while !seen.iter().all(Seen::all) {
            looks.tick().await;
            let held = sockets_of(gate);
            let now = Instant::now();
            for (scene, seen) in scenes.iter().zip(&mut seen) {
                let [client, target] = scene.sockets.each_ref().map(|socket| !held.contains(socket));
                let command = seen.processes.is_some() || !scene.running.are_left();
                let all = [&mut seen.client, &mut seen.target, &mut seen.processes];
                for (over, at) in [client, target, command].into_iter().zip(all) {
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

/// What came of a cell.
pub struct Verdict {
    pub cell: Cell,
    /// What was not as it must be.
    pub wrong: Vec<String>,
    /// To be read by people.
    pub figures: String,
}

/// Holds what was seen against the end, as the audit event, the session's record and the grant's have it.
pub fn judge(scene: &Scene, seen: Seen, [event, session, grant]: [&Value; 3], clock: Clock) -> Verdict {
    let Scene { cell, work, client_side, target_side, .. } = scene;
    let mut wrong = Vec::new();
    let ended_at = session["ended_at"].as_str().unwrap();
    let end = clock.instant(ended_at).unwrap();
    if cell.ending == Ending::Expiry && session["ended_at"] != grant["ends_at"] {
        wrong.push(format!("ended at {ended_at}, and not at {}", grant["ends_at"]));
    }
    if event["reason"] != cell.ending.reason() {
        wrong.push(format!("ended as {}", event["reason"]));
    }
    let latency = event["cut"]["latency_us"].as_u64().map(Duration::from_micros);
    if latency.is_none_or(|latency| latency > LATENCY) {
        wrong.push(format!("the cut took {latency:?}"));
    }
    let mut figures = format!("latency {:?}", latency.unwrap_or_default());
    let limits =
        [("client", seen.client, CLOSED), ("target", seen.target, CLOSED), ("command", seen.processes, GONE)];
    for (what, at, limit) in limits {
        match at {
            Some(_) if what == "command" && cell.doing.processes() == 0 => {}
            Some(at) if at <= end + limit => figures.push_str(&format!(", {what} {:.0} ms", millis(end, at))),
            Some(at) => wrong.push(format!("the {what} was there for {:.0} ms", millis(end, at))),
            None => wrong.push(format!("the {what} stays")),
        }
    }

    let grace = if cell.ending.foreseen() { Duration::ZERO } else { LATENCY };
    let end_wall: Timestamp = ended_at.parse().unwrap();
    for newest in &work.heard {
        match newest.at() {
            Some(at) if at <= end_wall + grace => {
                let before = end_wall.duration_since(at).as_millis_f64();
                figures.push_str(&format!(", newest byte {before:.1} ms before"));
            }
            Some(at) => wrong.push(format!("a byte of {at} passed, after {end_wall}")),
            None => wrong.push("nothing ever passed".to_owned()),
        }
    }
    // What moved may have been on its way out of the gate, and into the tap.
    let moved = cell.doing.moves() || cell.doing == Doing::Top;
    let quiet = end + if moved { LATENCY } else { grace };
    let ways = [("client", client_side, Direction::ToClient), ("target", target_side, Direction::ToTarget)];
    for (whom, tap, direction) in ways {
        let late = tap.bytes_after(direction, quiet);
        figures.push_str(&format!(", {late} bytes to the {whom}"));
        // A client that did not read gets what had been encrypted for it when it reads on.
        if late > GOODBYE && (cell.reads || whom == "target") {
            wrong.push(format!("{late} bytes went to the {whom} after the end"));
        }
    }
    figures.push_str(&format!("; goodbye: {}; {}", event["cut"]["no_goodbye"], event["cut"]["target_work"]));
    Verdict { cell: *cell, wrong, figures }
}
