//! Accounts and targets are what they are called, to the letter.

use super::scene::Scene;

/// Teleport 13.4.26: user names were compared without regard to case. Others: a name that a second reader reads otherwise.
#[tokio::test]
async fn teleport_13_4_26_names_in_another_case_or_script_are_other_names() {
    let scene = Scene::at_once("").await;
    let (_alice, ssh) = scene.alice().await;
    let account = scene.sshd.account();
    let before = scene.sessions().await;
    let upper = account.to_uppercase();
    // The second letter of this "web" is Cyrillic.
    let others = [
        format!("{upper}%web"),
        format!("{account}%WEB"),
        format!("{account}%Web"),
        format!("{account}%w\u{435}b"),
        format!("{account}%web."),
        format!("{account} %web"),
        format!("{account}\u{200b}%web"),
        format!("../{account}%web"),
        format!("{account}%../web"),
        format!("{account}%web%web"),
        format!("root%{account}%web"),
        "%web".to_owned(),
    ];
    for user in others {
        let said = ssh.run(&user, ["-o", "BatchMode=yes", "--", "echo in"]).await.unwrap();
        assert_eq!((said.code, said.stdout.as_str()), (Some(255), ""), "{user:?}: {}", said.stderr);
        let told = ["there is no target", "there is nothing"].iter().any(|told| said.stderr.contains(told));
        assert!(told, "{user:?}: {}", said.stderr);
    }
    assert_eq!(scene.sessions().await, before, "one of them was let in");
    let said = ssh.run(&scene.user(), ["-o", "BatchMode=yes", "--", "echo in"]).await.unwrap();
    assert_eq!(said.stdout, "in\n", "{}", said.stderr);
}
