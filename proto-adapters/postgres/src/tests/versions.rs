//! Protocol 3.0, 3.2 and what may come: towards the client and towards the target, each by itself.

use super::startup::unreachable;
use super::talk::Talk;
use super::target::{FakeTarget, PROCESS, greeting};
use super::{Fixture, packet};
use crate::codec::frontend::write_query;
use crate::codec::startup::{CancelKey, First, cancel_request, version};
use crate::codec::{backend, frame};
use curfew_adapter::PostgresRoute;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// The startup packet of this minor version.
fn asking(minor: u8, more: &[(&str, &str)]) -> Vec<u8> {
    let mut out = packet(more);
    out[7] = minor;
    out
}

fn key(found: &[(u8, Vec<u8>)]) -> Vec<u8> {
    found.iter().find(|(tag, _)| *tag == backend::KEY_DATA).unwrap().1.clone()
}

#[tokio::test]
async fn a_client_gets_the_version_that_it_asks_for_and_a_key_of_that_versions_length() {
    // Asked for; what NegotiateProtocolVersion says, if it is sent; the length of the secret.
    for (minor, told, length) in
        [(0, None, 4), (1, None, 4), (2, None, 32), (3, Some(2), 32), (99, Some(2), 32)]
    {
        let fixture = Fixture::new(|_| ()).await;
        let mut talk = fixture.dial().await;
        talk.send(&asking(minor, &[])).await;
        let found = talk.until(backend::READY).await;
        let negotiated = found.iter().find(|(tag, _)| *tag == backend::NEGOTIATE);
        let expected = told.map(|minor| [version(minor).to_be_bytes(), [0; 4]].concat());
        assert_eq!(negotiated.map(|(_, body)| body.clone()), expected, "3.{minor}");
        let key = key(&found);
        assert_eq!(key.len(), 4 + length, "3.{minor}");

        let mut out = Vec::new();
        write_query(&mut out, "sleep");
        talk.send(&out).await;
        fixture.target.notes.until("sleeping").await;
        let mut request = Vec::new();
        cancel_request(&mut request, i32::from_be_bytes(key[..4].try_into().unwrap()), &key[4..]);
        let mut other = fixture.dial().await;
        other.send(&request).await;
        assert_eq!(other.rest().await, b"");
        assert!(fixture.target.notes.all().contains(&format!("cancel {PROCESS}")), "3.{minor}");
    }
}

#[tokio::test]
async fn unknown_protocol_options_are_named_back_and_change_nothing_else() {
    for (minor, told) in [(0, 0), (2, 2), (200, 2)] {
        let fixture = Fixture::new(|_| ()).await;
        let mut talk = fixture.dial().await;
        talk.send(&asking(minor, &[("_pq_.unheard_of", "1"), ("_pq_.another", "")])).await;
        let (tag, body) = talk.message().await;
        assert_eq!(tag, backend::NEGOTIATE);
        let names = &b"_pq_.unheard_of\0_pq_.another\0"[..];
        assert_eq!(body, [&version(told).to_be_bytes()[..], &[0, 0, 0, 2], names].concat());
        talk.until(backend::READY).await;
    }
}

#[tokio::test]
async fn another_major_version_is_refused_in_a_sentence() {
    for major in [2_u8, 4] {
        let fixture = Fixture::new(|_| ()).await;
        let mut talk = fixture.dial().await;
        let mut out = packet(&[]);
        out[5] = major;
        talk.send(&out).await;
        let (code, message) = super::refused(talk).await;
        assert_eq!(code, "0A000");
        assert!(message.contains(&format!("version {major}.0")), "{message}");
    }
}

/// A server of one connection and of the cancels behind it, which it tells in full.
async fn speaking(
    said: Vec<u8>,
    key: CancelKey,
) -> (std::net::SocketAddr, oneshot::Receiver<()>, JoinSet<Vec<String>>) {
    let (busy, until_busy) = oneshot::channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut talk = Talk::new(stream);
        let Some(First::Startup(startup)) = talk.first().await else { panic!() };
        let mut heard = vec![format!("3.{}", startup.minor)];
        let mut out = said;
        backend::authentication_ok(&mut out);
        backend::key_data(&mut out, &key);
        backend::ready(&mut out, b'I');
        talk.send(&out).await;
        talk.next().await;
        busy.send(()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut other = Talk::<TcpStream>::new(stream);
        let Some(First::Cancel(said)) = other.first().await else { panic!() };
        heard.push(format!("{} {:?}", said.process, said.secret == key.secret));
        heard
    });
    (address, until_busy, task)
}

#[tokio::test]
async fn a_target_is_asked_for_the_version_of_its_entry_and_cancelled_with_its_own_key() {
    let older = |minor: u16| {
        let mut out = Vec::new();
        backend::negotiate(&mut out, minor, std::iter::empty());
        out
    };
    let table = [
        (0, Vec::new(), 4),
        (2, Vec::new(), 32),
        (2, Vec::new(), 256),
        // Servers that speak 3.0 only, and say so.
        (2, older(0), 4),
    ];
    for (minor, said, length) in table {
        let secret: Vec<u8> = (0..length).map(|byte| u8::try_from(byte % 251).unwrap()).collect();
        let key = CancelKey { process: PROCESS, secret: secret.into() };
        let (address, busy, mut server) = speaking(said, key).await;
        let fixture = Fixture::new(|script| {
            script.target = address;
            script.postgres = PostgresRoute { minor, ..PostgresRoute::default() };
        })
        .await;
        let mut talk = fixture.ready().await;
        let mut out = Vec::new();
        write_query(&mut out, "sleep");
        talk.send(&out).await;
        busy.await.unwrap();
        fixture
            .core
            .keeper()
            .await
            .end(curfew_adapter::EndReason::Revoked, curfew_adapter::Notice::default());
        let heard = server.join_next().await.unwrap().unwrap();
        assert_eq!(heard, [format!("3.{minor}"), format!("{PROCESS} true")], "{length}");
    }
}

#[tokio::test]
async fn versions_and_keys_that_make_no_sense_are_refused() {
    let mut newer = Vec::new();
    backend::negotiate(&mut newer, 3, std::iter::empty());
    newer.extend(greeting());
    let mut unasked = Vec::new();
    backend::negotiate(&mut unasked, 0, ["_pq_.never_asked"].into_iter());
    unasked.extend(greeting());
    let with_key = |length: usize| {
        let mut out = Vec::new();
        backend::authentication_ok(&mut out);
        frame::message(&mut out, backend::KEY_DATA, |out| out.extend(std::iter::repeat_n(7, 4 + length)));
        backend::ready(&mut out, b'I');
        out
    };
    let table = [
        (newer, "breaks the Postgres protocol"),
        (unasked, "breaks the Postgres protocol"),
        (with_key(0), "absurd length"),
        (with_key(3), "absurd length"),
        (with_key(257), "absurd length"),
    ];
    for (said, why) in table {
        let target = FakeTarget::saying(said.leak()).await;
        let mut fixture = Fixture::with(target, |script| script.postgres.minor = 2).await;
        if why.starts_with("breaks") {
            assert!(unreachable(&mut fixture).await.contains(why), "{why}");
        } else {
            let (_, message) = super::refused(fixture.start(&[]).await).await;
            assert!(message.contains(why), "{message}");
        }
    }
}
