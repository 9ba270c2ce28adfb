//! What sessions cost in memory: idle ones, and those in which one side does not read.

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use curfew_harness::{Process, Result, process};

use super::super::crowd::{Crowd, Size};
use super::super::usage;
use super::scene::{CROWD, Scene, Way};

const LIMIT: Duration = Duration::from_secs(30);

/// Sessions over the sshd that is jumped over: processes of their own, so few say as much as many.
const JUMPS: usize = 20;

/// How much is pushed at a side that does not read.
const PUSHED: u64 = 4_000_000_000;

/// How long it is pushed: without backpressure, some hundred MB.
const PUSHING: Duration = Duration::from_secs(10);

/// How often memory is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Memory of the gate and of the sshd that is jumped over, in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// The gate without a session, once it has had some.
    pub none: f64,
    /// For each of 100 sessions with an open shell.
    pub hundred: f64,
    /// For each of 1,000.
    pub thousand: f64,
    /// For each session of the sshd.
    pub jump: f64,
}

/// Opens idle sessions, to the light stand-in of curfew-benches, and looks at the gate.
pub async fn idle(scene: &Scene) -> Result<Idle> {
    scene.grant(CROWD).await?;
    let crowd =
        async |idle| Crowd::open(scene.crowd(Size { idle, streaming: 0, every: Duration::ZERO })?).await;
    // What is made once, at the first sessions, belongs to none.
    drop(crowd(8).await?);
    let pid = scene.gate.pid()?;
    let none = usage::resident_kib(pid)?;
    let first = crowd(100).await?;
    let hundred = usage::resident_kib(pid)?;
    let more = crowd(900).await?;
    let thousand = usage::resident_kib(pid)?;
    drop((first, more));
    Ok(Idle {
        none,
        hundred: (hundred - none) / 100.0,
        thousand: (thousand - none) / 1000.0,
        jump: jumps(scene).await?,
    })
}

/// The memory of each of sshd's sessions that are jumped over.
async fn jumps(scene: &Scene) -> Result<f64> {
    let mut sessions = Vec::new();
    for _ in 0..JUMPS {
        let mut command = scene.command("ssh", None)?;
        command.args(["-tt", Way::Jump.host(), "echo here; cat"]);
        let session = Process::spawn("ssh -J", command, process::Stop::Kill)?;
        session.logs().wait_for("here", LIMIT).await?;
        sessions.push(session);
    }
    let all = usage::descendants(scene.jump.pid());
    // One that has ended since has no memory.
    let kib: f64 = all.into_iter().filter_map(|pid| usage::resident_kib(pid).ok()).sum();
    #[expect(clippy::cast_precision_loss, reason = "twenty")]
    Ok(kib / JUMPS as f64)
}

/// By how many MiB the gate grows while a client pushes at a command that reads nothing.
pub async fn deaf_target(scene: &Scene) -> Result<f64> {
    let zeros = scene.sshd.folder().join("pushed");
    let file = File::create_new(&zeros)?;
    file.set_len(PUSHED)?;
    let mut command = scene.command("ssh", None)?;
    command.args(["-T", Way::Gate.host(), "sleep 600"]).stdin(File::open(zeros)?).stdout(Stdio::null());
    growth(scene, command).await
}

/// The same while a command pushes at a client that reads nothing.
pub async fn deaf_client(scene: &Scene) -> Result<f64> {
    let mut command = scene.command("ssh", None)?;
    command.args(["-T", Way::Gate.host(), &format!("head -c {PUSHED} /dev/zero")]);
    // Nobody takes anything out of the pipe.
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    growth(scene, command).await
}

async fn growth(scene: &Scene, mut command: tokio::process::Command) -> Result<f64> {
    let pid = scene.gate.pid()?;
    let before = usage::resident_kib(pid)?;
    let mut child = command.kill_on_drop(true).spawn()?;
    let (start, mut most) = (Instant::now(), before);
    while start.elapsed() < PUSHING {
        tokio::time::sleep(LOOK).await;
        most = most.max(usage::resident_kib(pid)?);
    }
    child.kill().await?;
    Ok((most - before) / 1024.0)
}
