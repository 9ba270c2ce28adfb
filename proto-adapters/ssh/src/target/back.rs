//! What the library calls for a target: its host key is checked, its channels and news go to the live session.

use super::host_keys::HostKeyring;
use crate::channel::Entry;
use crate::flow::Flow;
use crate::session::Live;
use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId, ChannelOpenFailure, Error, Sig};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use tokio::sync::watch;

/// How a leg came to its end.
#[derive(Clone, Debug)]
pub struct Left {
    /// Whether its peer broke the protocol.
    pub broken: bool,
    /// The cause, for the operator.
    pub cause: String,
}

impl From<Error> for Left {
    fn from(error: Error) -> Self {
        let gone = matches!(
            error,
            Error::IO(_) | Error::Disconnect | Error::HUP | Error::KeepaliveTimeout | Error::SendError
        );
        Self { broken: !gone, cause: error.to_string() }
    }
}

/// What the rest of the session sees of a target's leg.
#[derive(Debug)]
pub struct Side {
    live: OnceLock<Weak<Live>>,
    wrong_key: Mutex<Option<String>>,
    left: watch::Sender<Option<Left>>,
}

impl Default for Side {
    fn default() -> Self {
        Self { live: OnceLock::new(), wrong_key: Mutex::default(), left: watch::Sender::new(None) }
    }
}

impl Side {
    /// From now on the target's channels and news go to `live`.
    pub fn join(&self, live: &Arc<Live>) {
        // Once for each session.
        let _ = self.live.set(Arc::downgrade(live));
    }

    fn live(&self) -> Option<Arc<Live>> {
        self.live.get().and_then(Weak::upgrade)
    }

    /// Why the host's key was refused, where it was.
    pub fn wrong_key(&self) -> Option<String> {
        self.wrong_key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn leave(&self, how: Left) {
        self.left.send_if_modified(|left| {
            let first = left.is_none();
            left.get_or_insert(how);
            first
        });
    }

    /// Waits until the target's leg is over.
    pub async fn left(&self) -> Left {
        let mut left = self.left.subscribe();
        // The sender lives in `self`.
        let how = left.wait_for(Option::is_some).await.ok().and_then(|how| how.clone());
        how.unwrap_or_else(|| Error::Disconnect.into())
    }
}

/// A target, as the library sees it.
#[derive(Debug)]
pub struct Back {
    keyring: HostKeyring,
    side: Arc<Side>,
    flow: Arc<Flow>,
}

impl Back {
    /// Checks the target's key with `keyring`.
    pub const fn new(keyring: HostKeyring, side: Arc<Side>, flow: Arc<Flow>) -> Self {
        Self { keyring, side, flow }
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        self.side.leave(Error::Disconnect.into());
    }
}

impl Handler for Back {
    type Error = Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Error> {
        match self.keyring.check(key) {
            Ok(()) => Ok(true),
            Err(cause) => {
                *self.side.wrong_key.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause);
                Ok(false)
            }
        }
    }

    fn adjust_window(&mut self, _channel: ChannelId, _window: u32) -> u32 {
        self.flow.window()
    }

    async fn exit_status(
        &mut self,
        channel: ChannelId,
        status: u32,
        _session: &mut Session,
    ) -> Result<(), Error> {
        if let Some(entry) = self.entry(channel) {
            entry.tape().exited(status);
            entry.ended();
        }
        Ok(())
    }

    async fn exit_signal(
        &mut self,
        channel: ChannelId,
        signal: Sig,
        _core: bool,
        _message: &str,
        _language: &str,
        _session: &mut Session,
    ) -> Result<(), Error> {
        if let Some(entry) = self.entry(channel) {
            entry.tape().killed(&crate::client::signal_name(&signal));
            entry.ended();
        }
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Error> {
        if let Some(entry) = self.entry(channel) {
            entry.tape().left();
            entry.ended();
        }
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        address: &str,
        port: u32,
        from: &str,
        from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        match self.side.live() {
            Some(live) => {
                let (to, from) = ((address.to_owned(), port), (from.to_owned(), from_port));
                Box::pin(live.open_reverse(channel, reply, to, from)).await;
            }
            None => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
        }
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        match self.side.live() {
            Some(live) => Box::pin(live.open_agent(channel, reply)).await,
            None => reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await,
        }
        Ok(())
    }

    // What a target has no business to open: the library would accept it.

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        self.deny("session", reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        self.deny("direct-tcpip", reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        self.deny("direct-streamlocal", reply).await
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        self.deny("forwarded-streamlocal", reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        self.deny("x11", reply).await
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Error>) -> Result<(), Error> {
        self.side.leave(match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                Left { broken: false, cause: format!("it disconnected: {}", info.message) }
            }
            DisconnectReason::Error(error) => error.into(),
        });
        Ok(())
    }
}

impl Back {
    fn entry(&self, channel: ChannelId) -> Option<Arc<Entry>> {
        self.side.live()?.registry.by_target(channel)
    }

    async fn deny(&self, kind: &str, reply: ChannelOpenHandle) -> Result<(), Error> {
        if let Some(live) = self.side.live() {
            live.refused(&format!("a {kind} channel of the target's"), "targets may not open such channels");
        }
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }
}
