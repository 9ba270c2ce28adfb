//! How clients prove who they are, and what they are told on the way.

use super::ssh::{Done, account};
use super::{Fixture, PATIENCE, eventually, keys};
use curfew_adapter::{Ended, Notice, Proof, Refusal, RefusalKind};
use curfew_conformance::Script;
use russh::keys::ssh_key::certificate::CertType;
use std::fs;
use tokio::time::timeout;

fn notice(message: &str) -> Notice {
    Notice { message: message.to_owned(), detail: String::new(), hint: "https://gate.test/link".to_owned() }
}

/// Without a key of its own.
const KEYLESS: [&str; 2] = ["-o", "PubkeyAuthentication=no"];

/// Runs `ssh web-1 COMMAND`, whose questions are answered with `answer`.
async fn answering(fixture: &Fixture, answer: &str, more: &[&str]) -> Done {
    let mut arguments = more.to_vec();
    arguments.extend(["web-1", "echo ran"]);
    let mut command = fixture.ssh.command("ssh", &arguments);
    command.env("SSH_ASKPASS", fixture.ssh.askpass(answer)).env("SSH_ASKPASS_REQUIRE", "force");
    timeout(PATIENCE, command.output()).await.expect("an end").unwrap().into()
}

fn refusing(kind: RefusalKind) -> impl FnOnce(&mut Script) {
    move |script| script.refuse = Some(Refusal::new(kind, "curfew: alice may not", "Ask bob."))
}

#[tokio::test]
async fn a_key_that_is_bound_signs_in_without_a_word() {
    let fixture = Fixture::new(|_| ()).await;
    let done = fixture.ssh.run("ssh", &["web-1", "echo ran"]).await;
    assert_eq!((&*done.out, &*done.err), ("ran\n", ""));
    let (_, proof) = &fixture.core.asks()[0];
    let Proof::Key(key) = proof else { panic!("{proof:?}") };
    assert_eq!(key.line, keys::line(keys::ALICE));
    assert!(key.fingerprint.starts_with("SHA256:"), "{}", key.fingerprint);
}

#[tokio::test]
async fn an_expired_certificate_falls_back_to_its_key() {
    let fixture = Fixture::new(|_| ()).await;
    let mut builder = keys::builder(&keys::key(keys::ALICE), CertType::User, -1);
    builder.valid_principal("alice").unwrap();
    fs::write(fixture.ssh.path("key-cert.pub"), keys::sign(builder).to_openssh().unwrap()).unwrap();
    let done = fixture.ssh.run("ssh", &["web-1", "echo ran"]).await;
    assert_eq!(done.out, "ran\n", "{done:?}");
    assert!(matches!(fixture.core.asks()[0].1, Proof::Key(_)));
}

#[tokio::test]
async fn a_link_is_shown_waited_for_and_its_digits_asked() {
    let fixture = Fixture::new(|script| {
        script.question = Some("digits: ".to_owned());
        script.link = Some(notice("Open this link to sign in:"));
        script.pending = Some(notice("Waiting for somebody to approve:"));
    })
    .await;
    let going_on = async {
        eventually(|| async { fixture.core.answers().len() == 1 }).await;
        for wait in 1..=2 {
            fixture.core.until_waits(wait).await;
            fixture.core.go_on();
        }
    };
    let running = async {
        let done = answering(&fixture, "123456", &KEYLESS).await;
        assert_eq!(done.out, "ran\n", "{done:?}");
        assert!(done.err.contains("Open this link to sign in:\nhttps://gate.test/link"), "{done:?}");
        assert!(done.err.contains("Waiting for somebody to approve:"), "{done:?}");
    };
    tokio::join!(going_on, running);
    assert_eq!(fixture.core.answers(), [Some("123456".to_owned())]);
    let (ask, proof) = &fixture.core.asks()[0];
    assert!(matches!(proof, Proof::Link { key: None }), "{proof:?}");
    assert!(ask.can_wait && ask.can_answer);
    let asked = fs::read_to_string(fixture.ssh.path("asked")).unwrap();
    assert!(asked.contains("digits:"), "{asked}");
}

#[tokio::test]
async fn a_key_that_nobody_knows_is_offered_for_binding_with_the_link() {
    let fixture = Fixture::new(|script| {
        script.refuse_sign_in = Some(Refusal::new(RefusalKind::NotSignedIn, "nobody", ""));
    })
    .await;
    let done = answering(&fixture, "x", &[]).await;
    assert!(done.err.contains("nobody") && done.status == Some(255), "{done:?}");
    let proofs: Vec<_> = fixture.core.asks().into_iter().map(|(_, proof)| proof).collect();
    assert!(matches!(&proofs[0], Proof::Key(_)), "{proofs:?}");
    let Proof::Link { key: Some(key) } = &proofs[1] else { panic!("{proofs:?}") };
    assert_eq!(key.line, keys::line(keys::ALICE));
}

#[tokio::test]
async fn a_known_key_without_a_grant_goes_on_to_the_request_in_the_terminal() {
    let fixture = Fixture::new(|script| script.pending = Some(notice("Waiting for bob:"))).await;
    let going_on = async {
        fixture.core.until_waits(1).await;
        fixture.core.go_on();
    };
    let (done, ()) = tokio::join!(answering(&fixture, "x", &[]), going_on);
    assert!(done.out == "ran\n" && done.err.contains("Waiting for bob:"), "{done:?}");
    assert_eq!(fixture.core.asks().len(), 1, "the key signed in; nothing else was asked");
}

