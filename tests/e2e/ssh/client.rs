//! The way of the command line: `curfew login`, `curfew ssh-config`, and then programs that know nothing of Curfew.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use curfew_harness::process::{Stop, command};
use curfew_harness::{Process, until};
use tokio::net::UnixStream;

use super::desk::Desk;
use super::scene::Scene;
use crate::world::LIMIT;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn ssh_scp_and_sftp_are_silent_with_the_written_hosts() {
    let scene = Scene::at_once("").await;
    let desk = Desk::at(&scene).await;
    let full = format!("{}.web.curfew", scene.sshd.account());
    for host in ["web.curfew", &full] {
        let said = desk.runs("ssh", [host, "echo silent; exit 7"]).await;
        assert_eq!(
            (said.code, said.stdout.as_str(), said.stderr.as_str()),
            (Some(7), "silent\n", ""),
            "{host}"
        );
    }
    let (here, there, back) =
        (desk.ssh.path("here"), scene.sshd.folder().join("there"), desk.ssh.path("back"));
    let contents: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&here, &contents).unwrap();
    let remote = format!("web.curfew:{}", there.display());
    desk.runs("scp", ["-q", text(&here), &remote]).await.success().unwrap();
    desk.runs("scp", ["-q", "-O", &remote, text(&back)]).await.success().unwrap();
    assert!(fs::read(&there).unwrap() == contents && fs::read(&back).unwrap() == contents);
    let batch = desk.ssh.path("batch");
    fs::write(&batch, format!("get {} {}\nrm {}\n", there.display(), back.display(), there.display()))
        .unwrap();
    desk.runs("sftp", ["-q", "-b", text(&batch), "web.curfew"]).await.success().unwrap();
    assert!(fs::read(&back).unwrap() == contents && !there.exists());
}

/// The guide says what these lines mean, as ssh can be told nothing else.
#[tokio::test]
async fn in_batch_mode_who_has_no_access_is_told_apart_from_who_is_not_known() {
    let scene = Scene::at_once("").await;
    let alice = scene.gate.person("alice").unwrap();
    alice.login().await.unwrap();
    let told = alice.json(["ssh-config", "--json"]).await.unwrap();
    let config = told["include"].as_str().unwrap().into();
    let desk = Desk { alice, ssh: scene.ssh(), config };
    let said = desk.runs("ssh", ["web.curfew", "echo in"]).await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(255), ""));
    assert!(said.stderr.ends_with(": Permission denied (keyboard-interactive).\n"), "{}", said.stderr);
    let stranger = desk.ssh.run(&scene.user(), ["-o", "BatchMode=yes", "--", "echo in"]).await.unwrap();
    let unknown = ": Permission denied (publickey,keyboard-interactive).\n";
    assert!(stranger.code == Some(255) && stranger.stderr.ends_with(unknown), "{}", stranger.stderr);
    // Without it, ssh shows what it is told, and where to ask, even where nobody can type.
    let shown = desk.ssh.run(&scene.user(), ["echo in"]).await.unwrap();
    assert_eq!((shown.code, shown.stdout.as_str()), (Some(255), ""));
    assert!(shown.stderr.contains(&format!("{}/link/", scene.gate.url())), "{}", shown.stderr);
}

#[tokio::test]
async fn rsync_and_git_know_the_written_hosts_by_their_names() {
    let scene = Scene::at_once("").await;
    let desk = Desk::at(&scene).await;
    let shell = format!("ssh -F {} -o BatchMode=yes", desk.config.display());
    let (tree, there) = (desk.ssh.path("tree"), scene.sshd.folder().join("tree"));
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("file"), "as it is").unwrap();
    let (from, to) = (format!("{}/", tree.display()), format!("web.curfew:{}", there.display()));
    let args = ["-a", "-e", &shell, &from, &to].map(OsString::from);
    desk.ssh.program("rsync", args).await.unwrap().success().unwrap();
    assert_eq!(fs::read_to_string(there.join("file")).unwrap(), "as it is");

    let bare = scene.sshd.folder().join("bare.git");
    let init = format!("git init -q --bare {}", bare.display());
    desk.runs("ssh", ["web.curfew", &init]).await.success().unwrap();
    let (option, url) = (format!("core.sshCommand={shell}"), format!("ssh://web.curfew{}", bare.display()));
    let clone = desk.ssh.path("clone");
    let args = ["-c", &option, "clone", "-q", &url, text(&clone)].map(OsString::from);
    desk.ssh.program("git", args).await.unwrap().success().unwrap();
    assert!(clone.join(".git").is_dir());
}

