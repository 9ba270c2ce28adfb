//! What must be true of the bytes of an SSH session that was cut.

use curfew_harness::Direction;

use super::cell::Doing;
use super::stage::Scene;
use crate::matrix::witness::{Findings, LATENCY};

/// What may still go to a peer where nothing moved at the end: the goodbye, or the signals and the disconnect.
const GOODBYE: usize = 4096;

/// Holds what moved, and what the taps saw, against the end.
pub fn judge(scene: &Scene, findings: &mut Findings) {
    let Scene { cell, work, client_side, target_side, .. } = scene;
    for newest in &work.heard {
        findings.newest(newest.at());
    }
    // What moved may have been on its way out of the gate, and into the tap.
    let moved = cell.doing.moves() || cell.doing == Doing::Top;
    let quiet = if moved { findings.end + LATENCY } else { findings.last_seen };
    let ways = [("client", client_side, Direction::ToClient), ("target", target_side, Direction::ToTarget)];
    for (whom, tap, direction) in ways {
        let late = tap.bytes_after(direction, quiet);
        findings.figures.push_str(&format!(", {late} bytes to the {whom}"));
        // A client that did not read gets what had been encrypted for it when it reads on.
        let fine = late <= GOODBYE || (!cell.reads && whom == "client");
        findings.must(fine, || format!("{late} bytes went to the {whom} after the end"));
    }
}
