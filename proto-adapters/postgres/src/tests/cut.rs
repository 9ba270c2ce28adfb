//! How sessions end.

use super::Fixture;
use super::talk::Talk;
use super::target::{FakeTarget, PROCESS, greeting};
use crate::codec::frontend::write_query;
use crate::codec::{backend, frame, report};
use curfew_adapter::{EndReason, Goodbye, Notice};
use std::time::Duration;
use tokio::net::TcpStream;

fn revoked() -> Notice {
    let text = |text: &str| text.to_owned();
    Notice { message: text("revoked"), detail: text("by bob"), hint: text("ask again") }
}

async fn query(talk: &mut Talk<TcpStream>, text: &str) {
    let mut out = Vec::new();
    write_query(&mut out, text);
    talk.send(&out).await;
}

#[tokio::test]
async fn an_idle_session_is_told_and_its_backend_let_go() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.ready().await;
    fixture.core.keeper().await.end(EndReason::Revoked, revoked());
    let (tag, body) = talk.message().await;
    assert_eq!(tag, backend::ERROR);
    let told = report::read(&body);
    assert_eq!((&*told.severity, &*told.code, &*told.message), ("FATAL", "57P01", "revoked"));
    assert!(String::from_utf8_lossy(&body).contains("Dby bob\0Hask again\0"));
    assert_eq!(talk.rest().await, b"");
    fixture.target.notes.until("terminate").await;
    drop(talk);
    let closing = fixture.core.closing().await;
    let cut = closing.cut.unwrap();
    assert_eq!((cut.goodbye, cut.outstanding), (Goodbye::Sent, None));
    assert!(cut.target_work.contains("exited"), "{}", cut.target_work);
    assert_eq!(fixture.core.sink().of_kind("goodbye")[0]["message"], "revoked");
    assert!(fixture.target.notes.all().iter().all(|note| !note.starts_with("cancel")), "nothing ran");
}

#[tokio::test]
async fn a_running_statement_is_cancelled_at_the_end() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.ready().await;
    query(&mut talk, "sleep").await;
    fixture.target.notes.until("sleeping").await;
    fixture.core.keeper().await.end(EndReason::Killed, revoked());
    fixture.target.notes.until(&format!("cancel {PROCESS}")).await;
    drop(talk);
    let cut = fixture.core.closing().await.cut.unwrap();
    assert_eq!(cut.outstanding.as_deref(), Some("statement 1"));
    assert!(cut.target_work.contains("exited"), "{}", cut.target_work);
}

#[tokio::test]
async fn a_backend_that_survives_its_cancel_is_terminated_over_a_fresh_connection() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.ready().await;
    query(&mut talk, "stay").await;
    fixture.target.notes.until("sleeping").await;
    fixture.core.keeper().await.end(EndReason::Expired, revoked());
    let sql = fixture.target.notes.until("SELECT pg_catalog.pg_terminate_backend").await;
    assert!(sql.contains("pid = 4711 AND usename = session_user AND backend_start <="), "{sql}");
    let startups: Vec<_> =
        fixture.target.notes.all().into_iter().filter(|note| note.starts_with("startup")).collect();
    assert_eq!(
        startups[1],
        "startup user=orders_read database=orders search_path=pg_catalog application_name=curfew"
    );
    drop(talk);
    let cut = fixture.core.closing().await.cut.unwrap();
    assert!(cut.target_work.contains("terminated"), "{}", cut.target_work);
}

#[tokio::test]
async fn a_client_that_disappears_takes_its_statement_with_it() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.ready().await;
    query(&mut talk, "sleep").await;
    fixture.target.notes.until("sleeping").await;
    drop(talk);
    fixture.target.notes.until("cancel").await;
    let closing = fixture.core.closing().await;
    assert_eq!(closing.reason, EndReason::ClientClosed);
    assert!(closing.cut.is_none());
}

#[tokio::test]
async fn a_target_that_goes_without_a_word_is_explained() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.ready().await;
    query(&mut talk, "die").await;
    let (_, body) = talk.message().await;
    let told = report::read(&body);
    assert_eq!((&*told.severity, &*told.code), ("FATAL", "08006"));
    assert_eq!(talk.rest().await, b"");
    assert_eq!(fixture.core.closing().await.reason, EndReason::TargetClosed);
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_told_so() {
    // A message that has no place, a password, lengths that lie, a query with something behind its end.
    let broken: [&[u8]; 5] =
        [b"!\0\0\0\x04", b"p\0\0\0\x05\0", b"Q\0\0\0\x03", b"S\x7f\xff\xff\xff", b"Q\0\0\0\x07a\0b"];
    for bytes in broken {
        let fixture = Fixture::new(|_| ()).await;
        let mut talk = fixture.ready().await;
        talk.send(bytes).await;
        let (_, body) = talk.message().await;
        assert_eq!(report::read(&body).code, "08P01");
        assert_eq!(fixture.core.closing().await.reason, EndReason::ProtocolError);
        assert!(fixture.target.notes.all().iter().all(|note| !note.starts_with("message")));
    }
}

