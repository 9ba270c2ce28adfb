//! What both legs and all channels of a session share.

use crate::allow::Allow;
use crate::channel::Registry;
use crate::flow::Flow;
use crate::target::Back;
use curfew_adapter::{BootTime, Counters, Lease, Recorder, Terms};
use futures_util::future::BoxFuture;
use russh::{client, server};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Why a session can't go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It can't be recorded.
    Recording,
}

/// The ports of the target, connections to which are passed to the client, as it asked for them.
#[derive(Debug, Default)]
pub struct Reverses(Mutex<Vec<(String, u32)>>);

impl Reverses {
    /// One more.
    pub fn add(&self, address: &str, port: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((address.to_owned(), port));
    }

    /// One less; `false` where there was none.
    pub fn remove(&self, address: &str, port: u32) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().position(|(a, p)| a == address && *p == port);
        found.map(|at| all.swap_remove(at)).is_some()
    }

    /// Whether the client asked for it. Port 0, which the target has yet to answer, is any port.
    pub fn contains(&self, address: &str, port: u32) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().any(|(a, p)| a == address && (*p == port || *p == 0))
    }
}

/// A live session.
pub struct Live {
    /// What it may do, and how it is recorded.
    pub terms: Arc<Terms>,
    /// The words of its contract.
    pub allow: Allow,
    /// Its right to move bytes.
    pub lease: Lease,
    /// Its recording.
    pub recorder: Recorder,
    /// Its bytes.
    pub counters: Arc<Counters>,
    /// Speaks to the client.
    pub client: server::Handle,
    /// What is on its way through the client's leg.
    pub client_flow: Arc<Flow>,
    /// Speaks to the target.
    pub target: client::Handle<Back>,
    /// What is on its way through the target's leg.
    pub target_flow: Arc<Flow>,
    /// Its channels.
    pub registry: Registry,
    /// Its reverse forwards.
    pub reverses: Reverses,
    agent: AtomicBool,
    over: AtomicBool,
    relays: mpsc::Sender<BoxFuture<'static, ()>>,
    faults: mpsc::Sender<Fault>,
}

/// What a live session sends to whoever watches it.
pub struct Inbox {
    /// Relays to run.
    pub relays: mpsc::Receiver<BoxFuture<'static, ()>>,
    /// Why it can't go on.
    pub faults: mpsc::Receiver<Fault>,
}

impl Live {
    /// Joins the two legs of `session`.
    pub fn new(
        session: &curfew_adapter::Session,
        (client, client_flow): (server::Handle, Arc<Flow>),
        (target, target_flow): (client::Handle<Back>, Arc<Flow>),
    ) -> (Self, Inbox) {
        let (relays, relays_in) = mpsc::channel(16);
        let (faults, faults_in) = mpsc::channel(1);
        let live = Self {
            terms: session.terms().clone(),
            allow: Allow::new(&session.terms().allow),
            lease: session.lease().clone(),
            recorder: session.recorder().clone(),
            counters: session.counters().clone(),
            client,
            client_flow,
            target,
            target_flow,
            registry: Registry::default(),
            reverses: Reverses::default(),
            agent: AtomicBool::new(false),
            over: AtomicBool::new(false),
            relays,
            faults,
        };
        (live, Inbox { relays: relays_in, faults: faults_in })
    }

    /// Runs `relay` with the session.
    pub async fn spawn(&self, relay: BoxFuture<'static, ()>) {
        // Where nobody takes it, the session is over; dropping the relay rejects its channel.
        let _ = self.relays.send(relay).await;
    }

    /// The session can't go on.
    pub async fn fault(&self, fault: Fault) {
        let _ = self.faults.send(fault).await;
    }

    /// As [`Live::fault`]; where one was told before, that one counts.
    pub fn fault_now(&self, fault: Fault) {
        let _ = self.faults.try_send(fault);
    }

    /// The client has passed its agent on.
    pub fn ask_for_agent(&self) {
        self.agent.store(true, Ordering::Relaxed);
    }

    /// Whether the client has passed its agent on.
    pub fn agent_asked(&self) -> bool {
        self.agent.load(Ordering::Relaxed)
    }

    /// The session is over: what ran is looked at before its channels are forgotten.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether the session is over.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) || !self.lease.is_live()
    }

    /// The time since boot.
    pub fn now(&self) -> BootTime {
        self.lease.clock().boot()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("grant", &self.terms.grant).finish_non_exhaustive()
    }
}
