//! A shell and a file transfer, watched while they run, and played, exported and found afterwards.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::scene::Scene;
use crate::world::LIMIT;

#[tokio::test]
async fn a_shell_is_watched_played_exported_and_found() {
    let scene = Scene::at_once("").await;
    let (alice, ssh) = scene.alice().await;
    let erin = scene.gate.person("erin").unwrap();
    erin.login().await.unwrap();
    let mut terminal = ssh.terminal(&scene.user(), [""; 0]).unwrap();
    terminal.send_line("echo rea$((40+2))dy").await.unwrap();
    terminal.wait_for("rea42dy", LIMIT).await.unwrap();

    let live = erin.json(["sessions", "--live", "--json"]).await.unwrap();
    let id = live["items"][0]["id"].as_str().unwrap().to_owned();
    let mut watch = erin.spawn(["sessions", "watch", &id]).unwrap();
    watch.logs().wait_for("rea42dy", LIMIT).await.unwrap();
    terminal.send_line("printf 'a nee\\033[1mdle\\033[0m in a haystack\\n'").await.unwrap();
    terminal.wait_for("in a haystack\r\n", LIMIT).await.unwrap();
    let shown = Instant::now();
    watch.logs().wait_for("dle\u{1b}[0m in a haystack", LIMIT).await.unwrap();
    assert!(shown.elapsed() < Duration::from_secs(1), "watched {:?} later", shown.elapsed());
    let denied = alice.curfew(["sessions", "watch", &id]).await.unwrap();
    assert_eq!(denied.code, Some(1), "{}", denied.stderr);

    terminal.send_line("exit").await.unwrap();
    terminal.ended(LIMIT).await.unwrap();
    assert!(watch.ended(LIMIT).await.unwrap().success());

    let played = erin.curfew(["sessions", "play", &id, "--idle", "0s"]).await.unwrap().success().unwrap();
    assert!(played.stdout.contains("nee\u{1b}[1mdle\u{1b}[0m in a haystack"), "{}", played.stdout);
    let args = ["sessions", "export", &id, "--format", "asciicast"];
    let cast = erin.curfew(args).await.unwrap().success().unwrap().stdout;
    let lines: Vec<Value> = cast.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["version"], 2, "{cast}");
    assert!(lines.len() > 2 && lines[1..].iter().all(|line| line[1] == "o" || line[1] == "r"), "{cast}");

    let args = ["sessions", "search", "A NEEDLE IN", "--target", "web", "--since", "1h"];
    let found = erin.curfew(args).await.unwrap().success().unwrap().stdout;
    assert!(found.contains(&id) && found.contains("a needle in a haystack"), "{found}");
    let log = erin.curfew(["audit", "export"]).await.unwrap().success().unwrap().stdout;
    for (kind, what) in [
        ("recording.read", r#""how":"watch""#),
        ("recording.read", r#""how":"show""#),
        ("recording.read", r#""how":"search""#),
        ("recordings.searched", r#""text":"A NEEDLE IN""#),
    ] {
        assert!(log.lines().any(|line| line.contains(kind) && line.contains(what)), "{what}: {log}");
    }
}

#[tokio::test]
async fn a_file_transfer_is_found_by_its_path_and_played_line_by_line() {
    let scene = Scene::at_once("").await;
    let (_alice, ssh) = scene.alice().await;
    let there = scene.sshd.write("quarterly-figures", "contents").unwrap();
    let batch = ssh.path("batch");
    std::fs::write(&batch, format!("get {} {}\n", there.display(), ssh.path("got").display())).unwrap();
    let mut args = ssh.options();
    args.extend(["-q", "-P", &ssh.port().to_string(), "-o"].map(OsString::from));
    args.extend([format!("User={}", scene.user()).into(), "-b".into(), batch.into(), ssh.host().into()]);
    ssh.program("sftp", args).await.unwrap().success().unwrap();

    let erin = scene.gate.person("erin").unwrap();
    erin.login().await.unwrap();
    let search = async || {
        let found = erin.curfew(["sessions", "search", "QUARTERLY-figures", "--json"]).await.ok()?.stdout;
        let first: Value = serde_json::from_str(found.lines().next()?).ok()?;
        (first["place"] == "file").then(|| first["session"].as_str().unwrap().to_owned())
    };
    let (id, _) = curfew_harness::until("the file in a recording", LIMIT, search).await.unwrap();
    let played = erin.curfew(["sessions", "play", &id, "--idle", "0s"]).await.unwrap().success().unwrap();
    let sha256 = "d1b2a59fbea7e20077af9f91b27e95e865061b270be03ff539ab3b73587882e8";
    let get = format!("get {}, 8 bytes, sha256 {sha256}", there.display());
    assert!(played.stdout.contains(&get), "{}", played.stdout);
}
