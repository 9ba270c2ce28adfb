//! SSH from the client's side: what is asked of the gate, what is kept, and what is shown.

use std::fs;

use curfew_certs::SshKey;
use serde_json::json;

use super::fake::{Fake, NOW, Person};
use crate::cli::Exit;

/// A gate that speaks SSH, signs keys, and offers two accounts.
async fn gate() -> Fake {
    let gate = Fake::plain().await;
    let authority = SshKey::generate().unwrap();
    let line = authority.public_line().unwrap();
    gate.says(
        "GET /api/v1/gate",
        200,
        json!({ "listeners": [{ "protocol": "ssh", "address": "gate.example.com:2222" }] }),
    )
    .says("GET /api/v1/ssh", 200, json!({ "authority": line, "sessions": line, "host_key": line }))
    .says(
        "GET /api/v1/targets",
        200,
        json!({ "items": [{
            "name": "web-1", "protocol": "ssh", "accounts": [{ "name": "deploy" }, { "name": "root" }],
        }], "next": null }),
    )
    .does("POST /api/v1/ssh/certificates", move |asked| {
        let now = NOW.parse().unwrap();
        let until = "2026-11-21T15:22:00Z".parse().unwrap();
        let key = asked.json()["key"].as_str().unwrap().to_owned();
        let made = authority.certify_client(&key, "sig_1", 1, now, until).unwrap();
        (201, json!({ "certificate": made, "expires_at": until }).to_string())
    });
    gate
}

#[tokio::test]
async fn hosts_are_written_with_a_certificate_that_is_asked_for_once() {
    let gate = gate().await;
    let mut person = Person::signed_in(&gate);
    for _ in 0..2 {
        person.types(&["ssh-config"]).await.unwrap();
    }
    assert!(gate.asked_once("POST /api/v1/ssh/certificates").headers.contains_key("idempotency-key"));
    let saved = person.saved(&gate);
    let read = |name: &str| fs::read_to_string(saved.at(name)).unwrap();
    let private = SshKey::load(&read("id_curfew")).unwrap();
    assert_eq!(read("id_curfew.pub").trim(), private.public_line().unwrap());
    assert!(read("id_curfew-cert.pub").starts_with("ssh-ed25519-cert-v01@openssh.com "));
    assert!(
        read("known_hosts")
            .starts_with("@cert-authority gate.example.com,[gate.example.com]:2222 ssh-ed25519 ")
    );
    let folder = saved.at("").display().to_string();
    let hosts = read("ssh_hosts").replace(&folder, "DIR/").replace(&gate.url.to_string(), "URL");
    insta::assert_snapshot!(hosts, @r#"
    # The targets behind URL. Written by `curfew ssh-config`, and replaced as they change.

    Host web-1.curfew deploy.web-1.curfew
        User deploy@web-1
        HostName gate.example.com
        Port 2222
        HostKeyAlias gate.example.com
        IdentityFile "DIR/id_curfew"
        CertificateFile "DIR/id_curfew-cert.pub"
        IdentitiesOnly yes
        UserKnownHostsFile "DIR/known_hosts"
        StrictHostKeyChecking yes

    Host root.web-1.curfew
        User root@web-1
        HostName gate.example.com
        Port 2222
        HostKeyAlias gate.example.com
        IdentityFile "DIR/id_curfew"
        CertificateFile "DIR/id_curfew-cert.pub"
        IdentitiesOnly yes
        UserKnownHostsFile "DIR/known_hosts"
        StrictHostKeyChecking yes
    "#);
    let printed = person.printed.text();
    assert_eq!(printed, format!("Include \"{}\"\n", saved.at("ssh_config").display()).repeat(2));
}

#[tokio::test]
async fn a_refresh_says_nothing_whatever_happens() {
    let gate = Fake::plain().await;
    let mut nobody = Person::new();
    nobody.types(&["ssh-config", "--refresh"]).await.unwrap();
    nobody.types(&["ssh-config", "--refresh", "--gate", "no gate"]).await.unwrap();
    let mut person = Person::signed_in(&gate);
    person.types(&["ssh-config", "--refresh"]).await.unwrap();
    let tries = gate.asked().len();
    assert!(tries > 0);
    person.types(&["ssh-config", "--refresh"]).await.unwrap();
    assert_eq!(gate.asked().len(), tries, "what failed a moment ago is not tried again");
    assert_eq!(person.printed.text() + &person.aside.text() + &nobody.aside.text(), "");
}

#[tokio::test]
async fn a_key_may_be_begun_as_long_as_it_is_the_only_one() {
    let (a, b) = (format!("SHA256:ab{}", "x".repeat(41)), format!("SHA256:aB{}", "x".repeat(41)));
    let key = |fingerprint: &str| {
        json!({
            "fingerprint": fingerprint, "key": "ssh-ed25519 AAAA", "email": "alice@example.com", "signin": "sig_1",
            "address": "192.0.2.7", "created_at": "2026-11-21T14:20:00Z", "expires_at": "2026-11-22T02:20:00Z",
        })
    };
    let gate = Fake::plain().await;
    gate.says("GET /api/v1/ssh/keys", 200, json!({ "items": [key(&a), key(&b)], "next": null })).says(
        "POST /api/v1/ssh/keys/revoke",
        204,
        "",
    );
    let mut person = Person::signed_in(&gate);
    for typed in ["SHA256:ab", "aB", a.as_str()] {
        person.types(&["keys", "revoke", typed]).await.unwrap();
    }
    let revoked: Vec<_> = gate.asked().into_iter().filter(|asked| asked.what.ends_with("revoke")).collect();
    let named: Vec<_> = revoked.iter().map(|asked| asked.json()["fingerprint"].clone()).collect();
    assert_eq!(named, [a.as_str(), &b, &a]);
    let error = person.types(&["keys", "revoke", "a"]).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    assert!(error.to_string().contains(&format!("type more of it: {a}, {b}")), "{error}");
    assert_eq!(person.types(&["keys", "revoke", "zz"]).await.unwrap_err().exit(), Exit::Failed);
    let mut person = Person::signed_in(&gate);
    person.types(&["keys", "--all"]).await.unwrap();
    let table = person.printed.text();
    assert!(table.contains(&a) && table.contains("192.0.2.7"), "{table}");
    assert!(gate.asked().iter().any(|asked| asked.query == "scope=all"));
}
