//! How sessions end.

use super::{Fixture, PATIENCE, eventually};
use curfew_adapter::{Clock, CutReport, EndReason, Goodbye, Notice};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Child;
use tokio::time::{Instant, timeout};

pub fn revoked() -> Notice {
    let text = |text: &str| text.to_owned();
    Notice { message: text("curfew: revoked by the test"), detail: text("By bob."), hint: text("Ask again.") }
}

/// Waits for a line of a client's output that contains `part`.
async fn until(child: &mut Child, part: &str) -> BufReader<tokio::process::ChildStdout> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let reading = async {
        loop {
            let mut line = String::new();
            assert!(out.read_line(&mut line).await.unwrap() > 0, "no {part:?}");
            if line.contains(part) {
                return;
            }
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
    out
}

/// What is left of both streams, and the status.
async fn rest(
    mut child: Child,
    mut out: BufReader<tokio::process::ChildStdout>,
) -> (String, String, Option<i32>) {
    let (mut seen, mut errors) = (Vec::new(), Vec::new());
    let mut err = child.stderr.take().unwrap();
    let all = async { tokio::join!(out.read_to_end(&mut seen), err.read_to_end(&mut errors), child.wait()) };
    let (_, _, status) = timeout(PATIENCE, all).await.expect("an end");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(seen), text(errors), status.unwrap().code())
}

async fn cut(fixture: &Fixture) -> (CutReport, Duration) {
    let keeper = fixture.core.keeper().await;
    let (at, began) = (Clock::system().boot(), Instant::now());
    assert!(keeper.end(EndReason::Revoked, revoked()));
    let closing = timeout(PATIENCE, fixture.core.closing()).await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(2200), "closed after {:?}", began.elapsed());
    assert_eq!(closing.reason, EndReason::Revoked);
    let cut = closing.cut.unwrap();
    let latency = cut.blocked_at.since(at);
    (cut, latency)
}

/// Whether a process with this in its command line lives.
fn lives(part: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line)
            .split('\0')
            .next_back()
            .is_some_and(|_| String::from_utf8_lossy(&line).contains(part))
    })
}

async fn until_gone(part: &str) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let gone = async {
        while lives(part) {
            looks.tick().await;
        }
    };
    timeout(Duration::from_secs(3), gone).await.unwrap_or_else(|_| panic!("{part} lives on"));
}

#[tokio::test]
async fn a_shell_is_told_on_its_terminal_and_hung_up() {
    let fixture = Fixture::new(|_| ()).await;
    let mut child = fixture.ssh.start("ssh", &["-tt", "web-1"]);
    let marker = format!("98{}", std::process::id());
    let typed = format!("stty -echo; PS1=; sleep {marker} & echo ready; sleep 1{marker}\n");
    child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).await.unwrap();
    let out = until(&mut child, "ready\r").await;
    let (cut, latency) = cut(&fixture).await;
    let (seen, errors, status) = rest(child, out).await;
    assert!(
        seen.contains("\r\ncurfew: revoked by the test\r\nBy bob.\r\nAsk again.\r\n"),
        "{seen:?} {cut:?}"
    );
    assert!(errors.contains("curfew: revoked by the test. By bob. Ask again."), "{errors:?}");
    assert_eq!((status, cut.goodbye), (Some(255), Goodbye::Sent));
    assert_eq!(cut.outstanding.as_deref(), Some("shell on channel 1"));
    assert!(cut.target_work.starts_with("HUP to 1 shell, "), "{}", cut.target_work);
    assert!(latency < Duration::from_millis(50), "{latency:?}");
    until_gone(&format!("sleep 1{marker}")).await;
    assert_eq!(fixture.core.sink().of_kind("goodbye")[0]["message"], "curfew: revoked by the test");
}

#[tokio::test]
async fn a_command_is_told_on_standard_error_and_ended() {
    let fixture = Fixture::new(|_| ()).await;
    let marker = format!("97{}", std::process::id());
    let mut child = fixture.ssh.start("ssh", &["web-1", &format!("echo ready; sleep {marker}; echo never")]);
    let out = until(&mut child, "ready").await;
    let (cut, _) = cut(&fixture).await;
    let (seen, errors, status) = rest(child, out).await;
    assert_eq!((&*seen, status), ("", Some(255)), "{errors}");
    assert!(errors.starts_with("curfew: revoked by the test\nBy bob.\nAsk again.\n"), "{errors:?}");
    assert!(cut.target_work.starts_with("TERM to 1 command, "), "{}", cut.target_work);
    until_gone(&format!("sleep {marker}")).await;
}

#[tokio::test]
async fn a_command_that_does_not_heed_term_is_killed() {
    let fixture = Fixture::new(|_| ()).await;
    let marker = format!("96{}", std::process::id());
    let command = format!("trap '' TERM; echo ready; while :; do sleep {marker}; done");
    let mut child = fixture.ssh.start("ssh", &["web-1", &command]);
    let out = until(&mut child, "ready").await;
    let (cut, _) = cut(&fixture).await;
    rest(child, out).await;
    assert!(
        cut.target_work.starts_with("TERM to 1 command, KILL to 1, the connection"),
        "{}",
        cut.target_work
    );
    until_gone(&format!("sleep {marker}")).await;
}

