use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;

use super::super::tests::{api_token, service, vouched};
use super::super::{Identities, Viewer, WhoError};
use super::*;
use crate::store::tests::{Backend, backends};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const BACK: &str = "http://127.0.0.1:4711/callback";
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

async fn scene() -> (Backend, Identities, Viewer) {
    let backend = backends().await.remove(0);
    let identities = service(&backend);
    let viewer = identities.welcome(&vouched("alice", &[]), None).await.unwrap().0;
    (backend, identities, viewer)
}

fn wanted() -> Wanted {
    Wanted {
        response_type: "code".into(),
        client_id: CLIENT_ID.into(),
        redirect_uri: BACK.into(),
        code_challenge: BASE64URL_NOPAD.encode(digest(&SHA256, VERIFIER.as_bytes()).as_ref()),
        code_challenge_method: "S256".into(),
        state: "s".into(),
    }
}

/// Another address: where the browser is does not matter to a device that brings the digits.
const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

async fn digits(identities: &Identities, viewer: &Viewer, typed: &str) -> String {
    match identities.agree_to_device(viewer, typed, AWAY).await.unwrap() {
        Agreed::Digits(digits) => digits,
        Agreed::Done => panic!("it asks for no digits"),
    }
}

fn code_of<T>(outcome: Result<T, TokenError>) -> &'static str {
    match outcome {
        Ok(_) => "granted",
        Err(TokenError::Told(code, _)) => code,
        Err(TokenError::Store(_)) => "store",
    }
}

#[test]
fn a_code_is_sent_to_loopback_by_number_and_nowhere_else() {
    assert_eq!(wanted().check().unwrap().as_str(), BACK);
    assert!(Wanted { redirect_uri: "http://[::1]:80000/".into(), ..wanted() }.check().is_err());
    assert!(Wanted { redirect_uri: "http://[::1]:8000/".into(), ..wanted() }.check().is_ok());
    for hostile in [
        "https://evil.example/",
        "http://evil.example:80/",
        "http://127.0.0.1@evil.example:1/",
        "http://evil@127.0.0.1:1/",
        "http://localhost:4711/",
        "http://127.0.0.1.evil.example:1/",
        "https://127.0.0.1:1/",
        "http://127.0.0.1/",
        "http://127.0.0.1:1/#x",
        "javascript:alert(1)",
        "curfew://127.0.0.1:1/",
        "",
    ] {
        let refused = Wanted { redirect_uri: hostile.into(), ..wanted() }.check();
        assert!(matches!(refused, Err(WantedError::Here(_))), "{hostile}");
    }
    assert!(matches!(Wanted { client_id: "other".into(), ..wanted() }.check(), Err(WantedError::Here(_))));
}

#[test]
fn a_request_without_a_real_challenge_is_answered_with_an_error() {
    for (challenge, method) in [("", "S256"), (VERIFIER, "plain"), ("AAAA", "S256"), ("", "")] {
        let asked =
            Wanted { code_challenge: challenge.into(), code_challenge_method: method.into(), ..wanted() };
        assert!(
            matches!(asked.check(), Err(WantedError::Back("invalid_request", _))),
            "{challenge} {method}"
        );
    }
    let token = Wanted { response_type: "token".into(), ..wanted() };
    assert!(matches!(token.check(), Err(WantedError::Back("unsupported_response_type", _))));
}

