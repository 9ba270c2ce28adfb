//! What a contract does not allow.

use super::ssh::text;
use super::{Fixture, PATIENCE};
use std::fs;
use std::process::Stdio;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

async fn with(words: &[&str]) -> Fixture {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Fixture::new(|script| script.allow = words).await
}

impl Fixture {
    fn refusals(&self) -> Vec<String> {
        self.core
            .sink()
            .of_kind("refused")
            .iter()
            .map(|event| event["what"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Teleport 11.0.1 and GHSA-c9v7: what one kind of channel may not do, another did.
#[tokio::test]
async fn teleport_11_0_1_no_kind_of_channel_escapes_what_the_contract_allows() {
    for words in [&["shell"][..], &["exec"], &["sftp"], &["sftp:read"], &["agent"], &[]] {
        let fixture = with(words).await;
        let allowed = |word: &str| words.contains(&word);
        let shell = fixture.ssh.run("ssh", &["-T", "web-1"]).await;
        let denied = "curfew: this contract does not allow shells here";
        if allowed("shell") {
            assert_eq!(shell.status, Some(0), "{words:?} {shell:?}");
        } else {
            let told = shell.out.contains(denied) || shell.err.contains(denied);
            assert!(told && shell.status == Some(126), "{words:?} {shell:?}");
        }
        let exec = fixture.ssh.run("ssh", &["web-1", "echo ran"]).await;
        assert_eq!(exec.out == "ran\n", allowed("exec"), "{words:?} {exec:?}");
        assert_eq!(exec.err.contains("does not allow commands"), !allowed("exec"), "{words:?} {exec:?}");
        let here = fixture.ssh.path("here");
        fs::write(&here, "contents").unwrap();
        for (protocol, may) in [("-s", allowed("sftp")), ("-O", allowed("exec"))] {
            let there = fixture.sshd.home.path().join(format!("put{protocol}"));
            let put =
                fixture.ssh.run("scp", &[protocol, &text(&here), &format!("web-1:{}", text(&there))]).await;
            assert_eq!((put.status == Some(0), there.exists()), (may, may), "{words:?} {protocol} {put:?}");
        }
        let source = fixture.sshd.home.path().join("authority.pub");
        fs::set_permissions(&source, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let back = fixture.ssh.path("back");
        let got = fixture.ssh.run("scp", &["-s", &format!("web-1:{}", text(&source)), &text(&back)]).await;
        let may = allowed("sftp") || allowed("sftp:read");
        assert_eq!((got.status == Some(0), back.exists()), (may, may), "{words:?} {got:?}");
    }
}

/// A transfer that was told by its command's prefix (`scp `) went unrecorded, and what stood behind it too.
#[tokio::test]
async fn a_command_that_begins_like_a_transfer_is_a_command() {
    for (words, runs) in [(&["sftp"][..], false), (&["exec"], true)] {
        let fixture = with(words).await;
        let done = fixture.ssh.run("ssh", &["web-1", "scp ;echo ran"]).await;
        assert_eq!(done.out == "ran\n", runs, "{words:?} {done:?}");
        if runs {
            let channel = &fixture.recorded("channel", 1).await[0];
            assert_eq!((&channel["purpose"], &channel["command"]), (&"exec".into(), &"scp ;echo ran".into()));
            fixture.recorded("channel_end", 1).await;
            assert!(fixture.core.sink().of_kind("output").iter().any(|event| event["data"] == "ran\n"));
        } else {
            assert_eq!(fixture.refusals(), ["exec scp ;echo ran"]);
        }
    }
}

#[tokio::test]
async fn who_may_only_read_files_is_told_so_by_operation() {
    let fixture = with(&["sftp:read"]).await;
    let (here, there) = (fixture.ssh.path("here"), fixture.sshd.home.path().join("there"));
    fs::write(&here, "contents").unwrap();
    let put = fixture.ssh.run("scp", &["-s", &text(&here), &format!("web-1:{}", text(&there))]).await;
    assert!(put.err.contains("ermission denied"), "{put:?}");
    assert!(!there.exists());
    let files = fixture.recorded("file", 1).await;
    assert!(files.iter().any(|file| file["op"] == "put" && file["path"] == text(&there)), "{files:?}");
}

#[tokio::test]
async fn operations_on_files_are_recorded_with_bytes_and_hash() {
    let fixture = with(&["sftp"]).await;
    let (here, there) = (fixture.ssh.path("here"), fixture.sshd.home.path().join("there"));
    fs::write(&here, vec![b'x'; 1_000_000]).unwrap();
    let remote = format!("web-1:{}", text(&there));
    assert_eq!(fixture.ssh.run("scp", &["-s", &text(&here), &remote]).await.status, Some(0));
    assert_eq!(
        fixture.ssh.run("scp", &["-s", &remote, &text(&fixture.ssh.path("back"))]).await.status,
        Some(0)
    );
    fixture.recorded("channel_end", 2).await;
    let files = fixture.core.sink().of_kind("file");
    for op in ["put", "get"] {
        let file = files.iter().find(|file| file["op"] == op).unwrap_or_else(|| panic!("{op} in {files:?}"));
        assert_eq!((file["path"].as_str(), file["bytes"].as_u64()), (Some(&*text(&there)), Some(1_000_000)));
        assert!(file["sha256"].as_str().is_some_and(|hash| hash.len() == 64), "{file}");
    }
}

/// Teleport 11.1.4: direct-tcpip skipped access control.
#[tokio::test]
async fn teleport_11_1_4_forwards_need_their_word() {
    let fixture = with(&["shell", "exec", "sftp", "forward:db.internal:5432", "forward:localhost:1"]).await;
    for to in ["127.0.0.1:22", "169.254.169.254:80", "[::1]:80", "db.internal:22", "DB.internal.evil:5432"] {
        let done = fixture.ssh.run("ssh", &["-W", to, "web-1"]).await;
        let told = "administratively prohibited: curfew: this contract does not allow that forward";
        assert!(done.err.contains(told), "{to} {done:?}");
    }
    assert_eq!(fixture.refusals().len(), 5, "{:?}", fixture.refusals());
    // An allowed one is the target's to open, and the target says what became of it.
    let done = fixture.ssh.run("ssh", &["-W", "localhost:1", "web-1"]).await;
    assert!(done.err.contains("open failed: connect failed"), "{done:?}");
}

#[tokio::test]
async fn a_port_of_the_target_needs_its_word() {
    let fixture = with(&["exec", "reverse:1"]).await;
    let asked = ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9", "web-1", "true"];
    let done = fixture.ssh.run("ssh", &asked).await;
    assert!(done.err.contains("remote port forwarding failed") && done.status == Some(255), "{done:?}");
    assert_eq!(fixture.refusals(), ["reverse 0"]);
}

#[tokio::test]
async fn x11_and_sockets_are_passed_on_to_nobody() {
    let fixture = with(&["shell", "exec", "forward:localhost:*", "reverse:*"]).await;
    let mut command = fixture.ssh.command("ssh", &["-Y", "web-1", "echo <$DISPLAY>"]);
    let done = command.env("DISPLAY", "127.0.0.1:9").stdin(Stdio::null()).output();
    let done = super::ssh::Done::from(timeout(PATIENCE, done).await.unwrap().unwrap());
    assert!(!done.out.contains(':'), "{done:?}");
    let local = format!("{}:/run/socket", text(&fixture.ssh.path("l")));
    let mut child = fixture.ssh.start("ssh", &["-N", "-L", &local, "web-1"]);
    let mut near = super::connected(&fixture.ssh.path("l")).await;
    let mut got = Vec::new();
    timeout(PATIENCE, near.read_to_end(&mut got)).await.unwrap().unwrap();
    assert!(got.is_empty());
    let asked = ["-o", "ExitOnForwardFailure=yes", "-R", "/tmp/s:127.0.0.1:9", "web-1", "true"];
    let done = fixture.ssh.run("ssh", &asked).await;
    assert_eq!(done.status, Some(255), "{done:?}");
    let refusals = fixture.refusals();
    assert!(refusals.iter().any(|what| what.starts_with("forward to the socket")), "{refusals:?}");
    assert!(refusals.iter().any(|what| what.starts_with("reverse forward of the socket")), "{refusals:?}");
    child.kill().await.unwrap();
}
