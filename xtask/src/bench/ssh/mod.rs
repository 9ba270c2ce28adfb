//! `cargo xtask bench ssh`: a session through the gate, recorded, beside one straight to sshd, and beside `ssh -J` over
//! a second sshd, which is what most people put in front of a host. Rounds are interleaved, and medians compared.

mod echo;
mod memory;
mod scene;
mod transfer;

use std::time::Instant;

use curfew_harness::{Context, Error, Result};

use super::figure::{Figure, Figures, median};
pub use scene::{CROWD, Scene};
use scene::{WAYS, Way};
use transfer::{Kind, Ran};

/// CPU seconds of the gate for each GB with aes256-gcm, at most.
const CPU_DOWN: f64 = 2.0;
const CPU_UP: f64 = 2.2;
/// Times the speed of a jump, at least.
const SPEED: f64 = 1.5;
/// Times as long as straight to sshd, at most.
const SIGN_IN: f64 = 1.0;
const ECHO: f64 = 1.3;
/// KiB for each idle session, at most.
const IDLE_KIB: f64 = 150.0;
/// MiB by which the gate may grow where one side does not read.
const DEAF_MIB: f64 = 64.0;

/// The ciphers, on every leg that OpenSSH speaks.
const CIPHERS: [&str; 2] = ["aes256-gcm", "chacha20-poly1305"];

/// How much is run.
#[derive(Clone, Copy)]
struct Pace {
    rounds: usize,
    /// Through a command.
    bytes: u64,
    /// Through sftp.
    files: u64,
    keys: usize,
    /// For each round.
    sign_ins: usize,
}

const QUICK: Pace = Pace { rounds: 3, bytes: 250_000_000, files: 125_000_000, keys: 300, sign_ins: 2 };
const LONG: Pace = Pace { rounds: 3, bytes: 2_000_000_000, files: 1_000_000_000, keys: 1000, sign_ins: 5 };

/// Measures everything, prints a line for each figure, and fails where one is short.
pub async fn ssh(quick: bool) -> Result<()> {
    let pace = if quick { QUICK } else { LONG };
    let scene = Scene::start().await?;
    let mut figures = Figures::default();
    let mut tell = |figure: Figure| figures.tell(&figure);
    // First, while no memory has been given back that idle sessions could use again.
    let idle = memory::idle(&scene).await?;
    tell(Figure::new("resident-MiB-0-sessions", idle.none / 1024.0));
    tell(Figure::new("idle-session-KiB-100", idle.hundred).beside(idle.jump).at_most(IDLE_KIB));
    tell(Figure::new("idle-session-KiB-1000", idle.thousand).beside(idle.jump).at_most(IDLE_KIB));

    let series = rounds(&scene, pace).await?;
    let [direct, jump, gate] = series.sign_ins.map(median);
    tell(Figure::new("ssh-true-ms", gate).beside(direct).times_at_most(SIGN_IN));
    tell(Figure::new("ssh-true-ms-by-jump", gate).beside(jump));
    let [direct, jump, gate] = series.echoes.map(median);
    tell(Figure::new("key-echo-p50-ms", gate).beside(direct).times_at_most(ECHO));
    tell(Figure::new("key-echo-p50-ms-by-jump", gate).beside(jump));
    for load in series.loads {
        let of =
            |what: fn(&Ran) -> f64| load.ran.each_ref().map(|runs| median(runs.iter().map(what).collect()));
        let [direct, jump, gate] = of(|ran| ran.speed);
        let name = load.name();
        tell(Figure::new(format!("MB-per-s-{name}"), gate).beside(jump).times_at_least(SPEED));
        tell(Figure::new(format!("MB-per-s-{name}-by-direct"), gate).beside(direct));
        let [_, jump, gate] = of(|ran| ran.cpu);
        if !load.bare.is_empty() {
            let bare = median(load.bare.iter().map(|ran| ran.cpu).collect());
            tell(Figure::new(format!("cpu-s-per-GB-{name}-by-bare"), gate).beside(bare));
        }
        let cpu = Figure::new(format!("cpu-s-per-GB-{name}"), gate).beside(jump);
        tell(match (load.kind, load.cipher) {
            (Kind::Down, "aes256-gcm") => cpu.at_most(CPU_DOWN),
            (Kind::Up, "aes256-gcm") => cpu.at_most(CPU_UP),
            _ => cpu,
        });
    }
    tell(Figure::new("growth-MiB-deaf-target", memory::deaf_target(&scene).await?).at_most(DEAF_MIB));
    tell(Figure::new("growth-MiB-deaf-client", memory::deaf_client(&scene).await?).at_most(DEAF_MIB));
    figures.verdict()
}

