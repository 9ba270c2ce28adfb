//! Keys, certificates and digits are good for one thing each, and for one person.

use std::fs;

use curfew_harness::Ssh;
use curfew_harness::psql::Output;
use curfew_harness::sshd::keygen;

use super::desk::Desk;
use super::scene::Scene;
use crate::world::LIMIT;

async fn silently(ssh: &Ssh, user: &str) -> Output {
    ssh.run(user, ["-o", "BatchMode=yes", "--", "echo in"]).await.unwrap()
}

fn refused(said: &Output, sentence: &str) {
    assert_eq!((said.code, said.stdout.as_str()), (Some(255), ""), "{}", said.stderr);
    assert!(said.stderr.contains(sentence), "{sentence:?} is not in {:?}", said.stderr);
}

/// Teleport CVE-2025-49825: a credential that was not bound to what it had been given for.
#[tokio::test]
async fn teleport_cve_2025_49825_a_certificate_is_worth_nothing_elsewhere() {
    let scene = Scene::at_once("").await;
    let desk = Desk::at(&scene).await;
    let ssh = scene.ssh();
    ssh.take(&desk.alice.kept().unwrap()).unwrap();
    assert_eq!(silently(&ssh, &scene.user()).await.stdout, "in\n");

    // Another account, another target.
    refused(&silently(&ssh, "nobody%web").await, "there is no target");
    refused(&silently(&ssh, &format!("{}%orders", scene.sshd.account())).await, "there is no target");
    // The target itself: what opens the gate does not open what is behind it.
    let around = Ssh::to(scene.sshd.address(), "").unwrap();
    around.take(&desk.alice.kept().unwrap()).unwrap();
    let known = format!("[127.0.0.1]:{} {}\n", scene.sshd.address().port(), scene.sshd.host_key());
    fs::write(around.path("known_hosts"), known).unwrap();
    refused(&silently(&around, scene.sshd.account()).await, "Permission denied");
    // Another gate.
    let elsewhere = Scene::at_once("").await;
    let other = elsewhere.ssh();
    other.take(&desk.alice.kept().unwrap()).unwrap();
    refused(&silently(&other, &elsewhere.user()).await, "Permission denied");

    // Somebody else, who has the certificate and not its key.
    let thief = scene.ssh();
    keygen(&thief.path("id")).await.unwrap();
    fs::copy(desk.file("id_curfew-cert.pub"), thief.path("id-cert.pub")).unwrap();
    refused(&silently(&thief, &scene.user()).await, "Permission denied");
    // Bob's own certificate, for what alice was granted.
    let bob = scene.gate.person("bob").unwrap();
    bob.login().await.unwrap();
    bob.curfew(["ssh-config"]).await.unwrap().success().unwrap();
    let his = scene.ssh();
    his.take(&bob.kept().unwrap()).unwrap();
    refused(&silently(&his, &scene.user()).await, "there is no target");
}

/// The known attack on links, over SSH: digits belong to one connection. (Warpgate CVE-2023-37268 is its like.)
#[tokio::test]
async fn digits_of_one_connection_sign_in_no_other() {
    let scene = Scene::at_once("").await;
    let alice = scene.gate.person("alice").unwrap();
    alice.login().await.unwrap();
    scene.grant(&alice, "30m").await;
    let (ssh, before) = (scene.ssh(), scene.sessions().await);
    let mut hers = ssh.terminal(&scene.user(), ["echo in"]).unwrap();
    let mut theirs = ssh.terminal(&scene.user(), ["echo in"]).unwrap();
    let link = hers.link(&scene.gate.url(), LIMIT).await.unwrap();
    let other = theirs.link(&scene.gate.url(), LIMIT).await.unwrap();
    assert_ne!(link, other);
    let typed = "the six digits that the page shows: ";
    hers.wait_for(typed, LIMIT).await.unwrap();
    theirs.wait_for(typed, LIMIT).await.unwrap();

    let page = alice.consent(&link).await.unwrap();
    let digits = page.digits().unwrap();
    theirs.send_line(&digits).await.unwrap();
    // Nobody has agreed to that one.
    theirs.wait_for(typed, LIMIT).await.unwrap();
    // Even where alice is talked into opening the other's link: its digits are on her page, not in their terminal.
    let page = alice.consent(&other).await.unwrap();
    assert_ne!(page.digits().unwrap(), digits);
    let mut told = String::new();
    while theirs.send_line(&digits).await.is_ok() {
        match theirs.wait_for(typed, LIMIT).await {
            Ok(_) => {}
            Err(ended) => {
                told = ended.to_string();
                break;
            }
        }
    }
    assert!(told.contains("nobody is signed in"), "{told}");
    assert_eq!(scene.sessions().await, before);
    hers.send_line(&digits).await.unwrap();
    hers.wait_for("in\r\n", LIMIT).await.unwrap();
}
