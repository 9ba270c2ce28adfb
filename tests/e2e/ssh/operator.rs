//! What an operator types: `targets add-ssh` for a host that is to be reached through the gate alone, and `targets check`
//! to see that it is.

use std::fs;

use curfew_harness::psql::Output;
use curfew_harness::sshd::{keygen, public_line};
use curfew_harness::{Ssh, Sshd};

use super::scene::Scene;

/// ssh straight to the host, past the gate, with the account's own key.
async fn past_the_gate(ssh: &Ssh, sshd: &Sshd) -> Output {
    let key = format!("[127.0.0.1]:{} {}\n", sshd.address().port(), sshd.host_key());
    fs::write(ssh.path("known_hosts"), key).unwrap();
    ssh.run(sshd.account(), ["-o", "BatchMode=yes", "--", "echo around"]).await.unwrap()
}

#[tokio::test]
async fn the_lines_of_add_ssh_leave_no_way_in_but_the_gate_and_check_says_so() {
    let scene = Scene::at_once("").await;
    let (alice, through) = scene.alice().await;
    let sshd = &scene.sshd;
    let around = Ssh::to(sshd.address(), "").unwrap();
    keygen(&around.path("id")).await.unwrap();
    let public = around.path("id.pub");
    sshd.authorize(&public_line(&public).unwrap()).unwrap();
    assert_eq!(past_the_gate(&around, sshd).await.stdout, "around\n");

    let config = scene.gate.config();
    let config = config.to_str().unwrap();
    let check = async || {
        let key = public.to_str().unwrap();
        scene.gate.curfew(["targets", "check", "web", "--config", config, "--key", key]).await.unwrap()
    };
    let open = check().await;
    assert_eq!(open.code, Some(1), "{}{}", open.stdout, open.stderr);
    assert!(
        open.stdout.contains("OPEN") && open.stdout.contains("is taken (AuthorizedKeysFile none)"),
        "{}",
        open.stdout
    );
    assert!(open.stdout.contains("a certificate of the gate is taken"), "{}", open.stdout);
    assert!(open.stdout.contains("a certificate for another account is refused"), "{}", open.stdout);

    // With the configuration at hand, and from afar with what the gate tells: the same lines.
    let address = sshd.address().to_string();
    let account = sshd.account();
    let asked =
        ["targets", "add-ssh", "web", "--address", &address, "--as", account, "--json", "--config", config];
    let said = scene.gate.curfew(asked).await.unwrap().success().unwrap().stdout;
    let lines: serde_json::Value = serde_json::from_str(&said).unwrap();
    let from_afar = ["targets", "add-ssh", "web", "--address", &address, "--as", account, "--json"];
    assert_eq!(alice.json(from_afar).await.unwrap(), lines);

    // As they are told to be pasted: the key into its file, the lines at the top. What trusted the gate before goes.
    let authority = sshd.folder().join("curfew-sessions.pub");
    fs::write(&authority, lines["authority"].as_str().unwrap()).unwrap();
    let pasted = lines["sshd_config"].as_str().unwrap();
    assert!(pasted.contains("/etc/ssh/curfew-sessions.pub"), "{pasted}");
    let pasted = pasted.replace("/etc/ssh/curfew-sessions.pub", authority.to_str().unwrap());
    sshd.trust("").unwrap();
    sshd.configure(&pasted).await.unwrap();

    let refused = past_the_gate(&around, sshd).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(255), ""), "{}", refused.stderr);
    let silent = through.run(&scene.user(), ["-o", "BatchMode=yes", "--", "echo through"]).await.unwrap();
    assert_eq!(silent.stdout, "through\n", "{}", silent.stderr);
    let closed = check().await;
    assert_eq!(closed.code, Some(0), "{}{}", closed.stdout, closed.stderr);
    assert!(!closed.stdout.contains("OPEN") && closed.stdout.contains("is refused"), "{}", closed.stdout);
}

#[tokio::test]
async fn check_tells_a_wrong_host_and_open_passwords_and_shows_nothing_to_the_wrong_host() {
    let scene = Scene::at_once("").await;
    scene.sshd.configure("PasswordAuthentication yes\nKbdInteractiveAuthentication yes").await.unwrap();
    let check = async |config: &str| {
        let args = ["targets", "check", "web", "--config", config];
        scene.gate.curfew(args).await.unwrap()
    };
    let config = scene.gate.config();
    let open = check(config.to_str().unwrap()).await;
    assert_eq!(open.code, Some(1), "{}{}", open.stdout, open.stderr);
    assert!(open.stdout.contains("passwords are taken (PasswordAuthentication no)"), "{}", open.stdout);
    assert!(open.stderr.contains("--key FILE.pub"), "{}", open.stderr);

    let other = Sshd::start().await.unwrap();
    let text = fs::read_to_string(&config).unwrap().replace(scene.sshd.host_key(), other.host_key());
    let changed = config.with_file_name("changed.toml");
    fs::write(&changed, text).unwrap();
    let wrong = check(changed.to_str().unwrap()).await;
    assert_eq!(wrong.code, Some(1), "{}{}", wrong.stdout, wrong.stderr);
    assert!(wrong.stdout.contains("it is not the host that `host_keys` knows"), "{}", wrong.stdout);
    assert!(!wrong.stdout.contains("certificate"), "{}", wrong.stdout);
}