#[tokio::test]
async fn curfew_ssh_is_ssh_signed_in() {
    let scene = Scene::at_once("").await;
    let desk = Desk::at(&scene).await;
    let said = desk.alice.curfew(["ssh", "web", "--", "echo there; exit 5"]).await.unwrap();
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(5), "there\n", ""));
    let said = desk.alice.curfew(["ssh", "wbe", "--", "true"]).await.unwrap();
    assert!(said.code == Some(1) && said.stderr.contains("did you mean `web`?"), "{}", said.stderr);
    let said = desk.alice.curfew(["psql", "web"]).await.unwrap();
    assert!(said.code == Some(2) && said.stderr.contains("curfew ssh web"), "{}", said.stderr);
}

#[tokio::test]
async fn what_is_stale_is_renewed_while_ssh_starts() {
    let scene = Scene::at_once("").await;
    let desk = Desk::at(&scene).await;
    // As if the targets had come after the hosts were written, and the certificate had been lost.
    let hosts = fs::read_to_string(desk.file("ssh_hosts")).unwrap();
    let certificate = fs::read_to_string(desk.file("id_curfew-cert.pub")).unwrap();
    fs::write(desk.file("ssh_hosts"), "").unwrap();
    fs::remove_file(desk.file("id_curfew-cert.pub")).unwrap();
    let said = desk.runs("ssh", ["web.curfew", "echo silent"]).await;
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("silent\n", ""), "{:?}", said.code);
    assert_eq!(fs::read_to_string(desk.file("ssh_hosts")).unwrap(), hosts);
    assert_ne!(fs::read_to_string(desk.file("id_curfew-cert.pub")).unwrap(), certificate);
}

#[tokio::test]
async fn a_renewal_that_fails_keeps_nobody_from_connecting() {
    let scene = Scene::at_once("").await;
    let desk = Desk::at(&scene).await;
    desk.age();
    fs::write(desk.file("token"), "no token\n").unwrap();
    for _ in 0..2 {
        let said = desk.runs("ssh", ["web.curfew", "echo silent"]).await;
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("silent\n", ""), "{:?}", said.code);
    }
    // Nor does a curfew that is gone.
    let entry = fs::read_to_string(&desk.config).unwrap();
    fs::write(&desk.config, entry.replace("/curfew' ssh-config", "/gone' ssh-config")).unwrap();
    let said = desk.runs("ssh", ["web.curfew", "echo silent"]).await;
    assert_eq!(said.stdout, "silent\n", "{}", said.stderr);
}

#[tokio::test]
async fn the_line_goes_into_the_configuration_once() {
    let scene = Scene::at_once("").await;
    let desk = Desk::at(&scene).await;
    let own = desk.alice.home().join(".ssh/config");
    for _ in 0..2 {
        desk.alice.curfew(["ssh-config", "--install"]).await.unwrap().success().unwrap();
    }
    let line = desk.alice.curfew(["ssh-config"]).await.unwrap().success().unwrap().stdout;
    assert_eq!(fs::read_to_string(&own).unwrap(), line);
    assert_eq!(line, format!("Include \"{}\"\n", desk.config.display()));
    let args = ["-F", text(&own), "-o", "BatchMode=yes", "web.curfew", "echo silent"].map(OsString::from);
    let said = desk.ssh.program("ssh", args).await.unwrap();
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("silent\n", ""));
}

