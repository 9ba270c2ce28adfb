//! A disk that is full: a sentence for everybody, nothing lost, and work goes on when there is room again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use curfew_harness::Terminal;
use serde_json::Value;

use super::with_grant;
use crate::world::{LIMIT, World};

/// No file of the gate may grow beyond so many bytes, as on a disk without room; or any may again.
fn room(world: &World, bytes: &str) {
    let pid = world.gate.pid().unwrap().to_string();
    let done =
        Command::new("prlimit").args(["--pid", &pid]).arg(format!("--fsize={bytes}:unlimited")).status();
    assert!(done.unwrap().success());
}

#[tokio::test]
async fn a_full_disk_is_told_in_a_sentence_and_nothing_is_lost() {
    // A write beyond the limit is an error like any other only for a program that ignores the signal.
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("curfew");
    let binary = env!("CARGO_BIN_EXE_curfew");
    fs::write(&wrapper, format!("#!/bin/sh\nexec env --ignore-signal=XFSZ {binary} \"$@\"\n")).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let (world, alice, grant) = with_grant(|options| {
        let mut limited = curfew_harness::GateOptions::new(&wrapper);
        limited.record.clone_from(&options.record);
        limited.tables.clone_from(&options.tables);
        limited.contracts.clone_from(&options.contracts);
        limited
    })
    .await;
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

    room(&world, "1");
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

    room(&world, "unlimited");
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
