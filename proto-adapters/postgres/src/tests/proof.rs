//! How the account proves itself: what is answered to which question, and what hostile servers get.

use super::Fixture;
use super::startup::unreachable;
use super::talk::Talk;
use super::target::{FakeTarget, Notes, greeting};
use crate::codec::{Cursor, backend, frame, frontend};
use curfew_adapter::{PasswordProof, PostgresRoute};
use tokio::net::TcpStream;

fn md5() -> PostgresRoute {
    PostgresRoute { weakest: PasswordProof::Md5, ..PostgresRoute::default() }
}

#[tokio::test]
async fn a_target_that_demands_the_password_in_the_clear_or_md5_gets_none() {
    for (bytes, word) in [(&b"R\0\0\0\x08\0\0\0\x03"[..], "clear"), (b"R\0\0\0\x0c\0\0\0\x05salt", "MD5")] {
        let target = FakeTarget::saying(bytes).await;
        let mut fixture = Fixture::with(target, |_| ()).await;
        assert!(unreachable(&mut fixture).await.contains(word));
    }
}

#[tokio::test]
async fn md5_is_answered_only_where_the_entry_names_it() {
    let target = FakeTarget::start(|mut talk, notes| {
        Box::pin(async move {
            talk.send(b"R\0\0\0\x0c\0\0\0\x05salt").await;
            let Some((frontend::PASSWORD, answer)) = talk.next().await else { return };
            notes.add(format!("answer {}", String::from_utf8_lossy(&answer)));
            talk.send(&greeting()).await;
            talk.rest().await;
        })
    })
    .await;
    let fixture = Fixture::with(target, |script| script.postgres = md5()).await;
    fixture.ready().await;
    // md5(md5("the account's secret" + "orders_read") + "salt"), computed with Python's hashlib.
    assert_eq!(fixture.target.notes.until("answer").await, "answer md583405091f5aa4872a9ac03cb33709731\0");
    let notes = fixture.target.notes.clone();
    fixture.core.rewrite(|script| script.postgres = PostgresRoute::default());
    let refused = super::refused(fixture.start(&[]).await).await;
    assert!(refused.1.contains("MD5"), "{refused:?}");
    assert_eq!(notes.all().iter().filter(|note| note.starts_with("answer")).count(), 1);
}

#[tokio::test]
async fn a_proof_that_is_bound_is_demanded_where_the_entry_says_so() {
    static OFFERS: &[u8] = b"R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
    for (said, why) in [(OFFERS, "no certificate to bind to"), (b"R\0\0\0\x08\0\0\0\0", "without a proof")] {
        let plus = PostgresRoute { weakest: PasswordProof::ScramPlus, ..PostgresRoute::default() };
        let mut fixture =
            Fixture::with(FakeTarget::saying(said).await, |script| script.postgres = plus).await;
        let message = unreachable(&mut fixture).await;
        assert!(message.contains(why) && message.contains("SCRAM-SHA-256-PLUS (auth)"), "{message}");
    }
}

/// The messages of an authentication request with this number.
fn request(kind: i32, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::message(&mut out, backend::AUTHENTICATION, |out| {
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(data);
    });
    out
}

/// What a server makes of the client's nonce.
type Challenge = fn(&str) -> Vec<u8>;

/// A server that begins SCRAM, and challenges with what this makes of the client's nonce.
async fn challenging(challenge: Challenge) -> FakeTarget {
    FakeTarget::start(move |talk, notes| Box::pin(challenge_once(talk, notes, challenge))).await
}

async fn challenge_once(mut talk: Talk<TcpStream>, notes: Notes, challenge: Challenge) {
    talk.send(&request(10, b"SCRAM-SHA-256\0\0")).await;
    let Some((frontend::PASSWORD, first)) = talk.next().await else { return };
    let mut first = Cursor::new(&first);
    first.string().unwrap();
    let text = String::from_utf8(first.rest()[4..].to_vec()).unwrap();
    let nonce = text.rsplit_once("r=").unwrap().1.to_owned();
    talk.send(&challenge(&nonce)).await;
    if let Some((kind, _)) = talk.next().await {
        notes.add(format!("proof {}", char::from(kind)));
    }
}

