//! A disk that is full: a sentence for everybody, nothing lost, and work goes on when there is room again.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use curfew_harness::{GateOptions, Terminal};
use serde_json::Value;
use tempfile::TempDir;

use super::with_grant;
use crate::world::{LIMIT, World};

/// Starts the gate with a small disk of its own under its data, which nobody else sees and which goes with it.
const WRAPPER: &str = r#"#!/bin/sh
if [ "$1" != serve ]; then exec BINARY "$@"; fi
data="$(dirname "$3")/data"
mkdir -p -m 700 "$data"
[ "$(id -u)" = 0 ] || map=--map-root-user
exec unshare --mount $map sh -c 'mount -t tmpfs -o size=32m,mode=700 none "$0" && exec BINARY "$@"' "$data" "$@"
"#;

/// What takes the room on it, as the gate's process sees it from the inside.
fn filler(world: &World) -> PathBuf {
    let data = world.gate.folder().join("data/filler");
    PathBuf::from(format!("/proc/{}/root{}", world.gate.pid().unwrap(), data.display()))
}

/// Leaves no room for another byte.
fn fill(world: &World) {
    let mut file = File::create(filler(world)).unwrap();
    for size in [1024 * 1024, 4096, 1] {
        let block = vec![1; size];
        while file.write_all(&block).is_ok() {}
    }
}

fn on_a_small_disk(options: &GateOptions, folder: &TempDir) -> GateOptions {
    let wrapper = folder.path().join("curfew");
    fs::write(&wrapper, WRAPPER.replace("BINARY", env!("CARGO_BIN_EXE_curfew"))).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let mut small = GateOptions::new(&wrapper);
    small.record.clone_from(&options.record);
    small.tables.clone_from(&options.tables);
    small.contracts.clone_from(&options.contracts);
    small
}

#[tokio::test]
async fn a_full_disk_is_told_in_a_sentence_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (world, alice, grant) = with_grant(|options| on_a_small_disk(&options, &folder)).await;
    let erin = world.signed_in("erin").await;
    let psql = crate::cli::plain_psql(&alice).await;
    let mut live = Terminal::psql(&psql, ["-P", "pager=off"]).unwrap();
    live.wait_for("orders=> ", LIMIT).await.unwrap();
    live.send_line("select 'before';").await.unwrap();
    live.wait_for("(1 row)", LIMIT).await.unwrap();
    let id = erin.json(["sessions", "--live", "--json"]).await.unwrap()["items"][0]["id"].clone();
    let id = id.as_str().unwrap();
    let written = async || {
        let events = erin.curfew(["sessions", "export", id]).await.ok()?.stdout;
        events.contains("select 'before'").then_some(())
    };
    curfew_harness::until("the statement in the recording", LIMIT, written).await.unwrap();

    fill(&world);
    let args = ["request", "orders", "--as", "orders_write", "--reason", "x"];
    let said = alice.curfew(args).await.unwrap();
    assert_eq!(said.code, Some(1), "{}", said.stdout);
    assert!(said.stderr.contains("Curfew") && said.stderr.contains("try again"), "{}", said.stderr);
    assert!(!said.stderr.contains("sqlite") && !said.stderr.contains("code:"), "{}", said.stderr);
    let said = psql.run(["-c", "select 1"]).await.unwrap();
    assert_eq!(said.code, Some(2), "{}", said.stdout);
    assert!(said.stderr.contains("FATAL") && said.stderr.contains("tell whoever runs"), "{}", said.stderr);
    // Strict: a session that can't be recorded ends, and says so. psql looks for that only while it has a statement.
    live.send_line("select 'unrecorded' \\watch 0.2").await.unwrap();
    live.wait_for("can no longer be recorded", LIMIT).await.unwrap();

    fs::remove_file(filler(&world)).unwrap();
    let asked = async || {
        let said = psql.run(["-Atc", "select 7"]).await.ok()?;
        (said.code == Some(0)).then_some(said.stdout)
    };
    let (said, _) = curfew_harness::until("a session", LIMIT, asked).await.unwrap();
    assert_eq!(said.trim(), "7");
    alice.json(["request", "orders", "--as", "orders_write", "--reason", "x", "--json"]).await.unwrap();
    erin.curfew(["audit", "verify"]).await.unwrap().success().unwrap();
    let sessions = erin.json(["sessions", "--json"]).await.unwrap();
    let broken =
        sessions["items"].as_array().unwrap().iter().find(|one| one["end_reason"] == "recording_failed");
    let broken = broken.unwrap_or_else(|| panic!("no session ended as recording_failed: {sessions}"));
    assert_eq!(broken["grant"], Value::from(grant));
    assert_eq!(broken["id"], id);
    let events = erin.curfew(["sessions", "export", id]).await.unwrap().stdout;
    assert!(events.contains("select 'before'"), "{events}");
}
