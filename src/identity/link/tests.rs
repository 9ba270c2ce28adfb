use std::time::Duration;

use curfew_adapter::{ManualClock, Progress, Step};

use super::super::tests::{service, vouched};
use super::*;
use crate::store::tests::{Backend, backends};

struct Scene {
    links: Links,
    alice: Viewer,
    bob: Viewer,
    hand: ManualClock,
    _backend: Backend,
}

async fn scene(addresses: LinkAddresses) -> Scene {
    let backend = backends().await.remove(0);
    let identities = Arc::new(service(&backend));
    let alice = identities.welcome(&vouched("alice", &["sre"]), None).await.unwrap().0;
    let bob = identities.welcome(&vouched("bob", &["sre-leads"]), None).await.unwrap().0;
    let links = Links::new(identities, "https://gate.example".into(), addresses);
    Scene { links, alice, bob, hand: backend.hand.clone(), _backend: backend }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn psql(client: &str) -> Connecting {
    Connecting {
        protocol: Protocol::Postgres,
        program: "psql".into(),
        client: ip(client),
        target: "orders".into(),
        account: "orders_read".into(),
        types: false,
    }
}

fn id(pending: &PendingLink) -> LinkId {
    LinkId::parse(pending.url().rsplit('/').next().unwrap()).unwrap()
}

fn wait(pending: PendingLink) -> Progress<SignedIn> {
    Progress::new(|tell| async move { pending.wait(&tell).await })
}

#[tokio::test]
async fn a_link_signs_its_connection_in_once() {
    let scene = scene(LinkAddresses::Same).await;
    let pending = scene.links.open(psql("127.0.0.1"));
    assert!(pending.url().starts_with("https://gate.example/link/"));
    let (link, here) = (id(&pending), ip("::ffff:127.0.0.1"));
    assert_eq!(scene.links.look(&link, here).unwrap().used_by, None);
    scene.links.consent(&link, &scene.alice, here).await.unwrap();
    let again = scene.links.consent(&link, &scene.bob, here).await;
    assert!(matches!(again, Err(LinkError::Gone)));
    let Step::Done(who) = wait(pending).next().await else { panic!() };
    assert_eq!(who.identity, scene.alice.identity);
    assert_ne!(who.signin, scene.alice.signin.id);
    assert_eq!(who.elsewhere, None);
    // The page goes on, as alice's.
    assert_eq!(scene.links.look(&link, here).unwrap().used_by, Some(scene.alice.identity.id));
}

#[tokio::test]
async fn two_who_consent_at_once_make_one_sign_in() {
    let scene = scene(LinkAddresses::Same).await;
    let pending = scene.links.open(psql("127.0.0.1"));
    let (link, here) = (id(&pending), ip("127.0.0.1"));
    let (one, other) = tokio::join!(
        scene.links.consent(&link, &scene.alice, here),
        scene.links.consent(&link, &scene.bob, here)
    );
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
    assert!(matches!(wait(pending).next().await, Step::Done(_)));
}

#[tokio::test]
async fn a_browser_at_another_address_is_told_so_and_the_client_too() {
    let scene = scene(LinkAddresses::Same).await;
    let pending = scene.links.open(psql("127.0.0.1"));
    let link = id(&pending);
    for _ in 0..9 {
        let refused = scene.links.consent(&link, &scene.bob, ip("127.0.0.2")).await;
        assert!(matches!(refused, Err(LinkError::WrongAddress { .. })));
    }
    for last in 3..9 {
        assert!(scene.links.look(&link, ip(&format!("127.0.0.{last}"))).is_err());
    }
    let mut progress = wait(pending);
    for told in 2..5 {
        let Step::Show(notice) = progress.next().await else { panic!() };
        assert!(notice.message.contains(&format!("127.0.0.{told}")), "{}", notice.message);
    }
    // However often that happened, the right browser still can.
    scene.links.consent(&link, &scene.alice, ip("127.0.0.1")).await.unwrap();
    assert!(matches!(progress.next().await, Step::Done(_)));
}

#[tokio::test]
async fn where_addresses_may_differ_the_sign_in_says_that_they_do() {
    for (addresses, allowed) in [
        (LinkAddresses::Any, true),
        (LinkAddresses::Networks(vec!["192.0.2.0/24".parse().unwrap()]), true),
        (LinkAddresses::Networks(vec!["198.51.100.0/24".parse().unwrap()]), false),
    ] {
        let scene = scene(addresses).await;
        let pending = scene.links.open(psql("127.0.0.1"));
        let consent = scene.links.consent(&id(&pending), &scene.alice, ip("192.0.2.7")).await;
        assert_eq!(consent.is_ok(), allowed);
        if allowed {
            let Step::Done(who) = wait(pending).next().await else { panic!() };
            assert_eq!(who.elsewhere, Some(ip("192.0.2.7")));
        }
    }
}

#[tokio::test]
async fn a_link_is_gone_with_its_connection() {
    let scene = scene(LinkAddresses::Same).await;
    let pending = scene.links.open(psql("127.0.0.1"));
    let link = id(&pending);
    drop(pending);
    assert!(matches!(scene.links.look(&link, ip("127.0.0.1")), Err(LinkError::Gone)));

    let pending = scene.links.open(psql("127.0.0.1"));
    let link = id(&pending);
    drop(wait(pending));
    assert!(matches!(scene.links.consent(&link, &scene.alice, ip("127.0.0.1")).await, Err(LinkError::Gone)));
}

#[tokio::test]
async fn somebody_who_says_no_refuses_the_connection() {
    let scene = scene(LinkAddresses::Same).await;
    let pending = scene.links.open(psql("127.0.0.1"));
    let link = id(&pending);
    scene.links.refuse(&link, ip("127.0.0.1")).unwrap();
    assert!(scene.links.consent(&link, &scene.alice, ip("127.0.0.1")).await.is_err());
    let Step::Refused(refusal) = wait(pending).next().await else { panic!() };
    assert_eq!(refusal.kind, RefusalKind::NotSignedIn);
}

#[tokio::test(start_paused = true)]
async fn a_link_lives_fifteen_minutes() {
    let hand;
    let links;
    let pending;
    {
        // The store's own timers and paused time don't mix: the scene is set in real time.
        tokio::time::resume();
        let scene = scene(LinkAddresses::Same).await;
        hand = scene.hand;
        links = scene.links;
        pending = links.open(psql("127.0.0.1"));
        tokio::time::pause();
    }
    let link = id(&pending);
    hand.advance(Duration::from_secs(899));
    assert!(links.look(&link, ip("127.0.0.1")).is_ok());
    hand.advance(Duration::from_secs(1));
    assert!(matches!(links.look(&link, ip("127.0.0.1")), Err(LinkError::Gone)));
    let Step::Refused(refusal) = wait(pending).next().await else { panic!() };
    assert!(refusal.notice.message.contains("in time"));
}

fn ssh(client: &str) -> Connecting {
    Connecting { protocol: Protocol::Ssh, program: "ssh".into(), types: true, ..psql(client) }
}

fn typed(pending: PendingLink) -> Progress<SignedIn> {
    Progress::new(|tell| async move { pending.typed(&tell).await })
}

async fn question(progress: &mut Progress<SignedIn>) -> curfew_adapter::Question {
    loop {
        match progress.next().await {
            Step::Ask(question) => return question,
            Step::Show(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_can_type_brings_the_digits_and_may_be_anywhere() {
    let scene = scene(LinkAddresses::Same).await;
    let pending = scene.links.open(ssh("127.0.0.1"));
    let (link, there) = (id(&pending), ip("127.0.0.2"));
    let mut connection = typed(pending);
    question(&mut connection).await.answer("123456".into());
    let Step::Show(notice) = connection.next().await else { panic!() };
    assert!(notice.message.contains("nobody has agreed"), "{}", notice.message);
    let second = question(&mut connection).await;
    assert_eq!(scene.links.look(&link, there).unwrap().digits, None);
    scene.links.consent(&link, &scene.alice, there).await.unwrap();
    let digits = scene.links.look(&link, there).unwrap().digits.unwrap();
    assert!(digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    second.answer(format!(" {digits} "));
    let Step::Done(who) = connection.next().await else { panic!() };
    assert_eq!((who.identity, who.elsewhere), (scene.alice.identity, None));
}

#[tokio::test]
async fn wrong_digits_sign_nobody_in_and_end_what_was_begun() {
    let scene = scene(LinkAddresses::Same).await;
    let pending = scene.links.open(ssh("127.0.0.1"));
    let (link, here) = (id(&pending), ip("127.0.0.1"));
    let mut connection = typed(pending);
    let mut asked = question(&mut connection).await;
    scene.links.consent(&link, &scene.alice, here).await.unwrap();
    let digits = scene.links.look(&link, here).unwrap().digits.unwrap();
    let wrong = if digits == "000000" { "000001" } else { "000000" };
    for _ in 1..DIGIT_TRIES {
        asked.answer(wrong.into());
        asked = question(&mut connection).await;
    }
    asked.answer(wrong.into());
    let refusal = loop {
        match connection.next().await {
            Step::Refused(refusal) => break refusal,
            Step::Show(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refusal.kind, RefusalKind::NotSignedIn);
    let open = scene.links.0.identities.store().open_signins(None, scene.links.0.clock.wall(), 100).await;
    let of_links = open.unwrap().into_iter().filter(|standing| standing.signin.method.as_str() == "link");
    assert_eq!(of_links.count(), 0);
}
