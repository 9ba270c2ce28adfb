//! A session that lives: all that the core must know of it to end it.

use crate::contract::{Contract, PersonKey, TargetFacts};
use crate::grant::Grant;
use crate::metrics::Metrics;
use curfew_adapter::{
    BootTime, Counters, End, GrantId, Identity, LeaseKeeper, Protocol, SessionId, SigninId, SocketHandle,
};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a session is about: fixed at its start.
#[derive(Debug)]
pub struct About {
    /// Its id, and its recording's.
    pub id: SessionId,
    /// Who.
    pub identity: Identity,
    /// The key under which rules about people compare.
    pub person: PersonKey,
    /// Under which sign-in.
    pub signin: SigninId,
    /// The grant that its terms come from, as it was when the session started.
    pub grant: Grant,
    /// The contract as pinned by the request.
    pub pinned: Arc<Contract>,
    /// The target.
    pub target: TargetFacts,
    /// The account.
    pub account: String,
    /// The database, where the protocol has them.
    pub database: Option<String>,
    /// The program, as it calls itself.
    pub program: String,
    /// Where the client is.
    pub client: std::net::SocketAddr,
    /// Since when.
    pub started: Timestamp,
    /// How long nothing may happen.
    pub idle: Option<Duration>,
}

impl About {
    /// The protocol that it speaks.
    pub const fn protocol(&self) -> Protocol {
        self.target.protocol
    }

    /// The grant's id.
    pub fn grant_id(&self) -> &GrantId {
        &self.grant.record().id
    }
}

/// A live session.
#[derive(Debug)]
pub struct Live {
    /// What it is about.
    pub about: About,
    /// Ends it.
    pub keeper: LeaseKeeper,
    /// Bytes, and the last activity.
    pub counters: Arc<Counters>,
    /// When it became live, for idle time before the first byte.
    pub since: BootTime,
    sockets: Mutex<Vec<SocketHandle>>,
    /// Bytes in and out that the metrics have already.
    counted: Mutex<(u64, u64)>,
}

impl Live {
    /// A session on the client's socket.
    pub fn new(about: About, keeper: LeaseKeeper, since: BootTime, client: SocketHandle) -> Self {
        Self {
            about,
            keeper,
            counters: Arc::default(),
            since,
            sockets: Mutex::new(vec![client]),
            counted: Mutex::default(),
        }
    }

    /// Puts one more socket under the second guard.
    pub fn hold(&self, socket: SocketHandle) {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.retain(SocketHandle::is_open);
        sockets.push(socket);
    }

    /// Shuts every socket of it down, whoever holds them.
    pub fn shut_down(&self) {
        for socket in self.sockets.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            socket.shutdown();
        }
    }

    /// How its lease ended, if it has.
    pub fn ended(&self) -> Option<End> {
        self.keeper.ended()
    }

    /// For how long nothing has happened at `now`.
    pub fn quiet(&self, now: BootTime) -> Duration {
        now.since(self.counters.last_activity().max(self.since))
    }

    /// Adds to the metrics what passed since they were told last.
    pub fn count_bytes(&self, metrics: &Metrics) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.counters.bytes();
        let (protocol, target) = (self.about.protocol().as_str(), self.about.target.name.as_str());
        for (direction, bytes) in
            [("in", now.0.saturating_sub(counted.0)), ("out", now.1.saturating_sub(counted.1))]
        {
            metrics.bytes.with_label_values(&[protocol, target, direction]).inc_by(bytes);
        }
        *counted = now;
    }
}
