//! What runs over a session, and what is recorded of it.

use super::ssh::{Done, account, text};
use super::{Fixture, PATIENCE, eventually};
use curfew_adapter::{EndReason, ResultPolicy};
use curfew_conformance::Script;
use serde_json::Value;
use std::fs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio::time::timeout;

fn allow(words: &[&str]) -> impl FnOnce(&mut Script) {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    move |script| script.allow = words
}

/// Closes what a client reads, and waits for its end.
async fn finish(mut child: Child) -> Done {
    drop(child.stdin.take());
    timeout(PATIENCE, child.wait_with_output()).await.expect("an end").unwrap().into()
}

/// Everything that one stream showed, as the recording has it.
fn shown(events: &[Value], err: bool) -> String {
    let of = |event: &&Value| event["err"].as_bool().unwrap_or(false) == err;
    events.iter().filter(of).map(|event| event["data"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_command_runs_and_its_streams_status_and_recording_are_whole() {
    let fixture = Fixture::new(|_| ()).await;
    let done = fixture.ssh.run("ssh", &["web-1", "echo out; echo err >&2; exit 7"]).await;
    assert_eq!((done.status, &*done.out, &*done.err), (Some(7), "out\n", "err\n"), "{done:?}");
    let closing = fixture.core.closing().await;
    assert_eq!(closing.reason, EndReason::ClientClosed);
    let channel = &fixture.core.sink().of_kind("channel")[0];
    assert_eq!((channel["ch"].as_u64(), channel["purpose"].as_str()), (Some(1), Some("exec")));
    assert_eq!(channel["command"], "echo out; echo err >&2; exit 7");
    let output = fixture.core.sink().of_kind("output");
    assert_eq!((shown(&output, false), shown(&output, true)), ("out\n".to_owned(), "err\n".to_owned()));
    let end = &fixture.core.sink().of_kind("channel_end")[0];
    assert_eq!(
        (end["status"].as_u64(), end["output"].as_u64(), end["errors"].as_u64()),
        (Some(7), Some(4), Some(4))
    );
}

#[tokio::test]
async fn a_command_reads_what_it_is_sent_to_the_end() {
    let fixture = Fixture::new(|script| script.input = true).await;
    let mut child = fixture.ssh.start("ssh", &["web-1", "wc -c"]);
    child.stdin.as_mut().unwrap().write_all(&vec![b'x'; 5_000_000]).await.unwrap();
    assert_eq!(finish(child).await.out.trim(), "5000000");
    let end = &fixture.recorded("channel_end", 1).await[0];
    assert_eq!(end["input"].as_u64(), Some(5_000_000));
    assert!(fixture.core.sink().of_kind("input").is_empty(), "a command's input is not typed");
}

#[tokio::test]
async fn of_a_commands_output_the_beginning_is_recorded_unless_the_contract_wants_all() {
    for (results, expected) in [(ResultPolicy::None, 1024 * 1024), (ResultPolicy::Full, 3_000_000)] {
        let fixture = Fixture::new(|script| script.results = results).await;
        let done = fixture.ssh.run("ssh", &["web-1", "head -c 3000000 /dev/zero | tr '\\0' x"]).await;
        assert_eq!(done.out.len(), 3_000_000);
        let end = &fixture.recorded("channel_end", 1).await[0];
        assert_eq!(end["output"].as_u64(), Some(3_000_000));
        assert_eq!(shown(&fixture.core.sink().of_kind("output"), false).len(), expected);
    }
}

#[tokio::test]
async fn a_signal_that_ends_a_command_is_passed_on_and_recorded() {
    let fixture = Fixture::new(|_| ()).await;
    let done = fixture.ssh.run("ssh", &["web-1", "kill -TERM $$"]).await;
    assert_eq!(done.status, Some(255));
    let end = &fixture.recorded("channel_end", 1).await[0];
    assert_eq!((end["signal"].as_str(), end.get("status")), (Some("TERM"), None));
}

#[tokio::test]
async fn a_shell_on_a_terminal_is_recorded_as_it_was_shown() {
    let fixture = Fixture::new(|script| script.input = true).await;
    let mut command = fixture.ssh.command("ssh", &["-tt", "-o", "SetEnv=CURFEW_TEST=sent", "web-1"]);
    command.env("TERM", "vt100").stdin(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let typed = "stty -echo; PS1=; echo \"<$TERM $CURFEW_TEST $(tty)>\"; exit 3\n";
    child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).await.unwrap();
    let done = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    let done = Done::from(done);
    assert_eq!(done.status, Some(3), "{done:?}");
    assert!(done.out.contains("<vt100 sent /dev/pts/"), "{done:?}");
    let channel = &fixture.recorded("channel", 1).await[0];
    assert_eq!(
        (channel["purpose"].as_str(), channel["terminal"]["term"].as_str()),
        (Some("shell"), Some("vt100"))
    );
    let env = &fixture.core.sink().of_kind("environment");
    assert!(env.iter().any(|event| event["name"] == "CURFEW_TEST" && event["value"] == "sent"), "{env:?}");
    fixture.recorded("channel_end", 1).await;
    assert_eq!(shown(&fixture.core.sink().of_kind("output"), false), done.out);
    let input: String = fixture
        .core
        .sink()
        .of_kind("input")
        .iter()
        .map(|event| event["data"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(input, typed);
}

#[tokio::test]
async fn files_go_both_ways_by_sftp_and_by_both_protocols_of_scp() {
    let fixture = Fixture::new(|_| ()).await;
    let (here, there) = (fixture.ssh.path("here"), fixture.sshd.home.path().join("there"));
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(&here, &bytes).unwrap();
    let (remote, back) = (format!("web-1:{}", text(&there)), fixture.ssh.path("back"));
    for protocol in ["-s", "-O"] {
        let put = fixture.ssh.run("scp", &["-q", protocol, &text(&here), &remote]).await;
        assert_eq!((put.status, &*put.err), (Some(0), ""), "{put:?}");
        assert!(fs::read(&there).unwrap() == bytes);
        let got = fixture.ssh.run("scp", &["-q", protocol, &remote, &text(&back)]).await;
        assert_eq!(got.status, Some(0), "{got:?}");
        assert!(fs::read(&back).unwrap() == bytes);
        fs::remove_file(&there).unwrap();
    }
    let purposes: Vec<_> = fixture
        .core
        .sink()
        .of_kind("channel")
        .iter()
        .map(|c| c["purpose"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(purposes, ["sftp", "sftp", "exec", "exec"]);
}

#[tokio::test]
async fn a_forward_is_opened_by_the_target_and_recorded_with_its_bytes() {
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = echo.local_addr().unwrap().port();
    let fixture = Fixture::new(allow(&[&format!("forward:localhost:{port}")])).await;
    let mut child = fixture.ssh.start("ssh", &["-W", &format!("127.0.0.1:{port}"), "web-1"]);
    let (mut far, _) = timeout(PATIENCE, echo.accept()).await.unwrap().unwrap();
    child.stdin.as_mut().unwrap().write_all(b"ping").await.unwrap();
    let mut got = [0; 4];
    timeout(PATIENCE, far.read_exact(&mut got)).await.unwrap().unwrap();
    far.write_all(b"pong!").await.unwrap();
    drop(far);
    let done = finish(child).await;
    assert_eq!((&got, &*done.out), (b"ping", "pong!"), "{done:?}");
    let channel = &fixture.recorded("channel", 1).await[0];
    assert_eq!(
        (channel["purpose"].as_str(), channel["command"].as_str()),
        (Some("forward"), Some(&*format!("127.0.0.1:{port}")))
    );
    let end = &fixture.recorded("channel_end", 1).await[0];
    assert_eq!((end["input"].as_u64(), end["output"].as_u64()), (Some(4), Some(5)));
}

#[tokio::test]
async fn a_port_of_the_target_leads_back_to_the_client() {
    let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fixture = Fixture::new(allow(&["exec", "reverse:*"])).await;
    let back = format!("0:127.0.0.1:{}", here.local_addr().unwrap().port());
    let mut child =
        fixture.ssh.start("ssh", &["-o", "ExitOnForwardFailure=yes", "-R", &back, "web-1", "cat"]);
    let mut said = String::new();
    let mut errors = tokio::io::BufReader::new(child.stderr.take().unwrap());
    timeout(PATIENCE, tokio::io::AsyncBufReadExt::read_line(&mut errors, &mut said)).await.unwrap().unwrap();
    let port: u16 =
        said.split_whitespace().nth(2).and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    let mut visitor = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut near, _) = timeout(PATIENCE, here.accept()).await.unwrap().unwrap();
    visitor.write_all(b"knock").await.unwrap();
    let mut got = [0; 5];
    timeout(PATIENCE, near.read_exact(&mut got)).await.unwrap().unwrap();
    assert_eq!(&got, b"knock");
    drop((visitor, near));
    let channels = fixture.recorded("channel", 2).await;
    assert!(channels.iter().any(|channel| channel["purpose"] == "reverse"), "{channels:?}");
    finish(child).await;
}

#[tokio::test]
async fn the_agent_of_the_client_is_reached_where_that_is_allowed() {
    for allowed in [true, false] {
        let words: &[&str] = if allowed { &["exec", "agent"] } else { &["exec"] };
        let fixture = Fixture::new(allow(words)).await;
        let socket = fixture.ssh.path("agent");
        let mut agent = tokio::process::Command::new("ssh-agent")
            .args(["-D", "-a", &text(&socket)])
            .kill_on_drop(true)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        super::connected(&socket).await;
        let mut command = fixture.ssh.command("ssh", &["-A", "web-1", "ssh-add -l; true"]);
        command.env("SSH_AUTH_SOCK", &socket);
        let done = Done::from(timeout(PATIENCE, command.output()).await.unwrap().unwrap());
        if allowed {
            assert!(done.out.contains("no identities"), "{done:?}");
            assert!(
                fixture.core.sink().of_kind("channel").iter().any(|channel| channel["purpose"] == "agent")
            );
        } else {
            assert!(done.err.contains("Could not open"), "{done:?}");
            assert_eq!(fixture.core.sink().of_kind("refused")[0]["what"], "agent");
        }
        agent.kill().await.unwrap();
    }
}

#[tokio::test]
async fn many_channels_share_one_connection() {
    let fixture = Fixture::new(|_| ()).await;
    let control = format!("ControlPath={}", text(&fixture.ssh.path("c")));
    let master = fixture.ssh.start("ssh", &["-M", "-N", "-o", &control, "web-1"]);
    eventually(|| async { fixture.ssh.path("c").exists() }).await;
    let runs = (0..8).map(|n| {
        let fixture = &fixture;
        let control = &control;
        async move {
            let done =
                fixture.ssh.run("ssh", &["-o", control, "web-1", &format!("echo {n}; exit {n}")]).await;
            assert_eq!((done.status, done.out), (Some(n), format!("{n}\n")));
        }
    });
    futures_util::future::join_all(runs).await;
    assert_eq!(fixture.recorded("channel_end", 8).await.len(), 8);
    assert_eq!(fixture.core.asks().len(), 1, "one sign-in for all of them");
    drop(master);
}

#[tokio::test]
async fn the_client_is_asked_who_it_is_as_the_target_sees_it() {
    let fixture = Fixture::new(|_| ()).await;
    let done = fixture.ssh.run("ssh", &["web-1", "id -un"]).await;
    assert_eq!(done.out.trim(), account(), "{done:?}");
    let (ask, _) = &fixture.core.asks()[0];
    assert_eq!((&*ask.target, &*ask.account), ("web-1", &*account()));
    assert!(ask.program.starts_with("OpenSSH_"), "{}", ask.program);
}
