//! All sessions of one ending, at the same time: opened, brought to where they are to be ended, ended, watched, judged.

use std::time::Instant;

use curfew_harness::{Clock, Gate};
use futures_util::future::join_all;
use tokio::sync::watch;

use super::ending::Ending;
use super::hands::Hands;
use super::kernel::Connections;
use super::log::Log;
use super::subject::Subject;
use super::table::{Cell, Verdict};
use super::witness::{Findings, Seen, watch};
use crate::world::{Auditor, LIMIT};

/// A gate with all that sessions are played between.
pub trait Stage {
    type Cell: Cell;
    type Scene: Scene<Cell = Self::Cell>;

    fn gate(&self) -> &Gate;
    fn gate_mut(&mut self) -> &mut Gate;
    fn hands(&self) -> &Hands;
    /// The cells of one ending, also those that can't be.
    fn cells(&self, ending: Ending) -> Vec<Self::Cell>;
    /// A grant, a session under it, and what it is to do, but for its beginning, which `go` tells.
    async fn open(&self, log: &Log, cell: Self::Cell, go: watch::Receiver<bool>) -> Self::Scene;
    /// Waits until what they do can be seen at the target.
    async fn at_work(&self, scenes: &mut [Self::Scene]);
}

/// A session that does what it is to do, until it is ended.
pub trait Scene {
    type Cell: Cell;

    fn cell(&self) -> Self::Cell;
    fn subject(&self) -> &Subject;
    fn subject_mut(&mut self) -> &mut Subject;
    /// Brings it to where it is to be ended: what moves moves, and who stops reading has stopped.
    async fn begin(&mut self);
    /// Lets everybody read what is left, and waits for the client's end; `log` says when the gate was done with it.
    async fn over(&mut self);
    /// What must be true of it beside what must be true of each.
    fn judge(&self, findings: &mut Findings);
}

/// All cells of the table, one column after the other.
pub async fn all<S: Stage>(stage: &mut S) -> Vec<Verdict<S::Cell>> {
    let log = Log::of(stage.gate()).await;
    // Both take their time to come to their end.
    let idle = raise(stage, &log, Ending::Idle).await;
    let (idle, expiry) = tokio::join!(ended(stage, &log, idle), column(stage, &log, Ending::Expiry));
    let mut verdicts: Vec<_> = idle.into_iter().chain(expiry).collect();
    for ending in [Ending::Revoke, Ending::Return, Ending::Kill] {
        verdicts.extend(column(stage, &log, ending).await);
    }
    verdicts.extend(drained(stage, log).await);
    verdicts
}

/// All sessions of one ending, doing what they are to do.
async fn raise<S: Stage>(stage: &S, log: &Log, ending: Ending) -> Vec<S::Scene> {
    let (go, told) = watch::channel(false);
    let began = Instant::now();
    let cells = stage.cells(ending).into_iter().filter(|cell| cell.impossible().is_none());
    let mut scenes = join_all(cells.map(|cell| stage.open(log, cell, told.clone()))).await;
    eprintln!("{}: {} sessions open after {:?}", ending.name(), scenes.len(), began.elapsed());
    go.send_replace(true);
    join_all(scenes.iter_mut().map(Scene::begin)).await;
    stage.at_work(&mut scenes).await;
    let connections = Connections::now();
    for scene in &mut scenes {
        scene.subject_mut().find_sockets(&connections);
    }
    eprintln!("{}: all at work after {:?}", ending.name(), began.elapsed());
    scenes
}

/// One column of the table, all of its sessions at the same time.
async fn column<S: Stage>(stage: &S, log: &Log, ending: Ending) -> Vec<Verdict<S::Cell>> {
    let scenes = raise(stage, log, ending).await;
    ended(stage, log, scenes).await
}

/// Ends them.
async fn ended<S: Stage>(stage: &S, log: &Log, scenes: Vec<S::Scene>) -> Vec<Verdict<S::Cell>> {
    let clock = Clock::read();
    let subjects: Vec<&Subject> = scenes.iter().map(Scene::subject).collect();
    let ends = join_all(subjects.iter().map(|subject| stage.hands().end(subject)));
    let (seen, _) = tokio::join!(watch(stage.gate().pid().unwrap(), &subjects), ends);
    verdicts(stage, log, scenes, seen, clock).await
}

/// The column of the drain, which is the end of the gate too.
async fn drained<S: Stage>(stage: &mut S, log: Log) -> Vec<Verdict<S::Cell>> {
    let scenes = raise(stage, &log, Ending::Drain).await;
    drop(log);
    let clock = Clock::read();
    stage.gate().term().unwrap();
    let pid = stage.gate().pid().unwrap();
    let subjects: Vec<&Subject> = scenes.iter().map(Scene::subject).collect();
    let (seen, ended) = tokio::join!(watch(pid, &subjects), stage.gate_mut().ended(LIMIT));
    assert_eq!(ended.unwrap().code, Some(0));
    stage.gate_mut().restart().await.unwrap();
    let log = Log::of(stage.gate()).await;
    verdicts(stage, &log, scenes, seen, clock).await
}

async fn verdicts<S: Stage>(
    stage: &S,
    log: &Log,
    mut scenes: Vec<S::Scene>,
    seen: Vec<Seen>,
    clock: Clock,
) -> Vec<Verdict<S::Cell>> {
    let erin = Auditor::of(stage.gate()).await;
    let judging = scenes.iter_mut().zip(seen).map(async |(scene, seen)| {
        let event = log.event("session.ended", "session", &scene.subject().session).await;
        scene.over().await;
        let session = erin.get(&format!("/api/v1/sessions/{}", scene.subject().session)).await;
        let grant = erin.get(&format!("/api/v1/grants/{}", scene.subject().grant)).await;
        let mut findings = Findings::of(scene.subject(), seen, [event, session, grant], clock);
        scene.judge(&mut findings);
        let Findings { wrong, figures, event, .. } = findings;
        let cut = &event["cut"];
        let figures = format!(
            "{figures}; goodbye: {}; outstanding: {}; {}",
            cut["no_goodbye"], cut["outstanding"], cut["target_work"]
        );
        Verdict { cell: scene.cell(), wrong, figures }
    });
    let verdicts = join_all(judging).await;
    for Verdict { cell, figures, wrong } in &verdicts {
        eprintln!(
            "{}: {figures}{}{}",
            cell.name(),
            if wrong.is_empty() { "" } else { " WRONG: " },
            wrong.join("; ")
        );
    }
    verdicts
}