/// One kind of transfer with one cipher, and how it went for each of the ways of a person.
struct Load {
    kind: Kind,
    cipher: &'static str,
    bytes: u64,
    ran: [Vec<Ran>; 3],
    /// Through two legs of russh alone, where that is measured.
    bare: Vec<Ran>,
}

impl Load {
    fn all(pace: Pace) -> Vec<Self> {
        let load =
            |kind, cipher, bytes| Self { kind, cipher, bytes, ran: Default::default(), bare: Vec::new() };
        let [aes, chacha] = CIPHERS;
        vec![
            load(Kind::Down, aes, pace.bytes),
            load(Kind::Up, aes, pace.bytes),
            load(Kind::Down, chacha, pace.bytes),
            load(Kind::Up, chacha, pace.bytes),
            load(Kind::Get, aes, pace.files),
            load(Kind::Put, aes, pace.files),
        ]
    }

    /// One more round.
    async fn run(&mut self, scene: &Scene) -> Result<()> {
        let cipher = format!("{}@openssh.com", self.cipher);
        let run = async |way| transfer::run(scene, way, self.kind, Some(&cipher), self.bytes).await;
        for (way, runs) in WAYS.into_iter().zip(&mut self.ran) {
            runs.push(run(way).await?);
        }
        if matches!(self.kind, Kind::Down | Kind::Up) {
            self.bare.push(run(Way::Bare).await?);
        }
        Ok(())
    }

    fn name(&self) -> String {
        format!("{}-{}", self.kind.name(), self.cipher)
    }
}

/// What all rounds have given, for each way.
struct Series {
    sign_ins: [Vec<f64>; 3],
    echoes: [Vec<f64>; 3],
    loads: Vec<Load>,
}

async fn rounds(scene: &Scene, pace: Pace) -> Result<Series> {
    let none = || [const { Vec::new() }; 3];
    let mut series = Series { sign_ins: none(), echoes: none(), loads: Load::all(pace) };
    for round in 0..pace.rounds {
        eprintln!("xtask: round {} of {}", round + 1, pace.rounds);
        for _ in 0..pace.sign_ins {
            for (way, times) in WAYS.into_iter().zip(&mut series.sign_ins) {
                times.push(sign_in(scene, way).await?);
            }
        }
        for (way, times) in WAYS.into_iter().zip(&mut series.echoes) {
            times.push(echo::median_ms(scene, way, pace.keys).await?);
        }
        for load in &mut series.loads {
            load.run(scene).await?;
        }
    }
    Ok(series)
}

/// Milliseconds that `ssh HOST true` takes.
async fn sign_in(scene: &Scene, way: Way) -> Result<f64> {
    let mut command = scene.command("ssh", None)?;
    command.args(["-T", way.host(), "true"]).kill_on_drop(true);
    let start = Instant::now();
    let done = command.output().await.context("ssh")?;
    let took = start.elapsed().as_secs_f64() * 1e3;
    if done.status.success() {
        Ok(took)
    } else {
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        Err(Error::new(format!("ssh {} true: {}: {said}", way.host(), done.status)))
    }
}