#[tokio::test]
async fn a_code_gives_one_token_to_the_client_that_asked() {
    let (backend, identities, alice) = scene().await;
    let code = identities.give_code(&alice, &wanted()).await.unwrap();
    let redeem = async |back: &str, verifier: &str| identities.redeem_code(&code, back, verifier, HERE).await;
    assert_eq!(code_of(redeem(BACK, "another").await), "invalid_grant");
    assert_eq!(code_of(redeem("http://127.0.0.1:1/", VERIFIER).await), "invalid_grant");
    let granted = redeem(BACK, VERIFIER).await.unwrap();
    let viewer = identities.viewer(granted.token.reveal(), TokenKind::Api).await.unwrap();
    assert_eq!((viewer.identity, viewer.signin.ends_at), (alice.identity.clone(), alice.signin.ends_at));
    assert_eq!(granted.seconds, 12 * 3600);

    // The second use means that somebody else has the code: the first one's token is gone, too.
    assert_eq!(code_of(redeem(BACK, VERIFIER).await), "invalid_grant");
    let gone = identities.viewer(granted.token.reveal(), TokenKind::Api).await;
    assert!(matches!(gone, Err(WhoError::Nobody)));

    let code = identities.give_code(&alice, &wanted()).await.unwrap();
    backend.hand.advance(Duration::from_secs(60));
    assert_eq!(code_of(identities.redeem_code(&code, BACK, VERIFIER, HERE).await), "invalid_grant");
    assert_eq!(code_of(identities.redeem_code("nothing", BACK, VERIFIER, HERE).await), "invalid_grant");
}

#[tokio::test]
async fn a_code_of_a_sign_in_that_ended_gives_nothing() {
    let (_backend, identities, alice) = scene().await;
    let code = identities.give_code(&alice, &wanted()).await.unwrap();
    identities.end_signin(&alice.signin.id, EndWhy::Revoked, Actor::Curfew).await.unwrap();
    assert_eq!(code_of(identities.redeem_code(&code, BACK, VERIFIER, HERE).await), "access_denied");
}

#[tokio::test]
async fn a_device_needs_its_code_in_the_browser_and_the_digits_in_itself() {
    let (backend, identities, alice) = scene().await;
    let start = identities.start_device(CLIENT_ID, HERE).await.unwrap();
    let poll = async |digits: Option<&str>| {
        identities.redeem_device(&start.device_code, CLIENT_ID, digits, HERE).await
    };
    backend.hand.advance(Duration::from_secs(2));
    assert_eq!(code_of(poll(None).await), "authorization_pending");
    assert_eq!(code_of(poll(Some("123456")).await), "slow_down");

    let typed = start.user_code.to_lowercase().replace('-', " ");
    assert_eq!(identities.find_device(&typed, AWAY).await.unwrap().address, HERE);
    let digits = digits(&identities, &alice, &typed).await;
    assert_eq!(
        Agreed::Digits(digits.clone()),
        identities.agree_to_device(&alice, &typed, AWAY).await.unwrap()
    );
    assert!(digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()));
    let bob = identities.welcome(&vouched("bob", &[]), None).await.unwrap().0;
    assert!(identities.agree_to_device(&bob, &typed, HERE).await.is_err());

    assert_eq!(code_of(poll(None).await), "digits_required");
    let wrong = if digits == "000000" { "000001" } else { "000000" };
    assert_eq!(code_of(poll(Some(wrong)).await), "digits_wrong");
    let granted = poll(Some(&digits)).await.unwrap();
    let viewer = identities.viewer(granted.token.reveal(), TokenKind::Api).await.unwrap();
    assert_eq!(viewer.identity, alice.identity);
    assert_eq!(code_of(poll(Some(&digits)).await), "invalid_grant");
    assert!(identities.find_device(&typed, AWAY).await.is_err());
}

#[tokio::test]
async fn five_wrong_digits_end_a_device() {
    let (_backend, identities, alice) = scene().await;
    let start = identities.start_device(CLIENT_ID, HERE).await.unwrap();
    let digits = digits(&identities, &alice, &start.user_code).await;
    let wrong = if digits == "000000" { "000001" } else { "000000" };
    let poll = async |digits: &str| {
        identities.redeem_device(&start.device_code, CLIENT_ID, Some(digits), HERE).await
    };
    for _ in 0..4 {
        assert_eq!(code_of(poll(wrong).await), "digits_wrong");
    }
    assert_eq!(code_of(poll(wrong).await), "access_denied");
    assert_eq!(code_of(poll(&digits).await), "access_denied");
}

