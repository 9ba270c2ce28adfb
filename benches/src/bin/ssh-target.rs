//! A stand-in for an SSH server, light enough for thousands of sessions: it lets anybody in, its shell shows a prompt
//! and echoes, and its command `stream MS` writes a line each MS milliseconds. It prints its address and its host key,
//! and serves until it is killed.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{Certificate, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Pty, Sig};
use tokio::net::TcpListener;
use tokio::time::interval;

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    // It guards nothing, so its key is no secret.
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
    let line = key.public_key().to_openssh()?;
    let config = Config { keys: vec![key], inactivity_timeout: None, nodelay: true, ..Config::default() };
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {line}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let config = config.clone();
        #[expect(clippy::disallowed_methods, reason = "ends with the process")]
        tokio::spawn(async move {
            if let Ok(session) = russh::server::run_stream(config, stream, Target).await {
                // How it ends is the gate's to tell.
                let _ = session.await;
            }
        });
    }
}

struct Target;

impl Handler for Target {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn auth_openssh_certificate(&mut self, _: &str, _: &Certificate) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _cols: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        session.data(channel, &b"$ "[..])
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(command);
        let Some(every) = command.strip_prefix("stream ").and_then(|ms| ms.parse().ok()) else {
            return session.channel_failure(channel);
        };
        session.channel_success(channel)?;
        let (handle, mut ticks) = (session.handle(), interval(Duration::from_millis(every)));
        #[expect(clippy::disallowed_methods, reason = "ends with the session")]
        tokio::spawn(async move {
            let mut number = 0;
            while handle.data(channel, format!("line {number}\r\n").into_bytes()).await.is_ok() {
                ticks.tick().await;
                number += 1;
            }
        });
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.data(channel, data.to_vec())
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        signal: Sig,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.exit_signal_request(channel, signal, false, "", "")?;
        session.close(channel)
    }
}
