//! The gate as a jump host: from the target on to another host, where the contract names it.

use std::ffi::OsString;
use std::fs;

use curfew_harness::psql::Output;
use curfew_harness::sshd::{keygen, public_line};
use curfew_harness::{Ssh, Sshd};

use super::scene::Scene;

/// The host behind, with a key of its own for whoever comes through.
async fn behind() -> Sshd {
    Sshd::start().await.unwrap()
}

/// Hosts as somebody would write them: the gate, and the other one, whose port only the target is asked for.
async fn written(scene: &Scene, other: &Sshd, ssh: &Ssh) {
    keygen(&ssh.path("other")).await.unwrap();
    other.authorize(&public_line(&ssh.path("other.pub")).unwrap()).unwrap();
    let home = ssh.home().display();
    let known = fs::read_to_string(ssh.path("known_hosts")).unwrap();
    fs::write(ssh.path("known_hosts"), format!("{known}other {}\n", other.host_key())).unwrap();
    let config = format!(
        "Host gate\n HostName {}\n Port {}\n User {}\n IdentityFile {home}/id\n\
         Host other\n HostName 127.0.0.1\n Port {}\n User {}\n HostKeyAlias other\n IdentityFile {home}/other\n\
         Host *\n IdentityFile {home}/id\n IdentitiesOnly yes\n IdentityAgent none\n BatchMode yes\n\
         StrictHostKeyChecking yes\n UserKnownHostsFile {home}/known_hosts\n GlobalKnownHostsFile none\n",
        ssh.host(),
        ssh.port(),
        scene.user(),
        other.address().port(),
        other.account(),
    );
    fs::write(ssh.path("config"), config).unwrap();
}

async fn jumps(ssh: &Ssh, by: &str, command: &str) -> Output {
    let config = ssh.path("config");
    let args = ["-F", config.to_str().unwrap(), "-J", by, "other", command].map(OsString::from);
    ssh.program("ssh", args).await.unwrap()
}

#[tokio::test]
async fn ssh_goes_on_through_the_gate_to_a_host_that_the_contract_names() {
    let other = behind().await;
    let port = other.address().port();
    let scene = Scene::at_once(&format!("allow = [\"forward:localhost:{port}\"]")).await;
    let (_alice, ssh) = scene.alice().await;
    written(&scene, &other, &ssh).await;
    // ssh expands percent signs in -J: on its command line the account and the target are joined by an at.
    let at = format!("{}@web@{}:{}", scene.sshd.account(), ssh.host(), ssh.port());
    let doubled = format!("{}@{}:{}", scene.user().replace('%', "%%"), ssh.host(), ssh.port());
    for by in ["gate", &at, &doubled] {
        let said = jumps(&ssh, by, "cat; echo err >&2; exit 5").await;
        assert_eq!((said.code, said.stderr.as_str()), (Some(5), "err\n"), "{by}");
    }
    // Files too.
    let (here, there) = (ssh.path("here"), other.folder().join("there"));
    let contents: Vec<u8> = (0..500_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&here, &contents).unwrap();
    let config = ssh.path("config");
    let (from, to) = (here.to_str().unwrap(), format!("other:{}", there.display()));
    let args = ["-q", "-F", config.to_str().unwrap(), "-J", "gate", from, &to].map(OsString::from);
    ssh.program("scp", args).await.unwrap().success().unwrap();
    assert!(fs::read(&there).unwrap() == contents);
    scene.recorded(&format!(r#""command":"127.0.0.1:{port}""#)).await;
}

#[tokio::test]
async fn ssh_goes_on_to_no_other_host_or_port_and_not_back_into_the_gate() {
    let other = behind().await;
    let scene =
        Scene::at_once("allow = [\"exec\", \"forward:localhost:1\", \"forward:db.internal:*\"]").await;
    let (_alice, ssh) = scene.alice().await;
    written(&scene, &other, &ssh).await;
    let said = jumps(&ssh, "gate", "echo there").await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(255), ""));
    let why = "administratively prohibited: curfew: this contract does not allow that forward";
    assert!(said.stderr.contains(why), "{}", said.stderr);
    assert!(!other.logs().lines().iter().any(|line| line.text.contains("Connection from")));
    for port in [ssh.port(), scene.gate.postgres().port(), scene.gate.metrics().port()] {
        let own = format!("127.0.0.1:{port}");
        let said = ssh.run(&scene.user(), ["-o", "BatchMode=yes", "-W", &own, "--"]).await.unwrap();
        assert!(said.code != Some(0) && said.stderr.contains(why), "{own}: {}", said.stderr);
    }
}
