//! The parts that the HTTP side works with, shared by every request.
//!
//! Owns nothing but references: `serve` makes the parts and puts them together here.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use curfew_adapter::Clock;

use crate::api::site::Site;
use crate::api::v1::{GateFacts, LiveSessions, Reads, Searches};
use crate::grant::Grants;
use crate::identity::oidc::Oidc;
use crate::identity::{Identities, Links};
use crate::record::Folders;

/// What handlers reach: cheap to clone, one for the whole process.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// The parts of [`App`].
#[derive(Debug)]
pub struct Parts {
    /// Where people and clients find the gate, and which proxies it believes.
    pub site: Site,
    /// The only clock.
    pub clock: Clock,
    /// Identities and their sign-ins.
    pub identities: Arc<Identities>,
    /// The way to the providers and back.
    pub oidc: Arc<Oidc>,
    /// Connections that wait for somebody to sign in.
    pub links: Links,
    /// Requests and grants.
    pub grants: Grants,
    /// The sessions that live on this node.
    pub sessions: Arc<dyn LiveSessions>,
    /// The recordings.
    pub recordings: Folders,
    /// The file of checkpoints of the audit log.
    pub checkpoints: PathBuf,
    /// What anybody may know of the gate.
    pub gate: GateFacts,
    /// Who read the audit log of late.
    pub reads: Reads,
    /// How many may search the recordings at once.
    pub searches: Searches,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
