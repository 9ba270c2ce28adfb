//! From nothing installed to the cut: sign-in by link and digits, the request in the terminal, the key that is bound.

use curfew_harness::sshd::keygen;

use super::scene::Scene;
use crate::world::LIMIT;

#[tokio::test]
async fn ssh_is_signed_in_asks_is_approved_works_and_the_next_one_is_silent() {
    let scene = Scene::approved().await;
    let (alice, bob) = (scene.gate.person("alice").unwrap(), scene.gate.person("bob").unwrap());
    let ssh = scene.ssh();
    keygen(&ssh.path("id")).await.unwrap();
    let mut terminal = ssh.terminal(&scene.user(), [""; 0]).unwrap();
    scene.sign_in(&alice, &mut terminal).await;
    let offer = terminal.wait_for("bind it? [y/N] ", LIMIT).await.unwrap();
    assert!(offer.contains("SHA256:"), "the fingerprint is not shown: {offer}");
    terminal.send_line("y").await.unwrap();
    terminal.wait_for("reason: ", LIMIT).await.unwrap();
    terminal.send_line("INC-9: slow pages").await.unwrap();
    terminal.wait_for("for how long", LIMIT).await.unwrap();
    terminal.send_line("20m").await.unwrap();

    bob.login().await.unwrap();
    let asked = bob.json(["requests", "--to-approve", "--json"]).await.unwrap();
    let request = &asked["items"][0];
    assert_eq!(request["reason"], "INC-9: slow pages", "{asked}");
    bob.curfew(["approve", request["id"].as_str().unwrap()]).await.unwrap().success().unwrap();

    terminal.wait_for("$ ", LIMIT).await.unwrap();
    terminal.send_line("echo to$((40+2))gether").await.unwrap();
    terminal.wait_for("to42gether", LIMIT).await.unwrap();

    let silent = ssh.run(&scene.user(), ["echo silent; exit 7"]).await.unwrap();
    assert_eq!((silent.code, silent.stdout.as_str()), (Some(7), "silent\n"), "{}", silent.stderr);

    alice.login().await.unwrap();
    let grants = alice.json(["grants", "--json"]).await.unwrap();
    let grant = grants["items"][0]["id"].as_str().unwrap().to_owned();
    bob.curfew(["revoke", &grant, "--reason", "enough seen"]).await.unwrap().success().unwrap();
    let told = terminal.wait_for("enough seen", LIMIT).await.unwrap();
    assert!(told.contains("has ended"), "{told}");
    terminal.ended(LIMIT).await.unwrap();
}

#[tokio::test]
async fn ssh_without_a_target_shows_a_list_to_pick_from() {
    let scene = Scene::at_once("").await;
    let alice = scene.gate.person("alice").unwrap();
    alice.login().await.unwrap();
    scene.grant(&alice, "30m").await;
    let ssh = scene.ssh();
    let mut terminal = ssh.terminal("alice", ["echo there"]).unwrap();
    scene.sign_in(&alice, &mut terminal).await;
    let list = terminal.wait_for("number: ", LIMIT).await.unwrap();
    assert!(list.contains(&format!("1  {}@web  (access now)", scene.sshd.account())), "{list}");
    terminal.send_line("1").await.unwrap();
    terminal.wait_for("there", LIMIT).await.unwrap();
    assert_eq!(terminal.ended(LIMIT).await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_key_is_worthless_once_it_is_revoked() {
    let scene = Scene::at_once("").await;
    let (alice, ssh) = scene.alice().await;
    let silent = ssh.run(&scene.user(), ["-o", "BatchMode=yes", "--", "true"]).await.unwrap();
    assert_eq!(silent.code, Some(0), "{}", silent.stderr);
    let keys = alice.json(["keys", "--json"]).await.unwrap();
    let fingerprint = keys["items"][0]["fingerprint"].as_str().unwrap().to_owned();
    alice.curfew(["keys", "revoke", &fingerprint]).await.unwrap().success().unwrap();
    let refused = ssh.run(&scene.user(), ["-o", "BatchMode=yes", "--", "true"]).await.unwrap();
    assert_eq!(refused.code, Some(255), "{}", refused.stderr);
}
