//! The SSH adapter: `ssh` on one side, an SSH server on the other, the lease in between.
//!
//! - `client`: the client's leg: sign-in, admission, requests.
//! - `target`: the target's leg: host keys, the account.
//! - `channel`: shells, commands, file transfer and forwards, recorded before they are passed on.
//! - `sftp`: watches file transfer as it passes.
//! - `session`: from admission to close, and the cut.
//! - `flow`, `wire`: what is on its way, how fast it may come, and where it stops.
//!
//! SSH itself is russh's: a task for each leg, on the thread of the connection. It never sees the store, the
//! configuration or HTTP, and it decides nothing: the gate does.

mod algorithms;
mod allow;
mod channel;
mod client;
mod flow;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod leash;
mod session;
pub mod sftp;
mod shut;
mod target;
mod text;
mod user;
mod wire;

#[cfg(test)]
mod tests;

pub use allow::WORDS;
pub use target::check;

use client::{Answer, Door, Front, Reply};
use curfew_adapter::{Adapter, AdapterError, ClientIo, Ended, Gate, Peer, Protocol};
use flow::Flow;
use futures_util::future::BoxFuture;
use russh::keys::{Certificate, PrivateKey};
use russh::server;
use session::ClientLeg;
use shut::Shut;
use std::fmt;
use std::sync::Arc;
use tokio::sync::mpsc;
use wire::Wire;

/// What an SSH listener needs.
#[derive(Clone)]
pub struct SshOptions {
    /// The gate's host key, in PEM (OpenSSH or PKCS #8).
    pub host_key: curfew_adapter::Secret,
    /// Its host certificate, as one line; clients that know the authority need no more.
    pub host_certificate: Option<String>,
}

/// Why an adapter could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The host key can't be read.
    #[error("the SSH host key can't be read: it must be an unencrypted private key in PEM")]
    Key,
    /// The host certificate can't be read.
    #[error("the SSH host certificate can't be read: {0}")]
    Certificate(String),
    /// The host certificate is for another key.
    #[error("the SSH host certificate is not for this host key")]
    Mismatch,
}

/// Speaks SSH.
pub struct SshAdapter {
    config: Arc<server::Config>,
}

impl SshAdapter {
    /// Serves clients with the host key in `options`.
    ///
    /// # Errors
    /// Where the key or the certificate can't be read, or do not belong together.
    pub fn new(options: SshOptions) -> Result<Self, SshError> {
        let key: PrivateKey =
            russh::keys::decode_secret_key(options.host_key.reveal(), None).map_err(|_| SshError::Key)?;
        let read =
            |line: String| Certificate::from_openssh(&line).map_err(|e| SshError::Certificate(e.to_string()));
        let certificate = options.host_certificate.map(read).transpose()?;
        if certificate
            .as_ref()
            .is_some_and(|certificate| certificate.public_key() != key.public_key().key_data())
        {
            return Err(SshError::Mismatch);
        }
        Ok(Self { config: Arc::new(client::config(key, certificate)) })
    }

    async fn connection(&self, io: ClientIo, gate: Gate) -> Result<Ended, AdapterError> {
        let startup = gate.connection().startup.clone();
        let (flow, socket) = (Arc::new(Flow::default()), Shut(io.handle()));
        let (calls, mut inbox) = mpsc::channel(1);
        let front = Front::new(calls, flow.clone());
        let leg = match server::run_stream(self.config.clone(), Wire::new(io, flow.clone()), front).await {
            Ok(leg) => leg,
            Err(error) => return broken(error),
        };
        let mut client = ClientLeg { leg, flow: flow.clone(), socket };
        let mut door = Door::new(gate, flow);
        loop {
            let call = tokio::select! {
                done = &mut client.leg => return done.map_or_else(broken, |()| Ok(Ended::Refused)),
                Some(call) = inbox.recv() => call,
            };
            let parting = call.offer.parting();
            match door.hear(&call.user, call.offer).await {
                // Where nobody waits for the answer, the leg is over, and says so above.
                Reply::Auth(auth) => drop(call.reply.send(Answer::Auth(auth))),
                Reply::Refused(auth, notice) => {
                    client.refuse(|| drop(call.reply.send(Answer::Auth(auth))), &notice).await;
                    return Ok(Ended::Refused);
                }
                Reply::Admitted(session) => {
                    startup.finish();
                    // A session may last for hours: how it was let in is not kept.
                    drop((door, inbox));
                    return Ok(session::run(session, client, call.reply, parting).await);
                }
            }
        }
    }
}

/// A connection that ended before it was a session: left, or broken.
fn broken(error: russh::Error) -> Result<Ended, AdapterError> {
    match error {
        russh::Error::IO(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(Ended::Refused),
        russh::Error::IO(error) => Err(AdapterError::Io(error)),
        russh::Error::Disconnect | russh::Error::HUP => Ok(Ended::Refused),
        error => Err(AdapterError::Protocol(error.to_string())),
    }
}

impl Adapter for SshAdapter {
    fn protocol(&self) -> Protocol {
        Protocol::Ssh
    }

    fn serve(
        self: Arc<Self>,
        io: ClientIo,
        _peer: Peer,
        gate: Gate,
    ) -> BoxFuture<'static, Result<Ended, AdapterError>> {
        Box::pin(async move { self.connection(io, gate).await })
    }
}

impl fmt::Debug for SshAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SshAdapter")
    }
}

impl fmt::Debug for SshOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshOptions").field("host_certificate", &self.host_certificate).finish_non_exhaustive()
    }
}
