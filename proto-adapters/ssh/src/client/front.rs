//! What the library calls for a client: proofs go to the serving future, channels and requests to the live session.
//!
//! Nothing here may wait for long: the library reads and writes nothing for the client meanwhile.
//!
//! What may wait is boxed: the largest future of these is a part of the library's task, twice, for as long as the client
//! is connected.

use crate::algorithms;
use crate::flow::{Flow, PACKET, WINDOW};
use crate::session::Live;
use crate::user;
use curfew_adapter::ProvedKey;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PublicKey};
use russh::server::{Auth, Config, Handler, PublicKeyOffer, Response, Session, VerifiedPublicKey};
use russh::server::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelId, Error, MethodKind, MethodSet, Pty, Sig};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Refused proofs before a client is disconnected; a well-filled agent offers about ten keys.
const ATTEMPTS: usize = 20;

/// Answers to one question that are looked at.
const ANSWERS: usize = 8;

/// A silent client is asked for a sign of life this often, and is gone after three without one.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Pieces that wait for the library to encrypt them; as few as keep it busy, because of the cut.
const PIECES: usize = 10;

/// The library's settings for clients.
pub fn config(key: PrivateKey, certificate: Option<Certificate>) -> Config {
    Config {
        server_id: algorithms::identification(),
        methods: MethodSet::from(&[MethodKind::PublicKey, MethodKind::KeyboardInteractive][..]),
        // There is no secret that a refusal could betray by its timing: keys are looked up by what is public.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        certificates: certificate.into_iter().collect(),
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        event_buffer_size: PIECES,
        preferred: algorithms::for_clients(),
        max_auth_attempts: ATTEMPTS,
        inactivity_timeout: None,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        nodelay: true,
        ..Config::default()
    }
}

/// A proof that the client brings, or its answer to what it was asked.
#[derive(Debug)]
pub struct Call {
    /// The user name with it.
    pub user: String,
    /// The proof.
    pub offer: Offer,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Answer>,
}

/// What a client brings.
#[derive(Debug)]
pub enum Offer {
    /// A key that it has proved to hold.
    Key(ProvedKey),
    /// A certificate whose key it has proved to hold: one line, and that key.
    Certificate(String, ProvedKey),
    /// It can be told things and asked: nothing at first, then answers to the last question.
    Interactive(Option<Vec<String>>),
}

impl Offer {
    /// What it is answered where the client is told no, and why, right behind the answer. OpenSSH leaves at once on a
    /// plain failure when it has nothing more to offer, and shows nothing.
    pub fn parting(&self) -> Auth {
        match self {
            Self::Key(_) | Self::Certificate(..) => Auth::Reject {
                proceed_with_methods: Some(MethodSet::from(&[MethodKind::PublicKey][..])),
                partial_success: true,
            },
            Self::Interactive(_) => Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Borrowed(""),
                prompts: Cow::Borrowed(&[]),
            },
        }
    }
}

/// What becomes of it.
#[derive(Debug)]
pub enum Answer {
    /// The library's answer to the client.
    Auth(Auth),
    /// It is in: this is its session.
    In(Arc<Live>),
}

/// A client, as the library sees it.
#[derive(Debug)]
pub struct Front {
    calls: mpsc::Sender<Call>,
    flow: Arc<Flow>,
    live: Option<Arc<Live>>,
}

impl Front {
    /// Sends proofs to `calls`.
    pub const fn new(calls: mpsc::Sender<Call>, flow: Arc<Flow>) -> Self {
        Self { calls, flow, live: None }
    }

    async fn call(&mut self, user: &str, offer: Offer) -> Result<Auth, Error> {
        let (reply, answer) = oneshot::channel();
        let call = Call { user: user.to_owned(), offer, reply };
        // The serving future is gone: so is the connection.
        self.calls.send(call).await.map_err(|_| Error::Disconnect)?;
        match answer.await.map_err(|_| Error::Disconnect)? {
            Answer::Auth(auth) => Ok(auth),
            Answer::In(live) => {
                self.live = Some(live);
                Ok(Auth::Accept)
            }
        }
    }

    fn live(&self) -> Result<&Arc<Live>, Error> {
        self.live.as_ref().ok_or(Error::NotAuthenticated)
    }
}

