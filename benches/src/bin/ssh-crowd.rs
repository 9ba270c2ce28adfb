//! Many SSH sessions from one process, each over a connection of its own and with a terminal: some with an idle shell,
//! some with the command `stream MS` of ssh-target.
//!
//! It prints `open` once all of them have shown something, and when all are over, a line for each: `ended`, what it did
//! (`idle` or `stream`), when its last byte came and when it first heard of its end, in microseconds since 1970 (`-`
//! where that never was). Told to end, and telling nothing itself: it never closes a session.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Parser;
use russh::client::{self, Config, DisconnectReason, Handle, Handler, Session};
use russh::keys::{Certificate, PrivateKey, PublicKeyOrCertificate, load_secret_key};
use russh::{ChannelId, Sig};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Sessions that are being opened at the same time.
const AT_ONCE: usize = 8;

#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// The gate.
    #[arg(long)]
    gate: SocketAddr,
    /// The user there.
    #[arg(long)]
    user: String,
    /// The private key of the certificate.
    #[arg(long)]
    key: PathBuf,
    /// The certificate.
    #[arg(long)]
    certificate: PathBuf,
    /// Sessions with an idle shell.
    #[arg(long)]
    idle: usize,
    /// Sessions that stream.
    #[arg(long)]
    streaming: usize,
    /// Milliseconds from one line to the next.
    #[arg(long)]
    every: u64,
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments = Arguments::parse();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(crowd(arguments))
}

async fn crowd(arguments: Arguments) -> Result<(), Box<dyn Error + Send + Sync>> {
    let key = Arc::new(load_secret_key(&arguments.key, None)?);
    let certificate = Certificate::from_openssh(std::fs::read_to_string(&arguments.certificate)?.trim())?;
    let (permits, arguments) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(arguments));
    let mut opening = JoinSet::new();
    for number in 0..arguments.idle + arguments.streaming {
        // Mixed, so that neither kind is the older one.
        let streams = number * arguments.streaming / (arguments.idle + arguments.streaming)
            != (number + 1) * arguments.streaming / (arguments.idle + arguments.streaming);
        let (permits, arguments) = (permits.clone(), arguments.clone());
        let (key, certificate) = (key.clone(), certificate.clone());
        opening.spawn(async move {
            let _permit = permits.acquire_owned().await?;
            open(&arguments, streams, key, certificate).await
        });
    }
    let mut sessions = Vec::new();
    while let Some(opened) = opening.join_next().await {
        sessions.push(opened??);
    }
    println!("open");
    for session in &mut sessions {
        // A handler that is gone has seen its end.
        let _ = session.marks.wait_for(|marks| marks.over).await;
    }
    for session in sessions {
        let Marks { last, told, .. } = *session.marks.borrow();
        let shown = |at: Option<u128>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        println!("ended {} {} {}", if session.streams { "stream" } else { "idle" }, shown(last), shown(told));
    }
    Ok(())
}

/// One session that is open. Dropping the handle would end it.
struct Open {
    streams: bool,
    marks: watch::Receiver<Marks>,
    _handle: Handle<Seen>,
}

async fn open(
    arguments: &Arguments,
    streams: bool,
    key: Arc<PrivateKey>,
    certificate: Certificate,
) -> Result<Open, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(arguments.gate).await?;
    stream.set_nodelay(true)?;
    let (sender, mut marks) = watch::channel(Marks::default());
    let mut handle = client::connect_stream(Arc::new(Config::default()), stream, Seen(sender)).await?;
    if !handle.authenticate_openssh_cert(&arguments.user, key, certificate).await?.success() {
        return Err("the certificate was refused".into());
    }
    let channel = handle.channel_open_session().await?;
    channel.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await?;
    if streams {
        channel.exec(true, format!("stream {}", arguments.every)).await?;
    } else {
        channel.request_shell(true).await?;
    }
    let shown = marks.wait_for(|marks| marks.last.is_some() || marks.over).await?.over;
    if shown {
        Err("a session was over before it began".into())
    } else {
        Ok(Open { streams, marks, _handle: handle })
    }
}

/// What came of one session, in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    last: Option<u128>,
    told: Option<u128>,
    over: bool,
}

/// Watches one session.
struct Seen(watch::Sender<Marks>);

impl Seen {
    fn told(&self) {
        let now = now();
        self.0.send_modify(|marks| _ = marks.told.get_or_insert(now));
    }
}

#[expect(clippy::disallowed_methods, reason = "compared with what the gate says, which is the time of day")]
fn now() -> u128 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map(|since| since.as_micros())
        .unwrap_or_default()
}

impl Handler for Seen {
    type Error = russh::Error;

    /// Any: nothing is told to it that matters.
    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }

    async fn data(&mut self, _: ChannelId, data: &[u8], _: &mut Session) -> Result<(), Self::Error> {
        // Anything but the target's prompt and lines is what the gate says itself.
        if data.starts_with(b"$ ") || data.starts_with(b"line ") {
            let now = now();
            self.0.send_modify(|marks| marks.last = Some(now));
        } else {
            self.told();
        }
        Ok(())
    }

    async fn exit_signal(
        &mut self,
        _: ChannelId,
        _signal: Sig,
        _core: bool,
        _message: &str,
        _language: &str,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.told();
        Ok(())
    }

    async fn channel_close(&mut self, _: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.told();
        Ok(())
    }

    async fn disconnected(&mut self, _: DisconnectReason<Self::Error>) -> Result<(), Self::Error> {
        self.told();
        self.0.send_modify(|marks| marks.over = true);
        Ok(())
    }
}
