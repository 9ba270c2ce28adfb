//! Ansible, with the hosts that `curfew ssh-config` wrote for its inventory.

use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use curfew_harness::{python, repository};

use super::desk::Desk;
use super::scene::Scene;

/// A playbook is dozens of commands, each a Python to start.
const LIMIT: Duration = Duration::from_secs(240);

/// Plays the playbook, and looks at what it fetched.
async fn plays(settings: &str) {
    let scene = Scene::at_once("").await;
    let mut desk = Desk::at(&scene).await;
    desk.ssh = desk.ssh.within(LIMIT);
    let here = desk.ssh.path("here");
    fs::create_dir(&here).unwrap();
    fs::write(here.join("copied"), "as it was\n".repeat(100_000)).unwrap();
    fs::write(here.join("template.j2"), "who = {{ ansible_user_id }}\n").unwrap();
    fs::write(desk.ssh.path("inventory"), "web.curfew\n").unwrap();
    let (home, there) = (desk.ssh.home().display(), scene.sshd.folder().display());
    let config = format!(
        "[defaults]\ninventory = {home}/inventory\nlocal_tmp = {home}/tmp\nremote_tmp = {there}/tmp\n\
         interpreter_python = auto_silent\nretry_files_enabled = false\nnocolor = true\n\
         [ssh_connection]\nssh_args = -F {} -o BatchMode=yes -o GlobalKnownHostsFile=none -o ControlMaster=auto \
         -o ControlPersist=30s\ncontrol_path_dir = {home}/cp\n{settings}\n",
        desk.config.display()
    );
    fs::write(desk.ssh.path("ansible.cfg"), config).unwrap();

    let playbook = repository().join("tests/fixtures/ssh/playbook.yml");
    let mut args: Vec<OsString> = vec![format!("ANSIBLE_CONFIG={home}/ansible.cfg").into()];
    args.push(python().with_file_name("ansible-playbook").into());
    for variable in [
        format!("here={}", here.display()),
        format!("there={there}"),
        format!("account={}", scene.sshd.account()),
    ] {
        args.extend(["-e".into(), variable.into()]);
    }
    args.push(playbook.into());
    let played = desk.ssh.program("env", args).await.unwrap();
    assert_eq!(played.code, Some(0), "{}{}", played.stdout, played.stderr);
    assert!(played.stdout.contains("ok=7"), "{}", played.stdout);

    let fetched = |name: &str| fs::read_to_string(here.join("fetched").join(name)).unwrap();
    assert!(fetched("copied") == "as it was\n".repeat(100_000));
    assert_eq!(fetched("rendered"), format!("who = {}\n", scene.sshd.account()));
    assert_eq!(scene.sessions().await, 1, "all of it over one connection");
}

#[tokio::test]
async fn ansible_plays_a_playbook_with_files_by_sftp() {
    plays("pipelining = false\ntransfer_method = sftp").await;
}

#[tokio::test]
async fn ansible_plays_a_playbook_with_pipelining_and_files_by_scp() {
    plays("pipelining = true\ntransfer_method = scp").await;
}