#[tokio::test]
async fn a_refusal_is_a_sentence_to_a_client_that_nobody_sits_at() {
    let kinds =
        [RefusalKind::NotAllowed, RefusalKind::NoGrant, RefusalKind::Barred, RefusalKind::Unavailable];
    for kind in kinds {
        let mut fixture = Fixture::new(refusing(kind)).await;
        let done = fixture.ssh.run("ssh", &["-o", "BatchMode=yes", "web-1", "echo ran"]).await;
        assert!(done.err.contains("curfew: alice may not. Ask bob."), "{kind:?} {done:?}");
        assert_eq!((done.status, &*done.out), (Some(255), ""));
        let served = timeout(PATIENCE, fixture.stage.served()).await.unwrap();
        assert!(matches!(served, Some(Ok(Ended::Refused))), "{served:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_sentence_in_a_terminal() {
    let fixture = Fixture::new(refusing(RefusalKind::NotAllowed)).await;
    let done = answering(&fixture, "x", &KEYLESS).await;
    assert!(done.err.contains("curfew: alice may not\nAsk bob."), "{done:?}");
}

#[tokio::test]
async fn a_bare_user_name_picks_a_target_in_the_terminal() {
    let fixture = Fixture::new(|_| ()).await;
    let done = answering(&fixture, "web-7", &["-o", "User=lu"]).await;
    // The core of the tests makes the account up.
    assert!(done.err.contains("did not accept the account"), "{done:?}");
    let asked = fs::read_to_string(fixture.ssh.path("asked")).unwrap();
    assert!(asked.contains("target:"), "{asked}");
}

#[tokio::test]
async fn an_account_and_a_target_may_be_joined_by_an_at() {
    let fixture = Fixture::new(|_| ()).await;
    let user = format!("User={}@web-9", account());
    assert_eq!(fixture.ssh.run("ssh", &["-o", &user, "web-1", "echo ran"]).await.out, "ran\n");
    assert_eq!(fixture.core.asks()[0].0.target, "web-9");
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_is_noticed() {
    let fixture = Fixture::new(|script| script.link = Some(notice("Open this link:"))).await;
    let mut child = fixture.ssh.start("ssh", &[KEYLESS[0], KEYLESS[1], "web-1", "echo ran"]);
    eventually(|| async { !fixture.core.asks().is_empty() }).await;
    child.kill().await.unwrap();
    timeout(PATIENCE, fixture.core.until_given_up()).await.unwrap();
}

#[tokio::test]
async fn a_wrong_host_key_of_the_target_ends_in_a_sentence() {
    let fixture = Fixture::new(|script| script.host_keys.pinned = vec![keys::line(keys::ALICE)]).await;
    let done = fixture.ssh.run("ssh", &["web-1", "echo ran"]).await;
    assert!(done.err.contains("curfew: web-1 did not prove that it is the right host"), "{done:?}");
    let closing = fixture.core.closing().await;
    assert!(closing.cause.unwrap().contains("is not known"));
    assert!(!fixture.sshd.log().contains("Accepted"), "{}", fixture.sshd.log());
}

#[tokio::test]
async fn a_target_is_known_by_its_authority() {
    let fixture = Fixture::new(|script| {
        script.host_keys.pinned.clear();
        script.host_keys.authorities = vec![keys::line(keys::AUTHORITY)];
    })
    .await;
    assert_eq!(fixture.ssh.run("ssh", &["web-1", "echo ran"]).await.out, "ran\n");
}

#[tokio::test]
async fn a_key_of_the_account_opens_the_target() {
    let fixture = Fixture::new(|script| {
        script.login = curfew_adapter::Login::Key;
        script.secret = keys::pem(7);
    })
    .await;
    let done = fixture.ssh.run("ssh", &["web-1", "echo ran"]).await;
    assert!(done.err.contains("did not accept the account"), "{done:?}");
    fixture.sshd.authorize(&keys::line(7));
    assert_eq!(fixture.ssh.run("ssh", &["web-1", "echo ran"]).await.out, "ran\n");
}

#[tokio::test]
async fn an_agent_of_the_gate_opens_the_target() {
    let home = tempfile::tempdir().unwrap();
    let (socket, key) = (home.path().join("agent"), home.path().join("key"));
    fs::write(&key, keys::pem(7)).unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut agent = tokio::process::Command::new("ssh-agent")
        .args(["-D", "-a", &super::ssh::text(&socket)])
        .kill_on_drop(true)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    super::connected(&socket).await;
    let mut adding = tokio::process::Command::new("ssh-add");
    let added = adding.arg("-q").arg(&key).env("SSH_AUTH_SOCK", &socket).status().await.unwrap();
    assert!(added.success());
    let fixture = Fixture::new(|script| script.login = curfew_adapter::Login::Agent(socket)).await;
    fixture.sshd.authorize(&keys::line(7));
    let done = fixture.ssh.run("ssh", &["web-1", "echo ran"]).await;
    assert_eq!(done.out, "ran\n", "{done:?}");
    agent.kill().await.unwrap();
}
