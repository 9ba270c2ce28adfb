//! A crowd of SSH sessions, each over a connection of its own and with a terminal: some with an idle shell, some with the
//! command `stream MS` of ssh-target.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use curfew_benches::crowd::{self, Failure, Marker};
use russh::client::{self, Config, DisconnectReason, Handle, Handler, Session};
use russh::keys::{Certificate, PrivateKey, PublicKeyOrCertificate, load_secret_key};
use russh::{ChannelId, Sig};
use tokio::net::TcpStream;

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

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(all(arguments))
}

async fn all(arguments: Arguments) -> Result<(), Failure> {
    let key = Arc::new(load_secret_key(&arguments.key, None)?);
    let certificate = Certificate::from_openssh(std::fs::read_to_string(&arguments.certificate)?.trim())?;
    crowd::run((arguments.idle, arguments.streaming), |streams, marker| {
        open(arguments.clone(), streams, key.clone(), certificate.clone(), marker)
    })
    .await
}

/// Opens one; dropping its handle would end it.
async fn open(
    arguments: Arguments,
    streams: bool,
    key: Arc<PrivateKey>,
    certificate: Certificate,
    marker: Marker,
) -> Result<Handle<Seen>, Failure> {
    let stream = TcpStream::connect(arguments.gate).await?;
    stream.set_nodelay(true)?;
    let mut handle = client::connect_stream(Arc::new(Config::default()), stream, Seen(marker)).await?;
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
    Ok(handle)
}

/// Watches one session.
struct Seen(Marker);

impl Handler for Seen {
    type Error = russh::Error;

    /// Any: nothing is told to it that matters.
    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }

    async fn data(&mut self, _: ChannelId, data: &[u8], _: &mut Session) -> Result<(), Self::Error> {
        // Anything but the target's prompt and lines is what the gate says itself.
        if data.starts_with(b"$ ") || data.starts_with(b"line ") {
            self.0.came();
        } else {
            self.0.told();
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
        self.0.told();
        Ok(())
    }

    async fn channel_close(&mut self, _: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.0.told();
        Ok(())
    }

    async fn disconnected(&mut self, _: DisconnectReason<Self::Error>) -> Result<(), Self::Error> {
        self.0.told();
        self.0.over();
        Ok(())
    }
}