fn proved(key: &PublicKey) -> Result<ProvedKey, Error> {
    let bare = PublicKey::new(key.key_data().clone(), "");
    Ok(ProvedKey { line: bare.to_openssh()?, fingerprint: key.fingerprint(HashAlg::Sha256).to_string() })
}

impl Handler for Front {
    type Error = Error;

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Error> {
        // RSA with SHA-1 is refused before it signs. Who holds the key is looked at once that is proved.
        let known =
            algorithms::KEYS.contains(offer.algorithm) && *offer.algorithm != Algorithm::Rsa { hash: None };
        Ok(if known && user.len() <= user::LIMIT { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Error> {
        let key = proved(key.public_key)?;
        self.call(user, Offer::Key(key)).await
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Error> {
        let mut bare = certificate.clone();
        bare.set_comment("");
        let key = proved(&PublicKey::new(certificate.public_key().clone(), ""))?;
        self.call(user, Offer::Certificate(bare.to_openssh()?, key)).await
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Error> {
        if user.len() > user::LIMIT {
            return Ok(Auth::reject());
        }
        let text = |bytes: bytes::Bytes| String::from_utf8_lossy(&bytes).into_owned();
        let answers = response.map(|answers| answers.take(ANSWERS).map(text).collect());
        self.call(user, Offer::Interactive(answers)).await
    }

    fn adjust_window(&mut self, _channel: ChannelId, _current: u32) -> u32 {
        self.flow.window()
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        Box::pin(self.live()?.open_session(channel, reply)).await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        from: &str,
        from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        Box::pin(self.live()?.open_forward(channel, reply, (host, port), (from, from_port))).await;
        Ok(())
    }

    async fn channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        self.live()?.reject("x11", "X11 is not passed on", reply).await;
        Ok(())
    }

    async fn channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        self.live()?.reject("forwarded-tcpip", "only a target may open such a channel", reply).await;
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        let what = format!("forward to the socket {path}");
        self.live()?.reject(&what, "forwards of Unix sockets are not passed on", reply).await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        cols: u32,
        rows: u32,
        width: u32,
        height: u32,
        modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Error> {
        let size = [cols, rows, width, height];
        let done = Box::pin(self.live()?.terminal(channel, term, size, modes)).await;
        answer(session, channel, done)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        let done = Box::pin(self.live()?.environment(channel, name, value)).await;
        answer(session, channel, done)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        let live = self.live()?.clone();
        Box::pin(live.start_shell(channel, session)).await
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        let live = self.live()?.clone();
        Box::pin(live.start_command(channel, command, session)).await
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        let live = self.live()?.clone();
        Box::pin(live.start_subsystem(channel, name, session)).await
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        cols: u32,
        rows: u32,
        width: u32,
        height: u32,
        session: &mut Session,
    ) -> Result<(), Error> {
        let done = Box::pin(self.live()?.resize(channel, [cols, rows, width, height])).await;
        answer(session, channel, done)
    }

    async fn signal(&mut self, channel: ChannelId, signal: Sig, session: &mut Session) -> Result<(), Error> {
        let done = Box::pin(self.live()?.signal(channel, signal)).await;
        answer(session, channel, done)
    }

    async fn agent_request(&mut self, channel: ChannelId, _session: &mut Session) -> Result<bool, Error> {
        Ok(Box::pin(self.live()?.forward_agent(channel)).await)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Error> {
        self.live()?.refused("x11", "X11 is not passed on");
        answer(session, channel, false)
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        _session: &mut Session,
    ) -> Result<bool, Error> {
        let granted = Box::pin(self.live()?.reverse(address, *port)).await;
        if let Some(granted) = granted {
            *port = granted;
        }
        Ok(granted.is_some())
    }

    async fn cancel_tcpip_forward(
        &mut self,
        address: &str,
        port: u32,
        _session: &mut Session,
    ) -> Result<bool, Error> {
        Ok(Box::pin(self.live()?.cancel_reverse(address, port)).await)
    }

    async fn streamlocal_forward(&mut self, path: &str, _session: &mut Session) -> Result<bool, Error> {
        let what = format!("reverse forward of the socket {path}");
        self.live()?.refused(&what, "forwards of Unix sockets are not passed on");
        Ok(false)
    }
}

fn answer(session: &mut Session, channel: ChannelId, done: bool) -> Result<(), Error> {
    if done { session.channel_success(channel) } else { session.channel_failure(channel) }
}
