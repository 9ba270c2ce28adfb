//! Clients and targets made of russh: for what OpenSSH does not do, and to see what passes in the clear.

use super::keys;
use russh::client::{self, Handle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, Session};
use russh::{Channel, ChannelId, Error, Names};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a client saw of its key exchange.
pub type Exchange = Arc<Mutex<Option<(String, String, bool)>>>;

/// A client that trusts any gate.
#[derive(Clone, Default)]
pub struct Client(pub Exchange);

impl client::Handler for Client {
    type Error = Error;

    async fn check_server_key(&mut self, _key: &PublicKeyOrCertificate) -> Result<bool, Error> {
        Ok(true)
    }

    async fn kex_done(
        &mut self,
        _secret: Option<&[u8]>,
        names: &Names,
        _session: &mut client::Session,
    ) -> Result<(), Error> {
        let seen = (names.kex.as_ref().to_owned(), names.cipher.as_ref().to_owned(), names.strict_kex());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(())
    }
}

/// Connects, and proves nothing yet.
pub async fn connect(gate: SocketAddr, config: client::Config) -> Handle<Client> {
    connect_over(TcpStream::connect(gate).await.unwrap(), config, Client::default()).await
}

pub async fn connect_over(stream: TcpStream, config: client::Config, client: Client) -> Handle<Client> {
    client::connect_stream(Arc::new(config), stream, client).await.unwrap()
}

pub fn alice() -> PrivateKeyWithHashAlg {
    PrivateKeyWithHashAlg::new(Arc::new(keys::key(keys::ALICE)), None)
}

/// Signs in with Alice's key, as `account%web-1`.
pub async fn sign_in(handle: &mut Handle<Client>) {
    assert!(handle.authenticate_publickey("deploy%web-1", alice()).await.unwrap().success());
}

/// What a target was asked for, in order.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, note: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }
}

/// A target that lets anybody in, and does what its commands say: `flood` sends without end, `deaf` never reads, and
/// everything else is echoed.
pub struct Target {
    pub address: SocketAddr,
    pub notes: Notes,
    accepting: JoinHandle<()>,
}

impl Target {
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut server::Config)) -> Self {
        let mut config = server::Config {
            keys: vec![keys::key(keys::TARGET)],
            auth_rejection_time: Duration::ZERO,
            ..server::Config::default()
        };
        change(&mut config);
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let notes = Notes::default();
        let noted = notes.clone();
        let accepting = curfew_adapter::task::supervised("target", async move {
            let mut running = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let server = Server { notes: noted.clone() };
                if let Ok(session) = server::run_stream(config.clone(), stream, server).await {
                    running.spawn(async move {
                        let _ = session.await;
                    });
                }
            }
        });
        Self { address, notes, accepting }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Server {
    notes: Notes,
}

impl server::Handler for Server {
    type Error = Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Error> {
        self.notes.note(format!("password {user} {password}"));
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        self.notes.note("session".to_owned());
        reply.accept().await;
        Ok(())
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        self.notes.note("shell".to_owned());
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        let command = String::from_utf8_lossy(data).into_owned();
        session.channel_success(channel)?;
        if command == "flood" {
            let handle = session.handle();
            drop(curfew_adapter::task::supervised("flood", async move {
                while handle.data(channel, vec![b'#'; 32 * 1024]).await.is_ok() {}
            }));
        }
        self.notes.note(format!("exec {command}"));
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Error> {
        session.data(channel, data.to_vec())
    }

    async fn channel_eof(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        self.notes.note("eof".to_owned());
        session.exit_status_request(channel, 0)?;
        session.eof(channel)?;
        session.close(channel)
    }

    async fn signal(
        &mut self,
        channel: ChannelId,
        signal: russh::Sig,
        session: &mut Session,
    ) -> Result<(), Error> {
        self.notes.note(format!("signal {signal:?}"));
        session.exit_signal_request(channel, signal, false, "", "")?;
        session.close(channel)
    }
}
