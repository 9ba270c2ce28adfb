//! The life of sign-ins, on a real store.

use std::sync::Arc;
use std::time::Duration;

use curfew_adapter::{ProvedKey, SignedIn, SigninId};
use curfew_certs::{Authority, SshKey};
use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::*;
use crate::audit::Actor;
use crate::config;
use crate::store::Change;
use crate::store::tests::{Backend, backends};

/// What the provider `example` vouches for.
pub(crate) fn vouched(name: &str, groups: &[&str]) -> Vouched {
    Vouched {
        provider: "example".into(),
        issuer: "https://login.example.com".into(),
        subject: format!("sub-{name}"),
        email: format!("{name}@example.com"),
        name: name.into(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        dropped: Vec::new(),
    }
}

/// The service over a store.
pub(crate) fn service(backend: &Backend) -> Identities {
    let authority = Authority::generate(backend.store.clock().wall()).unwrap();
    let roles = config::Roles {
        admin: config::Members { groups: vec!["platform".into()], users: Vec::new() },
        auditor: config::Members { groups: vec!["security".into()], users: Vec::new() },
    };
    Identities::new(
        backend.store.clone(),
        Arc::new(authority),
        Arc::new(SshKey::generate().unwrap()),
        &config::Signin::default(),
        roles,
    )
}

/// A token for the API, as `curfew login` gets one.
pub(crate) async fn api_token(identities: &Identities, browser: &Viewer) -> Token {
    let mut tx = identities.store().begin().await.unwrap();
    let standing = identities.descend(&mut tx, &browser.signin.id, Method::Loopback, None).await.unwrap();
    let token = Token::random(TokenKind::Api);
    let now = identities.now();
    tx.token_made(&token.hashed(), token.kind(), &standing.signin.id, None, now).await.unwrap();
    tx.commit().await.unwrap();
    token
}

async fn audit(backend: &Backend) -> String {
    let lines = backend.store.audit_lines(0, 100).await.unwrap();
    lines.into_iter().map(|(_, line)| line + "\n").collect()
}

#[tokio::test]
async fn a_token_is_good_in_its_own_place_and_until_its_sign_in_ends() {
    for backend in backends().await {
        let identities = service(&backend);
        let (viewer, token) = identities.welcome(&vouched("dave", &["platform"]), None).await.unwrap();
        assert!(viewer.roles.admin);
        let again = identities.viewer(token.reveal(), TokenKind::Browser).await.unwrap();
        assert_eq!((again.identity, again.signin), (viewer.identity, viewer.signin.clone()));
        assert!(matches!(identities.viewer(token.reveal(), TokenKind::Api).await, Err(WhoError::Nobody)));
        // The same bits, spelled as the other kind.
        let spelled = token.reveal().replace("cfwb_", "cfwa_");
        assert!(matches!(identities.viewer(&spelled, TokenKind::Api).await, Err(WhoError::Nobody)));

        backend.hand.advance(Duration::from_secs(12 * 3600 - 1));
        assert!(identities.viewer(token.reveal(), TokenKind::Browser).await.is_ok());
        backend.hand.advance(Duration::from_secs(1));
        assert!(matches!(identities.viewer(token.reveal(), TokenKind::Browser).await, Err(WhoError::Nobody)));
        identities.sweep_once().await.unwrap();
        let standing = identities.standing(&viewer.signin.id).await.unwrap().unwrap();
        assert_eq!(standing.signin.end_why, Some(EndWhy::Expired));
    }
}

#[tokio::test]
async fn signing_out_ends_the_links_of_the_browser_and_spares_the_command_line() {
    for backend in backends().await {
        let identities = service(&backend);
        let (viewer, token) = identities.welcome(&vouched("alice", &[]), None).await.unwrap();
        let link = identities.by_link(&viewer, "192.0.2.1".parse().unwrap()).await.unwrap();
        let mut tx = backend.store.begin().await.unwrap();
        let cli = identities.descend(&mut tx, &viewer.signin.id, Method::Loopback, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(cli.signin.ends_at, viewer.signin.ends_at);

        let mut news = backend.store.changes();
        let me = viewer.actor(None);
        assert!(identities.end_signin(&viewer.signin.id, EndWhy::Logout, me.clone()).await.unwrap());
        assert!(!identities.end_signin(&viewer.signin.id, EndWhy::Logout, me).await.unwrap());
        assert!(identities.viewer(token.reveal(), TokenKind::Browser).await.is_err());
        let over = async |id: &SigninId| {
            identities.standing(id).await.unwrap().unwrap().over(backend.store.clock().wall())
        };
        assert_eq!(over(&link.signin.id).await, Some(EndWhy::Logout));
        assert_eq!(over(&cli.signin.id).await, None);
        let mut told = Vec::new();
        while let Ok(news) = news.try_recv() {
            told.push(news.change);
        }
        assert!(told.contains(&Change::Signin(viewer.signin.id.clone())));
        assert!(told.contains(&Change::Signin(link.signin.id.clone())));

        assert!(
            !identities.end_signin(&viewer.signin.id, EndWhy::Revoked, Actor::Curfew).await.unwrap(),
            "it had ended, but what is left of it ends now"
        );
        assert_eq!(over(&cli.signin.id).await, Some(EndWhy::Revoked));
        assert!(matches!(
            identities.by_link(&viewer, "192.0.2.1".parse().unwrap()).await,
            Err(SigninError::Over)
        ));
    }
}

#[tokio::test]
async fn a_disabled_identity_can_do_nothing_until_it_is_enabled() {
    for backend in backends().await {
        let identities = service(&backend);
        let (viewer, token) = identities.welcome(&vouched("carol", &[]), None).await.unwrap();
        let id = viewer.identity.id.clone();
        assert!(identities.disable(&id, Some("left"), Actor::Curfew).await.unwrap());
        assert!(!identities.disable(&id, None, Actor::Curfew).await.unwrap());
        assert!(identities.viewer(token.reveal(), TokenKind::Browser).await.is_err());
        let again = identities.welcome(&vouched("carol", &[]), None).await;
        assert!(matches!(again, Err(SigninError::Disabled)));
        assert!(identities.enable(&id, None, Actor::Curfew).await.unwrap());
        let (back, _) = identities.welcome(&vouched("carol", &[]), None).await.unwrap();
        assert_eq!(back.identity.id, id);
        assert!(identities.viewer(token.reveal(), TokenKind::Browser).await.is_err());
        let log = audit(&backend).await;
        for event in
            ["signin.started", "identity.disabled", "signin.ended", "signin.refused", "identity.enabled"]
        {
            assert!(log.contains(event), "{event}");
        }
        assert!(!log.contains(&token.reveal()[5..]));
    }
}

#[tokio::test]
async fn two_providers_that_vouch_for_one_email_mean_one_person() {
    for backend in backends().await {
        let identities = service(&backend);
        let here = identities.welcome(&vouched("alice", &["sre"]), None).await.unwrap().0.identity;
        let mut other = vouched("alice", &["contractors"]);
        other.issuer = "https://other.example.com".into();
        other.email = "Alice@Example.com".into();
        other.dropped = vec!["group sre-leads".into()];
        let there = identities.welcome(&other, None).await.unwrap().0.identity;
        assert_eq!(here.person, there.person);
        assert_ne!(here.id, there.id);
        assert_eq!(backend.store.identities_of(&here.person).await.unwrap().len(), 2);
        assert!(audit(&backend).await.contains("group sre-leads"));
    }
}

fn request() -> (Vec<u8>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    (request.pem().unwrap().into_bytes(), key)
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()]
}

#[tokio::test]
async fn teleport_pr_41826_a_certificate_is_worth_nothing_after_its_sign_in() {
    for backend in backends().await {
        let identities = service(&backend);
        let (viewer, _) = identities.welcome(&vouched("alice", &[]), None).await.unwrap();
        let made = identities.certify(&viewer, &request().0, None).await.unwrap();
        let certificate = chain(&made.text);
        let judged = identities.judge_certificate(&certificate).await.unwrap();
        assert_eq!(judged.signin, viewer.signin.id);
        assert_eq!(judged.identity, viewer.identity);

        identities.end_signin(&viewer.signin.id, EndWhy::Logout, Actor::Curfew).await.unwrap();
        let why = identities.judge_certificate(&certificate).await.unwrap_err();
        assert!(why.contains("you signed out"), "{why}");
        identities.disable(&viewer.identity.id, None, Actor::Curfew).await.unwrap();
        let why = identities.judge_certificate(&certificate).await.unwrap_err();
        assert_eq!(why, "your identity was disabled");
    }
}

#[tokio::test]
async fn a_certificate_that_is_expired_or_foreign_is_told_in_a_sentence() {
    for backend in backends().await {
        let identities = service(&backend);
        let (viewer, _) = identities.welcome(&vouched("alice", &[]), None).await.unwrap();
        let made = identities.certify(&viewer, &request().0, None).await.unwrap();
        assert_eq!(made.ends_at, viewer.signin.started_at + SignedDuration::from_hours(1));

        let stranger = service(&backend);
        let foreign = stranger.certify(&viewer, &request().0, None).await.unwrap();
        let why = identities.judge_certificate(&chain(&foreign.text)).await.unwrap_err();
        assert!(why.contains("not signed by this gate"), "{why}");

        // Signed with our key, but never made by this service: the store does not know it.
        let subject = curfew_certs::ClientSubject {
            serial: [0x41; 16],
            email: "alice@example.com".into(),
            signin: viewer.signin.id.to_string(),
        };
        let now = backend.store.clock().wall();
        let forged = identities.authority.sign_client(&request().0, &subject, now, made.ends_at).unwrap();
        let why = identities.judge_certificate(&[forged.der]).await.unwrap_err();
        assert!(why.contains("no sign-in of this gate"), "{why}");

        backend.hand.advance(Duration::from_secs(3601));
        let why = identities.judge_certificate(&chain(&made.text)).await.unwrap_err();
        assert!(why.contains("expired"), "{why}");
        assert!(identities.certify(&viewer, b"nonsense", None).await.is_err());
    }
}

#[tokio::test]
async fn a_certificate_never_outlives_its_sign_in() {
    for backend in backends().await {
        let identities = service(&backend);
        let (viewer, _) = identities.welcome(&vouched("alice", &[]), None).await.unwrap();
        backend.hand.advance(Duration::from_secs(11 * 3600 + 1800));
        assert!(identities.stale(&viewer.signin));
        let made = identities.certify(&viewer, &request().0, None).await.unwrap();
        assert_eq!(made.ends_at, viewer.signin.ends_at);
    }
}

#[tokio::test]
async fn a_key_stands_for_one_identity_as_long_as_its_signin_stands() {
    for backend in backends().await {
        let identities = service(&backend);
        let alice = identities.welcome(&vouched("alice", &[]), None).await.unwrap().0;
        let bob = identities.welcome(&vouched("bob", &[]), None).await.unwrap().0;
        let here = [127, 0, 0, 1].into();
        let key = ProvedKey { line: "ssh-ed25519 AAAA".into(), fingerprint: "SHA256:key".into() };
        let who = |viewer: &Viewer| SignedIn::new(viewer.identity.clone(), viewer.signin.id.clone());
        assert!(identities.judge_key(&key.fingerprint).await.unwrap_err().contains("not bound"));
        identities.bind_key(&who(&alice), &key, here).await.unwrap();
        assert_eq!(identities.judge_key(&key.fingerprint).await.unwrap().identity, alice.identity);
        let taken = identities.bind_key(&who(&bob), &key, here).await;
        assert!(matches!(taken, Err(BindError::Taken)));
        assert_eq!(identities.keys(Some(&alice.identity)).await.unwrap().len(), 1);
        assert!(identities.keys(Some(&bob.identity)).await.unwrap().is_empty());
        assert!(
            !identities.remove_key(&key.fingerprint, Some(&bob.identity), bob.actor(None)).await.unwrap()
        );

        identities.end_signin(&alice.signin.id, EndWhy::Logout, alice.actor(None)).await.unwrap();
        assert!(identities.judge_key(&key.fingerprint).await.unwrap_err().contains("you signed out"));
        assert!(identities.keys(None).await.unwrap().is_empty());
        identities.bind_key(&who(&bob), &key, here).await.unwrap();
        assert_eq!(identities.judge_key(&key.fingerprint).await.unwrap().identity, bob.identity);
        assert!(identities.remove_key(&key.fingerprint, None, bob.actor(None)).await.unwrap());
        assert!(identities.judge_key(&key.fingerprint).await.is_err());
    }
}

#[tokio::test]
async fn an_ssh_certificate_signs_in_until_its_signin_is_over() {
    for backend in backends().await {
        let identities = service(&backend);
        let alice = identities.welcome(&vouched("alice", &[]), None).await.unwrap().0;
        let key = SshKey::generate().unwrap().public_line().unwrap();
        let made = identities.certify_key(&alice, &key, None).await.unwrap();
        let who = identities.judge_user_certificate(&made.text).await.unwrap();
        assert_eq!((who.identity, who.signin), (alice.identity.clone(), alice.signin.id.clone()));
        let foreign = SshKey::generate().unwrap();
        let now = backend.hand.clock().wall();
        let signin = alice.signin.id.as_str();
        let forged = foreign.certify_client(&key, signin, 1, now, made.ends_at).unwrap();
        assert!(
            identities.judge_user_certificate(&forged).await.unwrap_err().contains("not signed by this gate")
        );
        identities.end_signin(&alice.signin.id, EndWhy::Revoked, alice.actor(None)).await.unwrap();
        assert!(identities.judge_user_certificate(&made.text).await.unwrap_err().contains("revoked"));
    }
}
