//! A made-up Postgres server.

use super::talk::Talk;
use crate::codec::startup::{CancelKey, First};
use crate::codec::{backend, frame, frontend};
use futures_util::future::BoxFuture;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The process of every backend.
pub const PROCESS: i32 = 4711;

/// The secret of every backend that speaks protocol 3.0.
pub const SECRET: [u8; 4] = [1, 2, 3, 4];

/// What the target noted: `cancel 4711`, `startup user=…`, `gone`.
#[derive(Clone, Debug)]
pub struct Notes(Arc<(Mutex<Vec<String>>, watch::Sender<usize>)>);

impl Notes {
    pub fn add(&self, note: String) {
        self.0.0.lock().unwrap().push(note);
        self.0.1.send_modify(|count| *count += 1);
    }

    pub fn all(&self) -> Vec<String> {
        self.0.0.lock().unwrap().clone()
    }

    /// Waits for a note that begins so.
    pub async fn until(&self, beginning: &str) -> String {
        let mut changed = self.0.1.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(note) = self.all().into_iter().find(|note| note.starts_with(beginning)) {
                return note;
            }
            let waiting = tokio::time::timeout(std::time::Duration::from_secs(20), changed.changed());
            waiting.await.unwrap_or_else(|_| panic!("no note {beginning:?} in {:?}", self.all())).unwrap();
        }
    }
}

pub struct FakeTarget {
    pub address: SocketAddr,
    pub notes: Notes,
    _tasks: JoinSet<()>,
}

impl FakeTarget {
    /// Takes connections; after a startup message `session` has them.
    pub async fn start<F>(session: F) -> Self
    where
        F: Fn(Talk<TcpStream>, Notes) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let notes = Notes(Arc::new((Mutex::default(), watch::Sender::new(0))));
        let (seen, mut tasks) = (notes.clone(), JoinSet::new());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut talk = Talk::new(stream);
                match talk.first().await {
                    Some(First::Cancel(key)) if *key.secret == SECRET => {
                        seen.add(format!("cancel {}", key.process));
                    }
                    Some(First::Startup(startup)) => {
                        let said: Vec<_> = startup
                            .parameters
                            .iter()
                            .map(|(name, value)| format!("{name}={value}"))
                            .collect();
                        seen.add(format!("startup {}", said.join(" ")));
                        connections.spawn(session(talk, seen.clone()));
                    }
                    other => seen.add(format!("other {other:?}")),
                }
            }
        });
        Self { address, notes, _tasks: tasks }
    }

    /// Answers every first packet with these bytes, and then with silence.
    pub async fn saying(bytes: &'static [u8]) -> Self {
        Self::start(move |mut talk, _| {
            Box::pin(async move {
                talk.send(bytes).await;
                talk.rest().await;
            })
        })
        .await
    }
}

pub fn greeting() -> Vec<u8> {
    let mut out = Vec::new();
    backend::authentication_ok(&mut out);
    frame::message(&mut out, backend::PARAMETER_STATUS, |out| out.extend_from_slice(b"TimeZone\0UTC\0"));
    backend::key_data(&mut out, &CancelKey { process: PROCESS, secret: SECRET.into() });
    backend::ready(&mut out, b'I');
    out
}

pub fn tag(out: &mut Vec<u8>, tag: &str) {
    frame::message(out, backend::COMMAND_COMPLETE, |out| frame::string(out, tag));
}

/// A server that answers each query with one row of its text; `sleep` never ends, and it hangs on when
/// its client leaves only for `stay`.
pub fn answer(mut talk: Talk<TcpStream>, notes: Notes) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        talk.send(&greeting()).await;
        while let Some((kind, body)) = talk.next().await {
            let mut out = Vec::new();
            match kind {
                frontend::QUERY if body.starts_with(b"sleep") || body.starts_with(b"stay") => {
                    notes.add("sleeping".to_owned());
                    if body.starts_with(b"stay") {
                        std::future::pending::<()>().await;
                    }
                    continue;
                }
                frontend::QUERY if body.starts_with(b"die") => return,
                frontend::QUERY if body.starts_with(b"SELECT pg_catalog.pg_terminate_backend") => {
                    notes.add(String::from_utf8(body).unwrap());
                    frame::message(&mut out, backend::DATA_ROW, |out| out.extend_from_slice(&[0, 0]));
                    tag(&mut out, "SELECT 1");
                    backend::ready(&mut out, b'I');
                }
                frontend::QUERY => {
                    frame::message(&mut out, backend::DATA_ROW, |out| out.extend_from_slice(&body));
                    tag(&mut out, "SELECT 1");
                    backend::ready(&mut out, b'I');
                }
                frontend::TERMINATE => {
                    notes.add("terminate".to_owned());
                    break;
                }
                _ => notes.add(format!("message {}", char::from(kind))),
            }
            talk.send(&out).await;
        }
        notes.add("gone".to_owned());
        let _ = talk.stream.shutdown().await;
    })
}
