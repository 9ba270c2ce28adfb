//! From the first byte to ReadyForQuery, and all the ways of not getting there.

use super::target::FakeTarget;
use super::{Fixture, adapter, packet, refused};
use crate::codec::frontend::{terminate, write_query};
use crate::codec::startup::{ssl_request, startup};
use crate::codec::{backend, frame, report};
use crate::tests::talk::Talk;
use curfew_adapter::{AdapterError, EndReason, Ended, Notice, Refusal, RefusalKind};
use curfew_conformance::Stage;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

fn notice(message: &str) -> Notice {
    Notice { message: message.to_owned(), ..Notice::default() }
}

#[tokio::test]
async fn a_session_begins_with_the_targets_settings_and_a_key_of_our_own() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.start(&[("application_name", "psql"), ("search_path", "evil")]).await;
    let found = talk.until(backend::READY).await;
    let tags: Vec<_> = found.iter().map(|(tag, _)| char::from(*tag)).collect();
    assert_eq!(tags, ['R', 'S', 'K', 'Z']);
    assert_eq!(found[1].1, b"TimeZone\0UTC\0");
    assert_ne!(found[2].1[..4], super::target::PROCESS.to_be_bytes());
    let said = fixture.target.notes.until("startup").await;
    assert_eq!(said, "startup user=orders_read database=orders application_name=psql search_path=evil");
}

#[tokio::test]
async fn parameters_run_nothing_before_admission() {
    let fixture = Fixture::new(|script| {
        script.refuse = Some(Refusal::new(RefusalKind::NoGrant, "curfew: no grant", "ask"));
    })
    .await;
    let talk = fixture.start(&[("search_path", "evil, public"), ("options", "-c statement_timeout=1")]).await;
    assert_eq!(refused(talk).await, ("42501".to_owned(), "curfew: no grant".to_owned()));
    assert_eq!(fixture.target.notes.all(), Vec::<String>::new());
}

#[tokio::test]
async fn refusals_have_their_sqlstate() {
    let table = [
        (RefusalKind::NotSignedIn, "28000"),
        (RefusalKind::NotAllowed, "42501"),
        (RefusalKind::Barred, "55000"),
        (RefusalKind::TooMany, "53300"),
        (RefusalKind::Unavailable, "57P03"),
        (RefusalKind::Draining, "57P03"),
    ];
    for (kind, code) in table {
        let refusal = Refusal::new(kind, "curfew: no", "hint");
        let mut fixture = Fixture::new(|script| script.refuse_sign_in = Some(refusal)).await;
        let talk = fixture.start(&[]).await;
        assert_eq!(refused(talk).await.0, code);
        assert!(matches!(fixture.stage.served().await, Some(Ok(Ended::Refused))));
    }
}