#[tokio::test]
async fn a_target_that_asks_the_client_for_a_password_is_cut_off() {
    let target = FakeTarget::start(|mut talk, _| {
        Box::pin(async move {
            talk.send(&greeting()).await;
            talk.send(b"R\0\0\0\x08\0\0\0\x03").await;
            talk.rest().await;
        })
    })
    .await;
    let fixture = Fixture::with(target, |_| ()).await;
    let mut talk = fixture.ready().await;
    let (tag, body) = talk.message().await;
    assert_eq!((tag, &*report::read(&body).code), (backend::ERROR, "08P01"));
    assert_eq!(fixture.core.closing().await.reason, EndReason::ProtocolError);
}

#[tokio::test]
async fn a_recording_that_fails_ends_the_session_before_the_statement_passes() {
    let fixture = Fixture::new(|_| ()).await;
    let mut talk = fixture.ready().await;
    fixture.core.sink().break_down();
    query(&mut talk, "sleep").await;
    let (_, body) = talk.message().await;
    assert_eq!(report::read(&body).code, "58030");
    assert_eq!(fixture.core.closing().await.reason, EndReason::RecordingFailed);
    assert!(!fixture.target.notes.all().contains(&"sleeping".to_owned()));
}

#[tokio::test]
async fn a_half_sent_message_leaves_no_place_for_a_goodbye() {
    let target = FakeTarget::start(|mut talk, _| {
        Box::pin(async move {
            talk.send(&greeting()).await;
            talk.message().await;
            // A row of 1 MiB, of which half comes.
            let mut out = vec![backend::DATA_ROW];
            out.extend_from_slice(&(1024 * 1024_i32).to_be_bytes());
            out.resize(512 * 1024, b'x');
            talk.send(&out).await;
            talk.rest().await;
        })
    })
    .await;
    let fixture = Fixture::with(target, |_| ()).await;
    let mut talk = fixture.ready().await;
    query(&mut talk, "a large row").await;
    while talk.buffer.len() < 512 * 1024 {
        assert!(talk.more().await > 0);
    }
    fixture.core.keeper().await.end(EndReason::Revoked, revoked());
    assert_eq!(talk.rest().await.len(), 512 * 1024);
    let cut = fixture.core.closing().await.cut.unwrap();
    assert!(matches!(cut.goodbye, Goodbye::None(why) if why.contains("half sent")), "{:?}", cut.goodbye);
}

#[tokio::test]
async fn the_countdown_goes_between_messages() {
    let target = FakeTarget::start(|mut talk, _| {
        Box::pin(async move {
            talk.send(&greeting()).await;
            talk.message().await;
            let mut rows = Vec::new();
            for _ in 0..1000 {
                frame::message(&mut rows, backend::DATA_ROW, |out| out.extend_from_slice(&[b'x'; 777]));
            }
            while tokio::io::AsyncWriteExt::write_all(&mut talk.stream, &rows).await.is_ok() {}
        })
    })
    .await;
    let fixture = Fixture::with(target, |script| {
        script.lease = Duration::from_secs(3);
        script.countdown = vec![Duration::from_secs(60), Duration::from_secs(2)];
    })
    .await;
    let mut talk = fixture.ready().await;
    query(&mut talk, "rows").await;
    loop {
        let (tag, body) = talk.message().await;
        if tag == backend::NOTICE {
            let told = report::read(&body);
            assert!(told.message.starts_with("curfew: this access ends in 2 seconds (at "), "{told:?}");
            assert!(String::from_utf8_lossy(&body).contains("Hcurfew extend\0"));
            break;
        }
        assert_eq!((tag, body.len()), (backend::DATA_ROW, 777));
    }
    assert_eq!(fixture.core.sink().of_kind("countdown")[0]["remaining"], 2);
}

#[tokio::test]
async fn an_end_while_the_target_is_being_connected_is_told() {
    let target = FakeTarget::saying(b"").await;
    let fixture = Fixture::with(target, |_| ()).await;
    let talk = fixture.start(&[]).await;
    fixture.target.notes.until("startup").await;
    fixture.core.keeper().await.end(EndReason::Revoked, revoked());
    assert_eq!(super::refused(talk).await, ("57P01".to_owned(), "revoked".to_owned()));
    assert_eq!(fixture.core.closing().await.reason, EndReason::Revoked);
}

#[tokio::test]
async fn a_client_that_leaves_while_the_target_is_being_connected_is_noticed() {
    let target = FakeTarget::saying(b"").await;
    let fixture = Fixture::with(target, |_| ()).await;
    let talk = fixture.start(&[]).await;
    fixture.target.notes.until("startup").await;
    drop(talk);
    assert_eq!(fixture.core.closing().await.reason, EndReason::ClientClosed);
}