#[tokio::test]
async fn pgbouncer_cve_2026_6664_scram_of_a_hostile_server_gets_no_proof() {
    let table: [(Challenge, &str); 11] = [
        (
            |nonce| request(11, format!("r={nonce},s=AAAA,i=4096").as_bytes()),
            "did not answer to this exchange",
        ),
        (|_| request(11, b"r=another,s=AAAA,i=4096"), "did not answer to this exchange"),
        (|nonce| request(11, format!("r={nonce}x,s=AAAA,i=2147483648").as_bytes()), "a million rounds"),
        (|nonce| request(11, format!("r={nonce}x,s=AAAA,i=0").as_bytes()), "malformed"),
        (
            |nonce| request(11, format!("r={nonce}x,s={},i=4096", "A".repeat(20_000)).as_bytes()),
            "longer than any",
        ),
        (
            |nonce| request(11, format!("r={nonce}{},s=AAAA,i=4096", "x".repeat(20_000)).as_bytes()),
            "longer than any",
        ),
        (|nonce| request(11, format!("r={nonce}\u{7},s=AAAA,i=4096").as_bytes()), "malformed"),
        (|_| request(11, b""), "malformed"),
        (|_| request(11, b"\xff\xfe"), "malformed"),
        // It breaks the exchange off and says that all is well; or begins another.
        (|_| request(0, b""), "breaks the Postgres protocol"),
        (|_| request(10, b"SCRAM-SHA-256\0\0"), "breaks the Postgres protocol"),
    ];
    for (challenge, why) in table {
        let mut fixture = Fixture::with(challenging(challenge).await, |_| ()).await;
        let message = unreachable(&mut fixture).await;
        assert!(message.contains(why), "{message}");
        let notes = fixture.target.notes.all();
        assert!(notes.iter().all(|note| !note.starts_with("proof")), "{why}: {notes:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_the_secret_is_left() {
    for verdict in ["v=3HO6Qt1M4MKJrmlKaoOqLAI0/0TV0HZe7J9H3MBtSOg=", "v=", "v=!", "", "e=invalid-proof", "x"]
    {
        let target = FakeTarget::start(move |mut talk, notes| {
            Box::pin(async move {
                let challenge: Challenge =
                    |nonce| request(11, format!("r={nonce}x,s=AAAA,i=4096").as_bytes());
                talk.send(&request(10, b"SCRAM-SHA-256\0\0")).await;
                let Some((_, first)) = talk.next().await else { return };
                let text = String::from_utf8_lossy(&first).into_owned();
                talk.send(&challenge(text.rsplit_once("r=").unwrap().1)).await;
                talk.next().await;
                let mut out = request(12, verdict.as_bytes());
                out.extend(greeting());
                talk.send(&out).await;
                while let Some((kind, _)) = talk.next().await {
                    notes.add(format!("message {}", char::from(kind)));
                }
            })
        })
        .await;
        let mut fixture = Fixture::with(target, |_| ()).await;
        assert!(unreachable(&mut fixture).await.contains("SCRAM failed"), "{verdict}");
        assert!(fixture.target.notes.all().iter().all(|note| !note.starts_with("message")), "{verdict}");
    }
}

#[tokio::test]
async fn errors_without_a_sqlstate_at_each_stage_are_told_in_a_sentence() {
    static SAID: &[u8] = b"E\0\0\0\x13SFATAL\0Mno way\0\0";
    // Before anything; in the exchange; behind AuthenticationOk; behind the settings.
    let stages: [(&str, &[u8]); 4] = [
        ("at once", b""),
        ("behind a notice", b"N\0\0\0\x0cMhello\0\0"),
        ("behind AuthenticationOk", b"R\0\0\0\x08\0\0\0\0"),
        ("behind a setting", b"R\0\0\0\x08\0\0\0\0S\0\0\0\x11TimeZone\0UTC\0"),
    ];
    for (stage, before) in stages {
        let target = FakeTarget::start(move |mut talk, _| {
            Box::pin(async move {
                let mut out = before.to_vec();
                frame::message(&mut out, backend::ERROR, |out| out.extend_from_slice(&SAID[5..]));
                talk.send(&out).await;
                talk.rest().await;
            })
        })
        .await;
        let mut fixture = Fixture::with(target, |_| ()).await;
        let message = unreachable(&mut fixture).await;
        assert!(message.ends_with("it says: no way"), "{stage}: {message}");
    }
    let challenged = challenging(|_| {
        let mut out = Vec::new();
        frame::message(&mut out, backend::ERROR, |out| out.extend_from_slice(&SAID[5..]));
        out
    })
    .await;
    let mut fixture = Fixture::with(challenged, |_| ()).await;
    assert!(unreachable(&mut fixture).await.ends_with("it says: no way"));
}

#[tokio::test]
async fn lengths_that_lie_at_startup_are_refused() {
    static LENGTHS: [&[u8]; 6] = [
        b"R\x7f\xff\xff\xff\0\0\0\0",
        b"R\xff\xff\xff\xff\0\0\0\0",
        b"R\0\0\0\0",
        b"R\0\0\0\x04",
        b"R\0\0\0\x08\0\0\0\0S\0\x01\0\0",
        b"R\0\0\0\x08\0\0\0\0K\0\0\0\x06\0\0",
    ];
    for said in LENGTHS {
        let mut fixture = Fixture::with(FakeTarget::saying(said).await, |_| ()).await;
        let talk = fixture.start(&[]).await;
        let (code, _) = super::refused(talk).await;
        assert_eq!(code, "08001", "{said:?}");
        fixture.core.closing().await;
        drop(fixture.stage.served().await);
    }
}
