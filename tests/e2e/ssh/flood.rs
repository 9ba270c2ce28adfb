//! Many full channels on one connection, to or from somebody who reads nothing: the gate's memory stays as it is, and the
//! cut comes through.

use std::fs;
use std::time::{Duration, Instant};

use curfew_harness::{Browser, Process, Ssh, python, until};
use serde_json::json;

use super::python::{script, told};
use super::scene::Scene;
use crate::world::LIMIT;

/// Each has a window of 2 MiB of its own on each leg, so that at least a quarter of a gigabyte is pushed at the gate that
/// it can't hand on.
const CHANNELS: usize = 128;

/// What the gate may grow by, in KiB: a quarter of that.
const BOUND: u64 = 64 * 1024;

/// How long it may take until nothing moves any more.
const FILLING: Duration = Duration::from_secs(120);

/// How many processes have this in their command line.
fn running(mark: &str) -> usize {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).split('\0').any(|word| word == mark)).count()
}

async fn metrics(scene: &Scene) -> String {
    let url = format!("http://{}/metrics", scene.gate.metrics());
    Browser::new().unwrap().get(&url).await.unwrap().body
}

/// How many bytes of sessions went this way.
async fn relayed(scene: &Scene, direction: &str) -> u64 {
    let counted = format!("curfew_bytes_total{{direction=\"{direction}\",protocol=\"ssh\",target=\"web\"}} ");
    metrics(scene).await.lines().find_map(|line| line.strip_prefix(&counted)?.parse().ok()).unwrap_or(0)
}

/// Waits until the gate does nothing any more: what could be taken in was taken in.
async fn still(scene: &Scene) {
    let used = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", scene.gate.pid().unwrap())).unwrap();
        // utime and stime, fields 14 and 15 (proc(5)); the name before them is in brackets.
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
        fields.map(|field| field.parse::<u64>().unwrap()).sum()
    };
    let mut looks = tokio::time::interval(Duration::from_millis(250));
    let (mut before, mut idle) = (used(), 0);
    let stilling = async {
        while idle < 4 {
            looks.tick().await;
            let now = used();
            // In ticks of 10 ms: less than a tenth of a processor is next to nothing, in a debug build.
            idle = if now - before <= 2 { idle + 1 } else { 0 };
            before = now;
        }
    };
    tokio::time::timeout(FILLING, stilling).await.expect("the gate is never still");
}

struct Flood {
    scene: Scene,
    ssh: Ssh,
    client: Process,
    mark: String,
    grown: u64,
}

/// Opens the channels and lets them fill up: so many bytes at least must have gone `direction` before nothing moves.
async fn flood(way: &str, direction: &str, bytes: u64) -> Flood {
    let scene = Scene::at_once("").await;
    let (_alice, ssh) = scene.alice().await;
    let mark = scene.sshd.folder().join("mark");
    fs::write(&mark, "").unwrap();
    let mark = mark.to_str().unwrap().to_owned();
    let mut told = told(&scene, &ssh).await;
    told["way"] = json!(way);
    told["channels"] = json!(CHANNELS);
    told["mark"] = json!(mark);
    let client = ssh.start(python().to_str().unwrap(), script("flood.py", &told)).unwrap();
    let filling = async {
        client.logs().wait_for(&format!(r#"{{"open": {CHANNELS}}}"#), LIMIT).await.unwrap();
        until("the commands", LIMIT, async || (running(&mark) == CHANNELS).then_some(())).await.unwrap();
        let pushed = async || (relayed(&scene, direction).await >= bytes).then_some(());
        until("the flood", FILLING, pushed).await.unwrap();
        still(&scene).await;
    };
    let ((), grown) = scene.gate.growth(filling).await.unwrap();
    Flood { scene, ssh, client, mark, grown }
}

impl Flood {
    /// The grant is taken away: the session is over at once, and so is all that ran.
    async fn cut(mut self) {
        let live = "curfew_sessions_live{protocol=\"ssh\",target=\"web\"}";
        assert!(metrics(&self.scene).await.contains(&format!("{live} 1")));
        let bob = self.scene.gate.person("bob").unwrap();
        bob.login().await.unwrap();
        let alice = self.scene.gate.person("alice").unwrap();
        alice.login().await.unwrap();
        let grants = alice.json(["grants", "--json"]).await.unwrap();
        let id = grants["items"][0]["id"].as_str().unwrap();
        alice.curfew(["return", id]).await.unwrap().success().unwrap();
        let asked = Instant::now();
        let over = async || metrics(&self.scene).await.contains(&format!("{live} 0")).then_some(());
        let (_, sealed) = until("the end of the session", LIMIT, over).await.unwrap();
        let gone = async || (running(&self.mark) == 0).then_some(());
        until("the end of the commands", LIMIT, gone).await.unwrap();
        assert!(sealed < Duration::from_secs(3), "over after {sealed:?}");
        assert!(asked.elapsed() < Duration::from_secs(4), "gone after {:?}", asked.elapsed());
        let _ = self.client.kill().await;
        drop(self.ssh);
    }
}

#[tokio::test]
async fn commands_that_read_nothing_cost_no_memory_and_are_cut() {
    // What sshd takes for each channel before it must be told that its command has read.
    let flood = flood("up", "in", CHANNELS as u64 * 2 * 1024 * 1024).await;
    assert!(flood.grown < BOUND, "the gate grew by {} KiB", flood.grown);
    flood.cut().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_costs_no_memory_and_is_cut() {
    // More than what was on its way when the client stopped; the sockets' buffers take it.
    let flood = flood("down", "out", 1024 * 1024).await;
    assert!(flood.grown < BOUND, "the gate grew by {} KiB", flood.grown);
    flood.cut().await;
}