#[tokio::test]
async fn a_device_that_is_refused_late_or_one_too_many_gets_nothing() {
    let (backend, identities, alice) = scene().await;
    let start = identities.start_device(CLIENT_ID, HERE).await.unwrap();
    identities.deny_device(&start.user_code).await.unwrap();
    assert_eq!(
        code_of(identities.redeem_device(&start.device_code, CLIENT_ID, None, HERE).await),
        "access_denied"
    );
    assert!(identities.agree_to_device(&alice, &start.user_code, HERE).await.is_err());

    let late = identities.start_device(CLIENT_ID, HERE).await.unwrap();
    backend.hand.advance(Duration::from_secs(600));
    assert!(identities.find_device(&late.user_code, HERE).await.is_err());
    assert_eq!(
        code_of(identities.redeem_device(&late.device_code, CLIENT_ID, None, HERE).await),
        "expired_token"
    );
    for _ in 0..20 {
        identities.start_device(CLIENT_ID, HERE).await.unwrap();
    }
    assert_eq!(code_of(identities.start_device(CLIENT_ID, HERE).await), "slow_down");
    assert!(identities.start_device(CLIENT_ID, "192.0.2.1".parse().unwrap()).await.is_ok());
    identities.sweep_once().await.unwrap();
    assert_eq!(
        code_of(identities.redeem_device(&late.device_code, CLIENT_ID, None, HERE).await),
        "invalid_grant"
    );
}

#[tokio::test]
async fn revoking_a_clients_token_ends_its_sign_in_alone() {
    let (_backend, identities, alice) = scene().await;
    let code = identities.give_code(&alice, &wanted()).await.unwrap();
    let granted = identities.redeem_code(&code, BACK, VERIFIER, HERE).await.unwrap();
    identities.revoke_token("nonsense", |_| Actor::Curfew).await.unwrap();
    identities.revoke_token(granted.token.reveal(), |_| Actor::Curfew).await.unwrap();
    assert!(identities.viewer(granted.token.reveal(), TokenKind::Api).await.is_err());
    assert!(identities.standing(&alice.signin.id).await.unwrap().unwrap().signin.ended_at.is_none());
}

/// A Postgres client that waits.
async fn postgres(identities: &Identities) -> DeviceStart {
    identities.start_device("psql", HERE).await.unwrap()
}

#[tokio::test]
async fn a_postgres_client_gets_a_token_for_postgres_alone_and_needs_no_digits() {
    for backend in backends().await {
        let identities = service(&backend);
        let alice = identities.welcome(&vouched("alice", &[]), None).await.unwrap().0;
        let start = postgres(&identities).await;
        let poll = async || identities.redeem_device(&start.device_code, "psql", None, HERE).await;
        // libpq asks for the first time at once, and later at the interval.
        assert_eq!(code_of(poll().await), "authorization_pending");
        assert_eq!(code_of(poll().await), "slow_down");
        let view = identities.find_device(&start.user_code, HERE).await.unwrap();
        assert_eq!(view.client.as_deref(), Some("psql"));
        for _ in 0..2 {
            let agreed = identities.agree_to_device(&alice, &start.user_code, HERE).await.unwrap();
            assert_eq!(agreed, Agreed::Done);
        }
        let granted = poll().await.unwrap();
        let token = granted.token.reveal();
        assert_eq!(granted.seconds, 12 * 3600);
        for kind in [TokenKind::Api, TokenKind::Browser] {
            assert!(matches!(identities.viewer(token, kind).await, Err(WhoError::Nobody)), "{kind:?}");
        }
        let who = identities.judge_bearer(token).await.unwrap();
        assert_eq!((who.identity, who.elsewhere), (alice.identity, None));
        assert_ne!(who.signin, alice.signin.id, "a sign-in of its own");
        assert_eq!(code_of(poll().await), "invalid_grant");
        // Taken back, and its sign-in with it.
        identities.revoke_token(token, |_| Actor::Curfew).await.unwrap();
        assert!(identities.judge_bearer(token).await.unwrap_err().contains("its sign-in is over"));
    }
}