#[tokio::test]
async fn psql_is_shown_the_link_and_waits() {
    let fixture = Fixture::new(|script| {
        script.link = Some(notice("open the link"));
        script.pending = Some(notice("ask for access"));
    })
    .await;
    let mut talk = fixture.start(&[("application_name", "psql")]).await;
    assert_eq!(talk.message().await.0, backend::AUTHENTICATION);
    for expected in ["open the link", "ask for access"] {
        let (tag, body) = talk.message().await;
        assert_eq!(tag, backend::NOTICE);
        assert_eq!(report::read(&body).message, expected);
        fixture.core.go_on();
    }
    let found = talk.until(backend::READY).await;
    assert!(found.iter().all(|(tag, _)| *tag != backend::AUTHENTICATION), "only once");
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_is_noticed() {
    for goodbye in [false, true] {
        let mut fixture = Fixture::new(|script| script.link = Some(notice("open the link"))).await;
        let mut talk = fixture.start(&[("application_name", "psql")]).await;
        talk.until(backend::NOTICE).await;
        if goodbye {
            let mut out = Vec::new();
            terminate(&mut out);
            talk.send(&out).await;
        } else {
            drop(talk);
        }
        fixture.core.until_given_up().await;
        assert!(matches!(fixture.stage.served().await, Some(Ok(Ended::Refused))));
    }
}

#[tokio::test]
async fn a_client_that_talks_while_it_waits_is_stopped() {
    let mut fixture = Fixture::new(|script| script.link = Some(notice("open the link"))).await;
    let mut talk = fixture.start(&[("application_name", "psql")]).await;
    talk.until(backend::NOTICE).await;
    let mut flood = Vec::new();
    write_query(&mut flood, &"x".repeat(20_000));
    talk.send(&flood).await;
    assert_eq!(refused(talk).await.0, "08P01");
    assert!(matches!(fixture.stage.served().await, Some(Err(AdapterError::Protocol(_)))));
}

#[tokio::test]
async fn a_program_that_cant_wait_is_shown_nothing_before_its_answer() {
    let fixture = Fixture::new(|script| script.link = Some(notice("open the link"))).await;
    let mut talk = fixture.start(&[("application_name", "DBeaver")]).await;
    fixture.core.go_on();
    let found = talk.until(backend::READY).await;
    assert!(found.iter().all(|(tag, _)| *tag != backend::NOTICE));
    assert!(!fixture.core.asks()[0].0.can_wait);
}

#[tokio::test]
async fn startup_without_database_or_user_is_refused() {
    for parameters in [&[("user", "u")][..], &[("database", "d")], &[("user", "u"), ("database", "")], &[]] {
        let fixture = Fixture::new(|_| ()).await;
        let mut talk = fixture.dial().await;
        let mut out = Vec::new();
        startup(&mut out, 0, parameters.iter().copied());
        talk.send(&out).await;
        assert_eq!(refused(talk).await.0, "28000");
        assert!(fixture.core.asks().is_empty());
    }
}

#[tokio::test]
async fn plaintext_is_refused_with_a_sentence() {
    let fixture = Fixture::new(|_| ()).await;
    let mut stage = Stage::open(adapter(false), fixture.core.clone(), Duration::from_secs(10)).await.unwrap();
    let mut talk = Talk::new(TcpStream::connect(stage.address).await.unwrap());
    talk.send(&packet(&[])).await;
    let (code, message) = refused(talk).await;
    assert_eq!(code, "28000");
    assert!(message.contains("TLS"), "{message}");
    assert!(matches!(stage.served().await, Some(Ok(Ended::Refused))));
}

#[tokio::test]
async fn tls_and_plaintext_in_one_write_are_refused() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.dial().await;
    let mut out = Vec::new();
    ssl_request(&mut out);
    out.extend(packet(&[]));
    talk.send(&out).await;
    assert_eq!(refused(talk).await.0, "08P01");
    assert!(fixture.core.asks().is_empty());
}

pub async fn unreachable(fixture: &mut Fixture) -> String {
    let talk = fixture.start(&[]).await;
    let (code, message) = refused(talk).await;
    assert_eq!(code, "08001", "{message}");
    assert_eq!(fixture.core.closing().await.reason, EndReason::TargetUnreachable);
    assert!(!message.contains("the account's secret"));
    message
}

#[tokio::test]
async fn what_the_target_says_at_startup_reaches_the_user() {
    static SAID: &[u8] = b"E\0\0\0\x1dSFATAL\0Mno such role\0\0";
    let target = FakeTarget::start(|mut talk, _| {
        Box::pin(async move {
            let mut out = Vec::new();
            frame::message(&mut out, backend::ERROR, |out| out.extend_from_slice(&SAID[5..]));
            talk.send(&out).await;
        })
    })
    .await;
    let mut fixture = Fixture::with(target, |_| ()).await;
    assert!(unreachable(&mut fixture).await.ends_with("it says: no such role"));
}

#[tokio::test]
async fn a_target_that_floods_the_startup_is_left() {
    let target = FakeTarget::start(|mut talk, _| {
        Box::pin(async move {
            let mut out = Vec::new();
            backend::authentication_ok(&mut out);
            for _ in 0..200 {
                frame::message(&mut out, backend::PARAMETER_STATUS, |out| {
                    out.extend_from_slice(b"a\0");
                    out.extend_from_slice(&[b'b'; 20_000]);
                    out.push(0);
                });
            }
            let _ = talk.stream.write_all(&out).await;
            talk.rest().await;
        })
    })
    .await;
    let mut fixture = Fixture::with(target, |_| ()).await;
    assert!(unreachable(&mut fixture).await.contains("more than a server says"));
}

#[tokio::test]
async fn a_target_that_refuses_without_a_sqlstate_is_told_in_a_sentence() {
    for (said, expected) in [
        (&b"E\0\0\0\x13SFATAL\0Mno way\0"[..], "it says: no way"),
        (b"E\0\0\0\x05\0", "it says"),
        (b"E\0\0\0\x04", "it says"),
        (b"E\0\0\0\x09Munen", "it says"),
    ] {
        let mut fixture = Fixture::with(FakeTarget::saying(said).await, |_| ()).await;
        let message = unreachable(&mut fixture).await;
        assert!(message.contains(expected), "{message}");
    }
}
