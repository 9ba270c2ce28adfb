//! The cut of SSH sessions: whatever they do, however they come to their end, and whether or not their client reads.
//! One test, whose outcome is docs/cut-ssh.md.

mod cell;
mod files;
mod kernel;
mod log;
mod stage;
mod stamps;
mod witness;
mod work;

use std::fmt::Write;

use curfew_harness::{Clock, until};
use futures_util::future::join_all;
use tokio::sync::watch;

use cell::{Cell, Doing, Ending};
use kernel::{Connections, Running};
use log::Log;
use stage::{Scene, Stage};
use witness::{Seen, Verdict, judge, watch};

use crate::golden::golden;
use crate::world::{Auditor, LIMIT};

const ABOUT: &str = "\
# The cut of SSH sessions

Made by a test (`tests/e2e/ssh/cut.rs`) with OpenSSH on both sides of the gate: what a session was doing, and how it came
to its end. `ok` says, of each:

- No session byte passes after the end. What moves carries the time at which it was made, in both directions, and the
  newest that came out is older than the end; where nothing moves, a tap on either side sees no more than the goodbye. A
  deadline is met to the byte; a revocation, a return, a kill and idleness have to reach whoever moves the bytes, and
  have a second for that, with twenty sessions on a machine that is busy with tests.
- The gate has closed both sockets within 2 s, and the command is gone from the target's process list within 3 s.
- The audit event has the right reason, and how long the cut took.

In mid-rekey, the gate has the client's first packet of a new key exchange, and waits for the second.
";

/// All sessions of one ending, doing what they are to do.
async fn raise(stage: &Stage, log: &Log, ending: Ending) -> Vec<Scene> {
    let (go, told) = watch::channel(false);
    let cells = Cell::of(ending).filter(|cell| cell.impossible().is_none());
    let mut scenes = join_all(cells.map(|cell| stage.open(log, cell, told.clone()))).await;
    go.send_replace(true);
    join_all(scenes.iter_mut().map(Scene::begin)).await;
    let enough = async || {
        let running = Running::by_mark();
        let enough = |scene: &Scene| {
            let count = running.get(&scene.cell.mark()).map_or(0, Running::count);
            count >= scene.cell.doing.processes()
        };
        scenes.iter().all(enough).then_some(running)
    };
    let mut running = until("all processes at the target", LIMIT, enough).await.unwrap().0;
    let connections = Connections::now();
    for scene in &mut scenes {
        scene.running = running.remove(&scene.cell.mark()).unwrap_or_default();
        scene.find_sockets(&connections);
    }
    scenes
}

/// One column of the table, all of its sessions at the same time.
async fn column(stage: &Stage, log: &Log, ending: Ending) -> Vec<Verdict> {
    let scenes = raise(stage, log, ending).await;
    ended(stage, log, scenes).await
}

/// Ends them.
async fn ended(stage: &Stage, log: &Log, scenes: Vec<Scene>) -> Vec<Verdict> {
    let clock = Clock::read();
    let ends = join_all(scenes.iter().map(|scene| stage.end(scene)));
    let (seen, _) = tokio::join!(watch(stage.gate.pid().unwrap(), &scenes), ends);
    verdicts(stage, log, scenes, seen, clock).await
}

/// The column of the drain, which is the end of the gate too.
async fn drained(stage: &mut Stage, log: Log) -> Vec<Verdict> {
    let scenes = raise(stage, &log, Ending::Drain).await;
    drop(log);
    let clock = Clock::read();
    stage.gate.term().unwrap();
    let (seen, ended) = tokio::join!(watch(stage.gate.pid().unwrap(), &scenes), stage.gate.ended(LIMIT));
    assert_eq!(ended.unwrap().code, Some(0));
    stage.gate.restart().await.unwrap();
    verdicts(stage, &Log::of(&stage.gate).await, scenes, seen, clock).await
}

async fn verdicts(
    stage: &Stage,
    log: &Log,
    mut scenes: Vec<Scene>,
    seen: Vec<Seen>,
    clock: Clock,
) -> Vec<Verdict> {
    let erin = Auditor::of(&stage.gate).await;
    let judging = scenes.iter_mut().zip(seen).map(async |(scene, seen)| {
        scene.resume();
        let event = log.event("session.ended", "session", &scene.session).await;
        scene.work.over(&scene.cell.name()).await;
        let session = erin.get(&format!("/api/v1/sessions/{}", scene.session)).await;
        let grant = erin.get(&format!("/api/v1/grants/{}", scene.grant)).await;
        judge(scene, seen, [&event, &session, &grant], clock)
    });
    let verdicts = join_all(judging).await;
    for Verdict { cell, figures, .. } in &verdicts {
        eprintln!("{}: {figures}", cell.name());
    }
    verdicts
}

fn table(verdicts: &[Verdict], reads: bool) -> String {
    let mut table = format!("| | {} |\n", Ending::ALL.map(Ending::name).join(" | "));
    writeln!(table, "|---|{}", "---|".repeat(Ending::ALL.len())).unwrap();
    for doing in Doing::ALL {
        let cells = Ending::ALL.map(|ending| {
            let cell = Cell { doing, ending, reads };
            match (cell.impossible(), verdicts.iter().find(|verdict| verdict.cell == cell)) {
                (Some(why), _) => format!("n/a: {why}"),
                (None, Some(verdict)) if verdict.wrong.is_empty() => "ok".to_owned(),
                (None, Some(verdict)) => verdict.wrong.join("; "),
                (None, None) => "not tried".to_owned(),
            }
        });
        writeln!(table, "| {} | {} |", doing.title(), cells.join(" | ")).unwrap();
    }
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_session_does_it_is_over_at_its_end() {
    let mut stage = Stage::new().await;
    let log = Log::of(&stage.gate).await;
    // Both take their time to come to their end.
    let idle = raise(&stage, &log, Ending::Idle).await;
    let (idle, expiry) = tokio::join!(ended(&stage, &log, idle), column(&stage, &log, Ending::Expiry));
    let mut verdicts: Vec<Verdict> = idle.into_iter().chain(expiry).collect();
    for ending in [Ending::Revoke, Ending::Return, Ending::Kill] {
        verdicts.extend(column(&stage, &log, ending).await);
    }
    verdicts.extend(drained(&mut stage, log).await);
    let (reading, deaf) = (table(&verdicts, true), table(&verdicts, false));
    let page = format!(
        "{ABOUT}\n## While the client reads\n\n{reading}\n## When the client has stopped reading\n\n{deaf}"
    );
    eprintln!("{reading}\n{deaf}");
    assert!(verdicts.iter().all(|verdict| verdict.wrong.is_empty()), "see the tables above");
    golden("docs/cut-ssh.md", &page);
}
