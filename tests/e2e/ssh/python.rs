//! The SSH libraries of Python, each put through everything that it is used for by a script of tests/fixtures/ssh.

use std::ffi::OsString;
use std::path::Path;

use curfew_harness::gate::address;
use curfew_harness::psql::Output;
use curfew_harness::{Ssh, python, repository};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::desk::Desk;
use super::scene::Scene;
use crate::world::LIMIT;

/// What the tours do.
const ALLOW: &str = r#"allow = ["shell", "exec", "sftp", "forward:localhost:*", "reverse:*"]"#;

/// Where the gate is and who comes, as the scripts are told it; with the key `id` of this home folder.
pub async fn told(scene: &Scene, ssh: &Ssh) -> Value {
    json!({
        "host": ssh.host(),
        "port": ssh.port(),
        "user": scene.user(),
        "key": ssh.path("id"),
        "certificate": "",
        "host_key": scene.host_key(ssh).await,
        "known_hosts": ssh.path("known_hosts"),
        "folder": scene.sshd.folder(),
    })
}

/// How a script of tests/fixtures/ssh is called.
pub fn script(name: &str, told: &Value) -> [OsString; 3] {
    let path = repository().join("tests/fixtures/ssh").join(name);
    // Without its cache: nothing is written beside the scripts.
    ["-B".into(), path.into(), told.to_string().into()]
}

/// Runs a script to its end, and gives what it said.
pub async fn run(ssh: &Ssh, name: &str, told: &Value) -> (Output, Vec<Value>) {
    let done = ssh.program(text(&python()), script(name, told)).await.unwrap();
    assert_eq!(done.code, Some(0), "{name}: {}{}", done.stdout, done.stderr);
    let said: Vec<Value> = done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(said.last().unwrap(), &json!({ "done": true }));
    (done, said)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What it put and got is in the recording with its path and hash.
async fn recorded(scene: &Scene, said: &[Value]) {
    let file = said.iter().find(|line| line["sha256"].is_string()).unwrap();
    for what in ["path", "sha256"] {
        scene.recorded(file[what].as_str().unwrap()).await;
    }
}

#[tokio::test]
async fn paramiko_does_all_that_it_can_with_a_bound_key() {
    let scene = Scene::at_once(ALLOW).await;
    let (_alice, ssh) = scene.alice().await;
    let (done, said) = run(&ssh, "paramiko_tour.py", &told(&scene, &ssh).await).await;
    assert!(done.stderr.contains("this contract does not allow that forward"), "{}", done.stderr);
    assert_eq!(scene.sessions().await, 2, "one that bound the key, and one for all of the tour");
    recorded(&scene, &said).await;
}

#[tokio::test]
async fn asyncssh_does_all_that_it_can_with_a_certificate() {
    let scene = Scene::at_once(ALLOW).await;
    let desk = Desk::at(&scene).await;
    let mut told = told(&scene, &desk.ssh).await;
    told["key"] = json!(desk.file("id_curfew"));
    told["certificate"] = json!(desk.file("id_curfew-cert.pub"));
    let (_, said) = run(&desk.ssh, "asyncssh_tour.py", &told).await;
    let refused = said.iter().find_map(|line| line["refused"].as_str()).unwrap();
    assert_eq!(refused, "curfew: this contract does not allow that forward");
    assert_eq!(scene.sessions().await, 1);
    recorded(&scene, &said).await;
}

#[tokio::test]
async fn paramiko_without_a_key_is_signed_in_by_link_and_digits() {
    let scene = Scene::at_once("").await;
    let alice = scene.gate.person("alice").unwrap();
    alice.login().await.unwrap();
    scene.grant(&alice, "30m").await;
    let ssh = scene.ssh();
    let args = script("paramiko_interactive.py", &told(&scene, &ssh).await);
    let mut client = ssh.start(text(&python()), args).unwrap();
    let mut keyboard = client.take_stdin().unwrap();
    let links = format!("{}/link/", scene.gate.url());
    let link = client.logs().find("a link", LIMIT, |line| address(&told_by(&line.text)?, &links));
    let link = link.await.unwrap();
    client.logs().wait_for("the six digits that the page shows", LIMIT).await.unwrap();
    let page = alice.consent(&link).await.unwrap();
    let digits = page.digits().unwrap();
    keyboard.write_all(format!("{digits}\n").as_bytes()).await.unwrap();
    client.logs().wait_for(r#"{"done": true}"#, LIMIT).await.unwrap();
    assert!(client.ended(LIMIT).await.unwrap().success());
}

/// What the gate told a script.
fn told_by(line: &str) -> Option<String> {
    serde_json::from_str::<Value>(line).ok()?["told"].as_str().map(str::to_owned)
}
