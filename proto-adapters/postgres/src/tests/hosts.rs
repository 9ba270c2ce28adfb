//! Several hosts: which of them a session gets, and that its cancels go there.

use super::startup::unreachable;
use super::talk::Talk;
use super::target::{FakeTarget, Notes, PROCESS, SECRET, answer, tag};
use super::{Fixture, refused};
use crate::codec::frontend::{self, write_query};
use crate::codec::startup::{CancelKey, cancel_request};
use crate::codec::{backend, frame};
use curfew_adapter::{HostPort, PostgresRoute, SessionAttrs};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

/// Where nobody listens.
async fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A gate whose target is all of these, in that order.
async fn across(wanted: SessionAttrs, hosts: &[SocketAddr], target: FakeTarget) -> Fixture {
    let more = hosts[1..].iter().map(|at| HostPort { host: at.ip().to_string(), port: at.port() }).collect();
    let first = hosts[0];
    Fixture::with(target, |script| {
        script.target = first;
        script.postgres = PostgresRoute { more, wanted, ..PostgresRoute::default() };
    })
    .await
}

/// What a server says of itself while it connects; none before Postgres 14.
#[derive(Clone, Copy)]
enum Says {
    Standby(&'static str),
    Nothing(&'static [u8]),
}

async fn server(says: Says) -> FakeTarget {
    FakeTarget::start(move |talk, notes| Box::pin(serve(talk, notes, says))).await
}

async fn serve(mut talk: Talk<TcpStream>, notes: Notes, says: Says) {
    let mut out = Vec::new();
    backend::authentication_ok(&mut out);
    if let Says::Standby(on) = says {
        for name in ["in_hot_standby", "default_transaction_read_only"] {
            frame::message(&mut out, backend::PARAMETER_STATUS, |out| {
                frame::string(out, name);
                frame::string(out, if name == "in_hot_standby" { on } else { "off" });
            });
        }
    }
    backend::key_data(&mut out, &CancelKey { process: PROCESS, secret: SECRET.into() });
    backend::ready(&mut out, b'I');
    talk.send(&out).await;
    while let Some((kind, body)) = talk.next().await {
        let mut out = Vec::new();
        match (kind, says) {
            (frontend::QUERY, Says::Nothing(row)) if body.starts_with(b"SELECT pg_catalog.pg_is_in") => {
                notes.add("asked".to_owned());
                frame::message(&mut out, backend::DATA_ROW, |out| out.extend_from_slice(row));
                tag(&mut out, "SELECT 1");
                backend::ready(&mut out, b'I');
            }
            (frontend::TERMINATE, _) => notes.add("terminate".to_owned()),
            (frontend::QUERY, _) => {
                notes.add("query".to_owned());
                tag(&mut out, "SELECT 0");
                backend::ready(&mut out, b'I');
            }
            _ => notes.add(format!("message {}", char::from(kind))),
        }
        talk.send(&out).await;
    }
}

/// Asks something, and says which of the two servers answered.
async fn who_answers(fixture: &Fixture, servers: [&Notes; 2]) -> usize {
    let mut talk = fixture.ready().await;
    let mut out = Vec::new();
    write_query(&mut out, "who");
    talk.send(&out).await;
    talk.until(backend::READY).await;
    servers.iter().position(|notes| notes.all().contains(&"query".to_owned())).unwrap()
}

#[tokio::test]
async fn a_host_that_is_down_is_passed_over_and_cancels_go_where_the_session_is() {
    let target = FakeTarget::start(answer).await;
    let (down, up, notes) = (closed().await, target.address, target.notes.clone());
    let mut fixture = across(SessionAttrs::Any, &[down, up], target).await;
    let mut talk = fixture.start(&[]).await;
    let greeting = talk.until(backend::READY).await;
    let key = &greeting.iter().find(|(tag, _)| *tag == backend::KEY_DATA).unwrap().1;
    let mut out = Vec::new();
    write_query(&mut out, "sleep");
    talk.send(&out).await;
    notes.until("sleeping").await;
    let mut request = Vec::new();
    cancel_request(&mut request, i32::from_be_bytes(key[..4].try_into().unwrap()), &key[4..]);
    let mut other = fixture.dial().await;
    other.send(&request).await;
    assert_eq!(other.rest().await, b"");
    assert!(notes.all().contains(&format!("cancel {PROCESS}")));
    // What is left of it at the end is stopped there too.
    fixture.core.keeper().await.end(curfew_adapter::EndReason::Revoked, curfew_adapter::Notice::default());
    fixture.core.closing().await;
    drop(fixture.stage.served().await);
    assert!(notes.all().iter().filter(|note| note.starts_with("cancel")).count() == 2, "{:?}", notes.all());
}

#[tokio::test]
async fn the_session_gets_the_first_host_that_is_what_the_entry_asks_for() {
    let old = |standby: &'static [u8]| Says::Nothing(standby);
    let (old_standby, old_primary) = (b"\0\x02\0\0\0\x01t\0\0\0\x02on", b"\0\x02\0\0\0\x01f\0\0\0\x03off");
    let pairs = [
        [Says::Standby("on"), Says::Standby("off")],
        [old(old_standby), old(old_primary)],
        [Says::Standby("on"), old(old_primary)],
    ];
    for [first, second] in pairs {
        for (wanted, expected) in [
            (SessionAttrs::ReadWrite, 1),
            (SessionAttrs::Primary, 1),
            (SessionAttrs::Standby, 0),
            (SessionAttrs::ReadOnly, 0),
            (SessionAttrs::PreferStandby, 0),
            (SessionAttrs::Any, 0),
        ] {
            let (standby, primary) = (server(first).await, server(second).await);
            let hosts = [standby.address, primary.address];
            let (notes, others) = (primary.notes.clone(), standby.notes.clone());
            let fixture = across(wanted, &hosts, primary).await;
            assert_eq!(who_answers(&fixture, [&others, &notes]).await, expected, "{wanted:?}");
            if expected == 1 {
                others.until("terminate").await;
            }
            let asked = wanted != SessionAttrs::Any && matches!(first, Says::Nothing(_));
            assert_eq!(others.all().contains(&"asked".to_owned()), asked, "{wanted:?}");
        }
    }
}

#[tokio::test]
async fn a_standby_is_preferred_and_a_primary_taken_where_there_is_none() {
    let (first, second) = (server(Says::Standby("off")).await, server(Says::Standby("off")).await);
    let (one, two) = (first.notes.clone(), second.notes.clone());
    let hosts = [first.address, second.address];
    let fixture = across(SessionAttrs::PreferStandby, &hosts, second).await;
    assert_eq!(who_answers(&fixture, [&one, &two]).await, 0);
    two.until("terminate").await;
}

#[tokio::test]
async fn where_no_host_will_do_each_is_told_by_its_number() {
    let standby = server(Says::Standby("on")).await;
    let hosts = [closed().await, standby.address];
    let mut fixture = across(SessionAttrs::ReadWrite, &hosts, standby).await;
    let message = unreachable(&mut fixture).await;
    assert!(message.contains("host 1 of 2: ") && message.contains("refused"), "{message}");
    assert!(
        message.ends_with("host 2 of 2: it is read-only, and its entry asks for read-write"),
        "{message}"
    );
    assert!(!message.contains("127.0.0.1"), "where the hosts are is not the user's to know: {message}");
    let cause = fixture.core.closing().await.cause.unwrap();
    assert!(cause.contains(&hosts[1].to_string()), "{cause}");
}

#[tokio::test]
async fn a_host_that_refuses_the_account_is_the_last_one_asked() {
    let refusing = FakeTarget::saying(b"E\0\0\0\x28SFATAL\0C28P01\0Mpassword is expired\0\0").await;
    let other = FakeTarget::start(answer).await;
    let (hosts, notes) = ([refusing.address, other.address], other.notes.clone());
    let fixture = across(SessionAttrs::Any, &hosts, other).await;
    let (code, message) = refused(fixture.start(&[]).await).await;
    assert_eq!(code, "08001");
    assert!(message.ends_with("it says: password is expired"), "{message}");
    assert!(notes.all().is_empty(), "the second host was asked: {:?}", notes.all());
}

#[tokio::test]
async fn a_host_that_is_starting_up_is_passed_over() {
    let starting = FakeTarget::saying(b"E\0\0\0\x20SFATAL\0C57P03\0Mstarting up\0\0").await;
    let other = FakeTarget::start(answer).await;
    let hosts = [starting.address, other.address];
    let fixture = across(SessionAttrs::Any, &hosts, other).await;
    fixture.ready().await;
}