#[tokio::test]
async fn a_stream_stops_and_its_reader_is_told() {
    let fixture = Fixture::new(|_| ()).await;
    let mut child = fixture.ssh.start("ssh", &["web-1", "cat /dev/zero"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut some = vec![0; 3_000_000];
    out.read_exact(&mut some).await.unwrap();
    // It goes on reading, while the cut happens.
    let reading = tokio::join!(cut(&fixture), rest(child, out));
    let ((cut, _), (_, errors, _)) = reading;
    assert!(errors.contains("curfew: revoked by the test"), "{errors:?} {cut:?}");
    assert_eq!(cut.goodbye, Goodbye::Sent);
}

#[tokio::test]
async fn a_file_transfer_is_cut_without_a_word_in_its_stream() {
    let fixture = Fixture::new(|_| ()).await;
    let back = fixture.ssh.path("back");
    let big = fixture.sshd.home.path().join("big");
    std::fs::File::create(&big).unwrap().set_len(100_000_000_000).unwrap();
    let from = format!("web-1:{}", super::ssh::text(&big));
    let child = fixture.ssh.start("scp", &["-s", &from, &super::ssh::text(&back)]);
    eventually(|| async { fixture.core.bytes_from_target().await > 1_000_000 }).await;
    let (cut, _) = cut(&fixture).await;
    let done = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(errors.contains("revoked by the test") && !done.status.success(), "{errors}");
    assert_eq!(cut.goodbye, Goodbye::Sent);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_all_the_same() {
    let fixture = Fixture::new(|_| ()).await;
    let child = fixture.ssh.start("ssh", &["web-1", "cat /dev/zero"]);
    let before = fixture.core.bytes_once_full().await;
    assert!(before < 16 * 1024 * 1024, "{before} bytes on the way to a client that reads nothing");
    let (cut, _) = cut(&fixture).await;
    assert!(cut.target_work.starts_with("TERM to 1 command, "), "{}", cut.target_work);
    drop(child);
}

#[tokio::test]
async fn the_countdown_is_shown_on_terminals_and_nowhere_else() {
    let fixture = Fixture::new(|script| {
        script.lease = Duration::from_secs(4);
        script.countdown = vec![Duration::from_secs(2)];
    })
    .await;
    let control = format!("ControlPath={}", super::ssh::text(&fixture.ssh.path("c")));
    let mut shell = fixture.ssh.start("ssh", &["-tt", "-M", "-o", &control, "web-1"]);
    shell.stdin.as_mut().unwrap().write_all(b"PS1=; echo rea''dy\n").await.unwrap();
    let out = until(&mut shell, "ready\r").await;
    let command = fixture.ssh.start("ssh", &["-o", &control, "web-1", "cat"]);
    let (seen, _, _) = rest(shell, out).await;
    assert!(seen.contains("\r\ncurfew: this access ends in 2 seconds (at "), "{seen:?}");
    assert!(seen.contains("UTC)\r\ncurfew extend\r\n"), "{seen:?}");
    let done = timeout(PATIENCE, command.wait_with_output()).await.unwrap().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(!errors.contains("2 seconds") && done.stdout.is_empty(), "{errors}");
    assert_eq!(fixture.core.sink().of_kind("countdown")[0]["remaining"], 2);
}

/// Teleport PR 41826: connections outlive their certificate.
#[tokio::test]
async fn teleport_pr_41826_a_client_that_was_stopped_gets_nothing_when_it_goes_on() {
    let fixture = Fixture::new(|_| ()).await;
    let mut child = fixture.ssh.start("ssh", &["web-1", "cat /dev/zero"]);
    let pid = child.id().unwrap().to_string();
    let mut out = child.stdout.take().unwrap();
    let mut some = vec![0; 1_000_000];
    out.read_exact(&mut some).await.unwrap();
    let signal = |signal: &'static str| {
        let pid = pid.clone();
        async move {
            let sent = tokio::process::Command::new("kill").args([signal, &pid]).status().await.unwrap();
            assert!(sent.success());
        }
    };
    signal("-STOP").await;
    let sent = fixture.core.bytes_once_full().await;
    let (cut, _) = cut(&fixture).await;
    assert_eq!(cut.goodbye, Goodbye::None("the client reads nothing"));
    signal("-CONT").await;
    let mut rest = Vec::new();
    timeout(PATIENCE, out.read_to_end(&mut rest)).await.expect("an end").unwrap();
    let got = u64::try_from(some.len() + rest.len()).unwrap();
    assert!(got <= sent, "{got} bytes came, and {sent} had been sent before the end");
}

#[tokio::test]
async fn several_channels_of_one_connection_are_all_told_and_ended() {
    let fixture = Fixture::new(|_| ()).await;
    let control = format!("ControlPath={}", super::ssh::text(&fixture.ssh.path("c")));
    let mut shell = fixture.ssh.start("ssh", &["-tt", "-M", "-o", &control, "web-1"]);
    shell.stdin.as_mut().unwrap().write_all(b"PS1=; echo rea''dy\n").await.unwrap();
    let out = until(&mut shell, "ready\r").await;
    let marker = format!("95{}", std::process::id());
    let command = format!("echo ready; sleep {marker}");
    let mut sleeper = fixture.ssh.start("ssh", &["-o", &control, "web-1", &command]);
    let sleeping = until(&mut sleeper, "ready").await;
    let (cut, _) = cut(&fixture).await;
    let (seen, _, _) = rest(shell, out).await;
    assert!(seen.contains("curfew: revoked by the test"), "{seen:?}");
    let (_, errors, _) = rest(sleeper, sleeping).await;
    assert!(errors.contains("curfew: revoked by the test"), "{errors:?}");
    let outstanding = cut.outstanding.unwrap();
    assert!(outstanding.starts_with("shell on channel 1, command on channel 2: echo ready"), "{outstanding}");
    assert!(
        cut.target_work.starts_with("HUP to 1 shell, TERM to 1 command, the connection"),
        "{}",
        cut.target_work
    );
    until_gone(&format!("sleep {marker}")).await;
    // Each end is on record once.
    assert_eq!(fixture.core.sink().of_kind("channel_end").len(), 2);
}
