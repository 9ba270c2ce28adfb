use std::fs;

use crate::contract::fixtures::{AT_ONCE, ORDERS_DEBUG};
use crate::contract::{Contract, ContractSet};

#[test]
fn a_folder_loads_whole() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), ORDERS_DEBUG).unwrap();
    fs::write(folder.path().join("b.toml"), AT_ONCE).unwrap();
    // None of these is a contract: hidden, another kind, a folder.
    fs::write(folder.path().join(".draft.toml"), "x").unwrap();
    fs::write(folder.path().join("a.toml~"), "x").unwrap();
    fs::create_dir(folder.path().join("old.toml")).unwrap();
    let set = ContractSet::load(folder.path()).unwrap();
    assert_eq!(
        set.iter().map(|contract| contract.name.as_str()).collect::<Vec<_>>(),
        ["at-once", "orders-debug"]
    );
    let contract = set.find("orders-debug").unwrap();
    assert!(set.pinned(&contract.pin()).is_some() && set.by_hash(contract.hash()).is_some());
    assert_eq!(Contract::parse("pinned", contract.text()).unwrap().pin(), contract.pin());
    let mut other = contract.pin();
    other.name = "at-once".to_owned();
    assert!(set.pinned(&other).is_none());
}

#[test]
fn one_wrong_file_refuses_the_set_and_every_error_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), ORDERS_DEBUG.replace("count = 1", "count = 0")).unwrap();
    fs::write(folder.path().join("b.toml"), AT_ONCE).unwrap();
    fs::write(folder.path().join("c.toml"), format!("# the same again\n{AT_ONCE}")).unwrap();
    let problems = ContractSet::load(folder.path()).unwrap_err().to_string();
    let problems = problems.replace(&folder.path().display().to_string(), "DIR");
    insta::assert_snapshot!(problems, @r#"
    DIR/a.toml:26:9: `count` must be a whole number from 1 to 20, not 0
    DIR/c.toml:4:8: `name` is taken by DIR/b.toml: names are unique, choose another
    "#);
}

#[test]
fn what_is_no_text_or_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), b"\xff").unwrap();
    let said = |folder: &std::path::Path| ContractSet::load(folder).unwrap_err().to_string();
    assert!(said(folder.path()).contains("a.toml:1:1: not UTF-8"), "{}", said(folder.path()));
    fs::write(folder.path().join("a.toml"), vec![b' '; 300 * 1024]).unwrap();
    assert!(said(folder.path()).contains("longer than 256 KiB"));
    assert!(said(&folder.path().join("none")).contains("check the path"));
}

#[test]
fn the_version_of_a_set_is_that_of_its_contracts_wherever_they_lie() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(one.path().join("a.toml"), AT_ONCE).unwrap();
    fs::write(two.path().join("b.toml"), AT_ONCE).unwrap();
    let version = |folder: &tempfile::TempDir| ContractSet::load(folder.path()).unwrap().version();
    assert_eq!(version(&one), version(&two));
    fs::write(two.path().join("b.toml"), format!("{AT_ONCE}\n")).unwrap();
    assert_ne!(version(&one), version(&two));
}
