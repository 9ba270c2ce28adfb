//! Opens channels: each at the far side first, and confirmed to whoever asked once it is open there.

use super::relay::relay;
use super::{Entry, Purpose, Tape};
use crate::leash::within;
use crate::session::{Fault, Live};
use curfew_adapter::{Event, HostPort};
use russh::{Channel, ChannelOpenFailure, Error, client, server};
use std::pin::pin;
use std::sync::Arc;

/// RFC 4254, section 5.1: administratively prohibited.
const PROHIBITED: u32 = 1;

fn host_port(host: &str, port: u32) -> String {
    // Recorded as the client spelled it, even where that is no port.
    match u16::try_from(port) {
        Ok(port) => HostPort { host: host.to_owned(), port }.to_string(),
        Err(_) => format!("{host}:{port}"),
    }
}

fn prohibited(why: &str) -> ChannelOpenFailure {
    ChannelOpenFailure::Other { code: PROHIBITED, reason: format!("curfew: {why}") }
}

impl Live {
    /// Something was asked for that is not allowed.
    pub fn refused(&self, what: &str, why: &str) {
        tracing::info!(what, why, "refused");
        if self.recorder.append(&Event::Refused { what, why }).is_err() {
            self.fault_now(Fault::Recording);
        }
    }

    /// Refuses a channel of the client's.
    pub async fn reject(&self, what: &str, why: &str, reply: server::ChannelOpenHandle) {
        self.refused(what, why);
        reply.reject(prohibited(why)).await;
    }

    fn tape(&self) -> Option<Tape> {
        let number = self.registry.number()?;
        Some(Tape::new(number, self.recorder.clone(), &self.terms))
    }

    /// The recording of a channel that is opened for `purpose`. `None` where there are too many, or it can't be recorded:
    /// then the session ends.
    fn begun(&self, purpose: Purpose) -> Option<Tape> {
        let mut tape = self.tape()?;
        if tape.begin(purpose).is_ok() {
            return Some(tape);
        }
        self.registry.give_up();
        self.fault_now(Fault::Recording);
        None
    }

    /// The client opens a session channel: for a shell, a command or a subsystem.
    pub async fn open_session(
        self: &Arc<Self>,
        channel: Channel<server::Msg>,
        reply: server::ChannelOpenHandle,
    ) {
        let Some(tape) = self.tape() else {
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        };
        let live = self.clone();
        self.spawn(Box::pin(async move {
            let opened = within(&live.lease, pin!(live.target.channel_open_session())).await;
            live.join(channel, opened, tape, reply).await;
        }))
        .await;
    }

    /// The client asks for a connection that the target opens.
    pub async fn open_forward(
        self: &Arc<Self>,
        channel: Channel<server::Msg>,
        reply: server::ChannelOpenHandle,
        (host, port): (&str, u32),
        (from, from_port): (&str, u32),
    ) {
        let to = host_port(host, port);
        if !self.allow.forward(host, port) {
            return self
                .reject(&format!("forward to {to}"), "this contract does not allow that forward", reply)
                .await;
        }
        let Some(tape) = self.begun(Purpose::Forward(to)) else {
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        };
        let (live, host, from) = (self.clone(), host.to_owned(), from.to_owned());
        self.spawn(Box::pin(async move {
            let opening = live.target.channel_open_direct_tcpip(host, port, from, from_port);
            let opened = within(&live.lease, pin!(opening)).await;
            live.join(channel, opened, tape, reply).await;
        }))
        .await;
    }

    /// Joins a channel of the client's with what the target opened for it.
    async fn join(
        self: Arc<Self>,
        near: Channel<server::Msg>,
        far: Option<Result<Channel<client::Msg>, Error>>,
        tape: Tape,
        reply: server::ChannelOpenHandle,
    ) {
        let far = match far {
            Some(Ok(far)) => far,
            failed => return reply.reject(self.unopened(tape, failed)).await,
        };
        self.joined(near, far, tape, reply.accept()).await;
    }

    /// Somebody connected to a port of the target that is passed to the client.
    pub async fn open_reverse(
        self: &Arc<Self>,
        far: Channel<client::Msg>,
        reply: client::ChannelOpenHandle,
        (to, to_port): (String, u32),
        (from, from_port): (String, u32),
    ) {
        if !self.reverses.contains(&to, to_port) {
            self.refused(&format!("reverse {to_port}"), "the client asked for no such port");
            return reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        }
        let Some(tape) = self.begun(Purpose::Reverse(host_port(&from, from_port))) else {
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        };
        let live = self.clone();
        self.spawn(Box::pin(async move {
            let opening = live.client.channel_open_forwarded_tcpip(to, to_port, from, from_port);
            let opened = within(&live.lease, pin!(opening)).await;
            live.join_back(far, opened, tape, reply).await;
        }))
        .await;
    }

    /// The target reaches for the client's agent.
    pub async fn open_agent(self: &Arc<Self>, far: Channel<client::Msg>, reply: client::ChannelOpenHandle) {
        if !self.agent_asked() {
            self.refused("agent", "the client has not passed its agent on");
            return reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        }
        let Some(tape) = self.begun(Purpose::Agent) else {
            return reply.reject(ChannelOpenFailure::ResourceShortage).await;
        };
        let live = self.clone();
        self.spawn(Box::pin(async move {
            let opened = within(&live.lease, pin!(live.client.channel_open_agent())).await;
            live.join_back(far, opened, tape, reply).await;
        }))
        .await;
    }

    /// Joins a channel of the target's with what the client opened for it.
    async fn join_back(
        self: Arc<Self>,
        far: Channel<client::Msg>,
        near: Option<Result<Channel<server::Msg>, Error>>,
        tape: Tape,
        reply: client::ChannelOpenHandle,
    ) {
        let near = match near {
            Some(Ok(near)) => near,
            failed => return reply.reject(self.unopened(tape, failed)).await,
        };
        self.joined(near, far, tape, reply.accept()).await;
    }

    /// Both halves of a channel are open: whoever asked for it is told, and bytes pass.
    async fn joined(
        self: Arc<Self>,
        near: Channel<server::Msg>,
        far: Channel<client::Msg>,
        tape: Tape,
        telling: impl Future<Output = ()>,
    ) {
        let ((near_read, near), (far_read, far)) = (near.split(), far.split());
        let entry = Arc::new(Entry::new(near, far, tape));
        self.registry.add(&entry);
        telling.await;
        relay(self, entry, near_read, far_read).await;
    }

    /// The other half of a channel was not opened; what whoever asked for it is told.
    fn unopened<T>(&self, mut tape: Tape, opened: Option<Result<T, Error>>) -> ChannelOpenFailure {
        self.registry.give_up();
        let _ = tape.end();
        match opened {
            Some(Err(Error::ChannelOpenFailure(reason))) => reason,
            _ => ChannelOpenFailure::ConnectFailed,
        }
    }
}
