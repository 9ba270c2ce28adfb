//! What a stranger who looks for weak cryptography finds.

use std::ffi::OsString;

use curfew_harness::python;

use super::scene::Scene;

#[tokio::test]
async fn ssh_audit_finds_nothing_that_fails() {
    let scene = Scene::at_once("").await;
    let ssh = scene.ssh();
    let program = python().with_file_name("ssh-audit");
    let (host, port) = (ssh.host(), ssh.port().to_string());
    // Its measure of how fast connections are taken is a flood, which the limits by address are for.
    let args = ["--no-colors", "--skip-rate-test", "-p", &port, host].map(OsString::from);
    let said = ssh.program(program.to_str().unwrap(), args).await.unwrap();
    let report = said.stdout;
    for looked_at in [
        "(gen) banner: SSH-2.0-Curfew_",
        "(kex) mlkem768x25519-sha256",
        "(kex) kex-strict-s-v00@openssh.com",
        "(key) ssh-ed25519",
        "(enc) aes256-gcm@openssh.com",
        "(mac) hmac-sha2-256-etm@openssh.com",
    ] {
        assert!(report.contains(looked_at), "{looked_at} is not in\n{report}{}", said.stderr);
    }
    assert!(!report.contains("[fail]"), "{report}");
    // Its own judgement of all of it: 3 is a failure, 2 is a warning, 1 no connection.
    assert!(matches!(said.code, Some(0 | 2)), "{:?}\n{report}", said.code);
}
