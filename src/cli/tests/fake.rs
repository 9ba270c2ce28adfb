//! A gate that says what a test tells it to, over real HTTP on a port that the kernel picks, and remembers what it was
//! asked.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use curfew_adapter::{Clock, ManualClock, Secret, task};
use curfew_certs::{Authority, ClientCertificates, OwnCertificate, server_config};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::cli::client::{About, GateUrl, Home, Saved, Trust};
use crate::cli::context::Context;
use crate::cli::output::Output;

/// The time of all these tests.
pub const NOW: &str = "2026-11-21T14:22:00Z";
/// The token of the sign-in in these tests.
pub const TOKEN: &str = "cua_abcdefghijklmnop";

/// What the gate was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub what: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Asked {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type Answer = Box<dyn Fn(&Asked) -> (u16, Vec<u8>) + Send>;

#[derive(Clone, Default)]
struct Book {
    answers: Arc<Mutex<HashMap<String, VecDeque<Answer>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// The gate.
pub struct Fake {
    pub url: GateUrl,
    book: Book,
}

impl Fake {
    /// Over plain HTTP.
    pub async fn plain() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::serve(listener, &url)
    }

    /// Over TLS, with a certificate of this authority.
    pub async fn secure(authority: Arc<Authority>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let now = Arc::new(|| Clock::system().wall());
        let names = vec!["localhost".to_owned()];
        let certificate = OwnCertificate::new(authority, names, SignedDuration::from_hours(1), now).unwrap();
        let config = server_config(certificate, ClientCertificates::Ignore, &["http/1.1"]).unwrap();
        let url = format!("https://localhost:{port}");
        Self::serve(Tls { listener, acceptor: TlsAcceptor::from(config) }, &url)
    }

    fn serve<L: Listener<Addr = SocketAddr>>(listener: L, url: &str) -> Self {
        let book = Book::default();
        let router = Router::new().fallback(answer).with_state(book.clone());
        task::supervised("fake gate", async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { url: GateUrl::parse(url).unwrap(), book }
    }

    /// Answers `METHOD /path` so; what is said last is said again and again.
    pub fn says(&self, what: &str, status: u16, body: impl ToString) -> &Self {
        let body = body.to_string();
        self.does(what, move |_| (status, body.clone()))
    }

    /// Answers with these bytes.
    pub fn gives(&self, what: &str, bytes: Vec<u8>) -> &Self {
        self.answers(what, Box::new(move |_| (200, bytes.clone())))
    }

    /// Answers by what was asked.
    pub fn does(&self, what: &str, answer: impl Fn(&Asked) -> (u16, String) + Send + 'static) -> &Self {
        self.answers(
            what,
            Box::new(move |asked| {
                let (status, body) = answer(asked);
                (status, body.into_bytes())
            }),
        )
    }

    fn answers(&self, what: &str, answer: Answer) -> &Self {
        self.book.answers.lock().unwrap().entry(what.to_owned()).or_default().push_back(answer);
        self
    }

    /// Everything that it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.book.asked.lock().unwrap().clone()
    }

    /// The only time that it was asked this.
    pub fn asked_once(&self, what: &str) -> Asked {
        let mut all = self.asked();
        all.retain(|asked| asked.what == what);
        assert_eq!(all.len(), 1, "{what}: {all:?}");
        all.remove(0)
    }
}

async fn answer(State(book): State<Book>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = to_bytes(body, usize::MAX).await.unwrap();
    let asked = Asked {
        what: format!("{} {}", parts.method, parts.uri.path()),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    book.asked.lock().unwrap().push(asked.clone());
    let mut answers = book.answers.lock().unwrap();
    let Some(queue) = answers.get_mut(&asked.what) else {
        return (StatusCode::NOT_FOUND, format!("{{\"title\":\"no {}\"}}", asked.what)).into_response();
    };
    let (status, body) = match queue.len() {
        1 => queue[0](&asked),
        _ => queue.pop_front().unwrap()(&asked),
    };
    let status = StatusCode::from_u16(status).unwrap();
    if status.is_redirection() {
        return (status, [(header::LOCATION, String::from_utf8(body).unwrap())]).into_response();
    }
    (status, body).into_response()
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Somebody at a terminal of their own: a folder for sign-ins, and what was printed.
pub struct Person {
    _folder: tempfile::TempDir,
    pub cx: Context,
    pub printed: Printed,
    pub aside: Printed,
}

impl Person {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (printed, aside) = (Printed::default(), Printed::default());
        let clock = ManualClock::at(NOW.parse().unwrap()).clock();
        let out = Output::to(printed.clone(), aside.clone(), clock);
        let cx = Context { home: Home::at(folder.path().join("curfew")), out, agent: None };
        Self { _folder: folder, cx, printed, aside }
    }

    /// Signed in at this gate, which is the last one; with a certificate for another hour.
    pub fn signed_in(gate: &Fake) -> Self {
        let person = Self::new();
        let saved = person.saved(gate);
        let authority = Authority::generate(NOW.parse().unwrap()).unwrap();
        let about = About {
            url: gate.url.to_string(),
            fingerprint: authority.fingerprint(),
            trust: Trust::Authority,
            email: Some("alice@example.com".to_owned()),
            signin_ends_at: Some("2026-11-22T02:00:00Z".parse().unwrap()),
            certificate_ends_at: Some("2026-11-21T15:22:00Z".parse().unwrap()),
            ssh: None,
        };
        saved.save_gate(&authority.certificate_pem(), &about).unwrap();
        saved.save_token(&Secret::new(TOKEN.to_owned())).unwrap();
        person.cx.home.remember(&gate.url).unwrap();
        person
    }

    pub fn saved(&self, gate: &Fake) -> Saved {
        self.cx.home.gate(&gate.url)
    }

    /// Types a command.
    pub async fn types(&mut self, line: &[&str]) -> Result<(), crate::cli::CliError> {
        use clap::Parser;
        let words = std::iter::once("curfew").chain(line.iter().copied());
        match crate::cli::Cli::parse_from(words).command {
            crate::cli::Command::User(command) => command.carry_out(&mut self.cx).await,
            other => panic!("{other:?} does not talk to a gate"),
        }
    }
}

/// What was printed, for a test to read and to wait for.
#[derive(Clone)]
pub struct Printed(Arc<watch::Sender<String>>);

impl Default for Printed {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(String::new())))
    }
}

impl Printed {
    pub fn text(&self) -> String {
        self.0.borrow().clone()
    }

    /// Waits until this is printed.
    pub async fn wait_for(&self, part: &str) -> String {
        self.0.subscribe().wait_for(|text| text.contains(part)).await.unwrap().clone()
    }
}

impl io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send_modify(|text| text.push_str(std::str::from_utf8(bytes).unwrap()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
