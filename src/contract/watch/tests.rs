use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::contract::fixtures::{AT_ONCE, ORDERS_DEBUG};

fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), text).unwrap();
    folder
}

fn names(contracts: &Contracts) -> Vec<String> {
    contracts.current().iter().map(|contract| contract.name.clone()).collect()
}

#[test]
fn a_change_is_taken_up_when_two_readings_agree() {
    let folder = folder(AT_ONCE);
    let contracts = Contracts::open(folder.path()).unwrap();
    let mut changes = contracts.changes();
    assert!(matches!(contracts.poll(), Reload::Unchanged));
    fs::write(folder.path().join("b.toml"), ORDERS_DEBUG).unwrap();
    assert!(matches!(contracts.poll(), Reload::Unchanged), "seen once");
    assert!(matches!(contracts.poll(), Reload::Replaced { .. }), "seen twice");
    assert_eq!(names(&contracts), ["at-once", "orders-debug"]);
    assert!(
        matches!(changes.try_recv(), Ok(Reload::Replaced { before, now }) if (before.len(), now.len()) == (1, 2))
    );
    assert!(matches!(contracts.poll(), Reload::Unchanged));
    assert!(changes.try_recv().is_err(), "readings that change nothing are not told");
}

#[test]
fn half_a_file_seen_once_is_never_in_force() {
    let folder = folder(ORDERS_DEBUG);
    let contracts = Contracts::open(folder.path()).unwrap();
    // Without what follows [[approve]] it parses, and would grant at once.
    let half = ORDERS_DEBUG.split("[[approve]]").next().unwrap();
    fs::write(folder.path().join("a.toml"), half).unwrap();
    assert!(matches!(contracts.poll(), Reload::Unchanged));
    let whole = ORDERS_DEBUG.replace("count = 1", "count = 2");
    fs::write(folder.path().join("a.toml"), &whole).unwrap();
    assert!(matches!(contracts.poll(), Reload::Unchanged));
    assert!(matches!(contracts.poll(), Reload::Replaced { .. }));
    assert_eq!(contracts.current().find("orders-debug").unwrap().text(), whole);
}

#[test]
fn a_bad_set_is_refused_whole_once_and_the_last_good_one_stays() {
    let folder = folder(AT_ONCE);
    let contracts = Contracts::open(folder.path()).unwrap();
    let mut changes = contracts.changes();
    fs::write(folder.path().join("b.toml"), ORDERS_DEBUG).unwrap();
    fs::write(folder.path().join("c.toml"), "[contract]").unwrap();
    assert!(matches!(contracts.reload(), Reload::Refused { .. }));
    assert_eq!(names(&contracts), ["at-once"]);
    assert!(matches!(changes.try_recv(), Ok(Reload::Refused { .. })));
    for _ in 0..3 {
        assert!(matches!(contracts.poll(), Reload::Unchanged), "the same files are not tried again");
    }
    fs::remove_file(folder.path().join("c.toml")).unwrap();
    contracts.poll();
    assert!(matches!(contracts.poll(), Reload::Replaced { .. }));
}

#[test]
fn a_folder_that_vanishes_leaves_the_set_in_force() {
    let folder = folder(AT_ONCE);
    let contracts = Contracts::open(folder.path()).unwrap();
    fs::remove_dir_all(folder.path()).unwrap();
    contracts.poll();
    assert!(matches!(contracts.poll(), Reload::Refused { .. }));
    assert_eq!(names(&contracts), ["at-once"]);
}

/// Kubernetes mounts `a.toml -> ..data/a.toml`, `..data -> ..1`, and swaps `..data` by a rename.
#[test]
fn links_swapped_behind_the_files_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (version, text) in [("..1", AT_ONCE), ("..2", ORDERS_DEBUG)] {
        fs::create_dir(path(version)).unwrap();
        fs::write(path(version).join("a.toml"), text).unwrap();
    }
    symlink("..1", path("..data")).unwrap();
    symlink("..data/a.toml", path("a.toml")).unwrap();
    let contracts = Contracts::open(folder.path()).unwrap();
    assert_eq!(names(&contracts), ["at-once"]);
    symlink("..2", path("..next")).unwrap();
    fs::rename(path("..next"), path("..data")).unwrap();
    contracts.poll();
    contracts.poll();
    assert_eq!(names(&contracts), ["orders-debug"]);
}

#[tokio::test]
async fn the_watcher_takes_up_a_change_by_itself() {
    let folder = folder(AT_ONCE);
    let contracts = Contracts::open(folder.path()).unwrap();
    let mut changes = contracts.changes();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(Arc::clone(&contracts).watch());
    fs::write(folder.path().join("b.toml"), ORDERS_DEBUG).unwrap();
    assert!(matches!(changes.recv().await, Ok(Reload::Replaced { .. })));
    assert_eq!(names(&contracts), ["at-once", "orders-debug"]);
}