#[tokio::test]
async fn a_code_is_good_for_the_client_that_it_was_made_for() {
    let (_backend, identities, alice) = scene().await;
    // A Postgres client's, in curfew's name: no token for the API without digits.
    let theirs = postgres(&identities).await;
    identities.agree_to_device(&alice, &theirs.user_code, HERE).await.unwrap();
    for name in [CLIENT_ID, "another"] {
        let poll = identities.redeem_device(&theirs.device_code, name, None, HERE).await;
        assert_eq!(code_of(poll), "invalid_grant", "{name}");
    }
    // curfew's, in a Postgres client's name: no way around the digits.
    let ours = identities.start_device(CLIENT_ID, HERE).await.unwrap();
    digits(&identities, &alice, &ours.user_code).await;
    assert_eq!(
        code_of(identities.redeem_device(&ours.device_code, "psql", None, HERE).await),
        "invalid_grant"
    );
    for name in ["", " ", "a b", "\u{fc}", &"x".repeat(65)] {
        assert_eq!(code_of(identities.start_device(name, HERE).await), "invalid_client", "{name}");
    }
}

#[tokio::test]
async fn a_postgres_clients_browser_is_where_the_client_is() {
    let (_backend, identities, alice) = scene().await;
    let start = postgres(&identities).await;
    let wrong = |error| matches!(error, DeviceError::WrongAddress { client: HERE, browser: AWAY });
    assert!(wrong(identities.find_device(&start.user_code, AWAY).await.unwrap_err()));
    assert!(wrong(identities.agree_to_device(&alice, &start.user_code, AWAY).await.unwrap_err()));
    let poll = identities.redeem_device(&start.device_code, "psql", None, HERE).await;
    assert_eq!(code_of(poll), "authorization_pending", "nobody has agreed");
}

#[tokio::test]
async fn where_the_browser_may_be_elsewhere_the_token_says_that_it_was() {
    for backend in backends().await {
        let mut identities = service(&backend);
        let networks = vec!["192.0.2.0/24".parse().unwrap()];
        identities.addresses = crate::config::LinkAddresses::Networks(networks);
        let alice = identities.welcome(&vouched("alice", &[]), None).await.unwrap().0;
        let start = postgres(&identities).await;
        identities.agree_to_device(&alice, &start.user_code, AWAY).await.unwrap();
        let granted = identities.redeem_device(&start.device_code, "psql", None, HERE).await.unwrap();
        assert_eq!(identities.judge_bearer(granted.token.reveal()).await.unwrap().elsewhere, Some(AWAY));
    }
}

#[tokio::test]
async fn teleport_13_4_0_only_a_token_that_is_for_it_signs_in_a_postgres_client() {
    let (backend, identities, alice) = scene().await;
    let browser = identities.welcome(&vouched("alice", &[]), None).await.unwrap().1;
    let api = api_token(&identities, &alice).await;
    let who = identities.judge_bearer(api.reveal()).await.unwrap();
    assert_eq!((who.identity.id, who.elsewhere), (alice.identity.id.clone(), None));
    let code = identities.give_code(&alice, &wanted()).await.unwrap();
    let device = postgres(&identities).await;
    identities.agree_to_device(&alice, &device.user_code, HERE).await.unwrap();
    for wrong in [
        browser.reveal(),
        &browser.reveal().replace("cfwb_", "cfwa_"),
        &browser.reveal().replace("cfwb_", "cfwp_"),
        &api.reveal().replace("cfwa_", "cfwp_"),
        &api.reveal()[5..],
        &code,
        &device.device_code,
        alice.signin.id.as_str(),
        // An id token, as a provider makes them.
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIn0.c2lnbmF0dXJl",
        "",
    ] {
        assert!(identities.judge_bearer(wrong).await.is_err(), "{wrong}");
    }
    backend.hand.advance(Duration::from_secs(12 * 3600));
    assert!(identities.judge_bearer(api.reveal()).await.is_err(), "its sign-in is over");
}
