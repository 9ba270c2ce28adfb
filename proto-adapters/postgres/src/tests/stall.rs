//! Targets that stop half-way: the client is told within the patience, whatever the stage.

use super::startup::unreachable;
use super::target::{FakeTarget, greeting};
use super::{Fixture, target};
use crate::codec::backend;
use curfew_adapter::{HostPort, PostgresRoute, TargetTls, TlsMode};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A target that says this to a startup, and then nothing more.
async fn stalling(said: &'static [u8]) -> FakeTarget {
    FakeTarget::start(move |mut talk, notes| {
        Box::pin(async move {
            talk.send(said).await;
            notes.add("stalled".to_owned());
            std::future::pending::<()>().await;
        })
    })
    .await
}

#[tokio::test]
async fn a_target_that_stalls_at_any_stage_is_given_up_in_time() {
    let stages: [&'static [u8]; 5] = [
        b"",
        b"R\0\0",
        b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0",
        b"R\0\0\0\x08\0\0\0\0",
        b"R\0\0\0\x08\0\0\0\0S\0\0\0\x40TimeZone\0",
    ];
    for said in stages {
        let mut fixture = Fixture::with(stalling(said).await, |_| ()).await;
        let notes = fixture.target.notes.clone();
        let waiting = async {
            notes.until("stalled").await;
            // From here on nothing comes any more, so time may run.
            tokio::time::pause();
            Instant::now()
        };
        let (message, began) = tokio::join!(unreachable(&mut fixture), waiting);
        let took = began.elapsed();
        tokio::time::resume();
        assert!(message.contains("not ready within 10 seconds"), "{said:?}: {message}");
        assert!(took.as_secs() <= 11, "{took:?}");
    }
}

/// A listener that takes connections and says nothing, not even whether it speaks TLS.
async fn mute() -> (std::net::SocketAddr, tokio::sync::watch::Receiver<bool>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (taken, told) = tokio::sync::watch::channel(false);
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            held.push(socket);
            taken.send_replace(true);
        }
    });
    (address, told, task)
}

#[tokio::test]
async fn a_host_that_says_nothing_is_passed_over_for_the_next() {
    let (address, mut taken, _task) = mute().await;
    let next = FakeTarget::start(target::answer).await;
    let more = vec![HostPort { host: next.address.ip().to_string(), port: next.address.port() }];
    let notes = next.notes.clone();
    let fixture = Fixture::with(next, |script| {
        script.target = address;
        script.tls = TargetTls::new(TlsMode::Prefer, rustls::RootCertStore::empty()).unwrap();
        script.postgres = PostgresRoute { more, ..PostgresRoute::default() };
    })
    .await;
    let talk = fixture.start(&[]).await;
    taken.wait_for(|taken| *taken).await.unwrap();
    tokio::time::pause();
    // The next one is asked for TLS, which is as far as this stand-in goes.
    notes.until("other").await;
    tokio::time::resume();
    drop(talk);
}

#[tokio::test]
async fn a_slow_target_is_waited_for() {
    let slow = FakeTarget::start(|mut talk, notes| {
        Box::pin(async move {
            for byte in greeting() {
                talk.send(&[byte]).await;
                tokio::task::yield_now().await;
            }
            notes.add("greeted".to_owned());
            talk.rest().await;
        })
    })
    .await;
    let fixture = Fixture::with(slow, |_| ()).await;
    let found = fixture.start(&[]).await.until(backend::READY).await;
    assert_eq!(found.last().unwrap().1, b"I");
}