#[tokio::test]
async fn an_agent_holds_the_key_until_logout() {
    let scene = Scene::at_once("").await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent");
    let mut agent = command("ssh-agent", Stop::Kill, None);
    agent.arg("-D").arg("-a").arg(&socket);
    let _agent = Process::spawn("ssh-agent", agent, Stop::Kill).unwrap();
    // Its name is there a moment before it listens.
    until("the agent", LIMIT, async || UnixStream::connect(&socket).await.ok()).await.unwrap();
    let alice = scene.gate.person("alice").unwrap().with("SSH_AUTH_SOCK", &socket);
    let desk = Desk::of(&scene, alice).await;

    let list = async || {
        let variable = format!("SSH_AUTH_SOCK={}", socket.display());
        let args = [variable.as_str(), "ssh-add", "-l"].map(OsString::from);
        desk.ssh.program("env", args).await.unwrap()
    };
    let held = list().await;
    assert!(held.stdout.contains("ED25519-CERT"), "{}{}", held.stdout, held.stderr);
    let known = desk.ssh.path("known");
    fs::copy(desk.file("known_hosts"), &known).unwrap();
    let port = desk.ssh.port().to_string();
    let by_agent = async || {
        let options = [
            format!("IdentityAgent={}", socket.display()),
            format!("UserKnownHostsFile={}", known.display()),
            "GlobalKnownHostsFile=none".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "IdentityFile=none".to_owned(),
            "BatchMode=yes".to_owned(),
        ];
        let mut args = vec!["-F".to_owned(), "none".to_owned()];
        args.extend(options.into_iter().flat_map(|option| ["-o".to_owned(), option]));
        let host = desk.ssh.host().to_owned();
        args.extend([
            "-p".to_owned(),
            port.clone(),
            "-l".to_owned(),
            scene.user(),
            host,
            "echo by agent".to_owned(),
        ]);
        desk.ssh.program("ssh", args.into_iter().map(OsString::from)).await.unwrap()
    };
    let said = by_agent().await;
    assert_eq!(said.stdout, "by agent\n", "{}", said.stderr);

    // A renewal leaves one certificate in the agent, not two.
    fs::remove_file(desk.file("known_hosts")).unwrap();
    desk.alice.curfew(["ssh-config"]).await.unwrap().success().unwrap();
    let held = list().await;
    assert_eq!(held.stdout.matches("ED25519-CERT").count(), 1, "{}", held.stdout);

    desk.alice.curfew(["logout"]).await.unwrap().success().unwrap();
    let left = list().await;
    assert!(left.stdout.contains("no identities"), "{}{}", left.stdout, left.stderr);
    assert_ne!(by_agent().await.code, Some(0));
}

#[tokio::test]
async fn logout_makes_every_copy_of_the_certificate_worthless_at_once() {
    let scene = Scene::at_once("").await;
    let desk = Desk::at(&scene).await;
    for name in ["id_curfew", "id_curfew-cert.pub"] {
        fs::copy(desk.file(name), desk.ssh.path(&name.replace("id_curfew", "id"))).unwrap();
    }
    let silent = ["-o", "BatchMode=yes", "--", "echo by a copy"];
    let said = desk.ssh.run(&scene.user(), silent).await.unwrap();
    assert_eq!(said.stdout, "by a copy\n", "{}", said.stderr);
    let mut live =
        desk.ssh.spawn(&scene.user(), ["-o", "BatchMode=yes", "--", "echo begun; sleep 600"]).unwrap();
    live.logs().wait_for("begun", LIMIT).await.unwrap();

    desk.alice.curfew(["logout"]).await.unwrap().success().unwrap();
    live.ended(LIMIT).await.unwrap();
    for name in ["id_curfew", "id_curfew.pub", "id_curfew-cert.pub", "token"] {
        assert!(!desk.file(name).exists(), "{name} is still there");
    }
    let said = desk.ssh.run(&scene.user(), silent).await.unwrap();
    assert_eq!((said.code, said.stdout.as_str()), (Some(255), ""), "{}", said.stderr);
    let said = desk.runs("ssh", ["web.curfew", "echo still in"]).await;
    assert_eq!((said.code, said.stdout.as_str()), (Some(255), ""), "{}", said.stderr);
}

#[tokio::test]
async fn bound_keys_are_listed_and_revoked_by_how_they_begin() {
    let scene = Scene::at_once("").await;
    let (alice, ssh) = scene.alice().await;
    let auditor = scene.gate.person("erin").unwrap();
    auditor.login().await.unwrap();
    let listed = alice.curfew(["keys"]).await.unwrap().success().unwrap().stdout;
    assert!(listed.contains("SHA256:") && listed.contains("alice@example.com"), "{listed}");
    let all = auditor.json(["keys", "--all", "--json"]).await.unwrap();
    let fingerprint = all["items"][0]["fingerprint"].as_str().unwrap();
    assert!(listed.contains(fingerprint), "{listed}");
    assert_eq!(auditor.json(["keys", "--json"]).await.unwrap()["items"].as_array().unwrap().len(), 0);
    let said = alice.curfew(["keys", "--all"]).await.unwrap();
    assert_eq!(said.code, Some(1), "{}", said.stdout);

    let said = alice.curfew(["keys", "revoke", "SHA256:"]).await.unwrap();
    assert_eq!(said.code, Some(1), "{}", said.stdout);
    let (begin, _) = fingerprint.split_at("SHA256:".len() + 6);
    let said = alice.curfew(["keys", "revoke", begin]).await.unwrap().success().unwrap();
    assert!(said.stdout.contains(fingerprint), "{}", said.stdout);
    let refused = ssh.run(&scene.user(), ["-o", "BatchMode=yes", "--", "true"]).await.unwrap();
    assert_eq!(refused.code, Some(255), "{}", refused.stderr);
    assert!(alice.curfew(["keys"]).await.unwrap().stdout.is_empty());
}
