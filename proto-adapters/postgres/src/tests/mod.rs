//! Whole connections over loopback: a client's bytes on one side, a made-up target on the other, a core
//! made of script in between.

mod cancel;
mod credential;
mod cut;
mod hosts;
mod oauth;
mod proof;
mod rules;
mod session;
mod stall;
mod startup;
mod talk;
mod target;
mod tls;
mod versions;

use crate::codec::startup::startup;
use crate::codec::{backend, report};
use crate::{Options, PostgresAdapter};
use curfew_conformance::{FakeCore, Script, Stage, self_signed};
use std::sync::Arc;
use std::time::Duration;
use talk::Talk;
use target::FakeTarget;
use tokio::net::TcpStream;

/// A gate with its core and its target.
struct Fixture {
    core: Arc<FakeCore>,
    stage: Stage,
    target: FakeTarget,
}

/// Who makes the tokens of clients.
const ISSUER: &str = "https://gate.example.com";

const BASE: [(&str, &str); 2] = [("user", "orders_read"), ("database", "orders")];

fn adapter(plaintext: bool) -> Arc<PostgresAdapter> {
    let options = Options { plaintext, issuer: Some(ISSUER.to_owned()), ..Options::default() };
    Arc::new(PostgresAdapter::new(self_signed().0, options))
}

impl Fixture {
    async fn new(change: impl FnOnce(&mut Script)) -> Self {
        Self::with(FakeTarget::start(target::answer).await, change).await
    }

    async fn with(target: FakeTarget, change: impl FnOnce(&mut Script)) -> Self {
        let mut script = Script::fine(target.address);
        change(&mut script);
        let core = FakeCore::new(script);
        let stage = Stage::open(adapter(true), core.clone(), Duration::from_secs(10)).await.unwrap();
        Self { core, stage, target }
    }

    async fn dial(&self) -> Talk<TcpStream> {
        Talk::new(TcpStream::connect(self.stage.address).await.unwrap())
    }

    /// Sends a startup message with `more` parameters.
    async fn start(&self, more: &[(&str, &str)]) -> Talk<TcpStream> {
        let mut talk = self.dial().await;
        talk.send(&packet(more)).await;
        talk
    }

    /// Connects up to the first ReadyForQuery.
    async fn ready(&self) -> Talk<TcpStream> {
        let mut talk = self.start(&[]).await;
        talk.until(backend::READY).await;
        talk
    }
}

fn packet(more: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    startup(&mut out, 0, BASE.iter().chain(more).copied());
    out
}

/// The SQLSTATE and the sentence of the FATAL that is all that is left.
async fn refused<S>(mut talk: Talk<S>) -> (String, String)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (mut tag, mut body) = talk.message().await;
    if tag == backend::AUTHENTICATION {
        (tag, body) = talk.message().await;
    }
    assert_eq!(tag, backend::ERROR, "{:?}", String::from_utf8_lossy(&body));
    let told = report::read(&body);
    assert!(told.is_fatal());
    assert_eq!(talk.rest().await, b"");
    (told.code.into_owned(), told.message.into_owned())
}
