//! The parts that the HTTP side works with, shared by every request.
//!
//! Owns nothing but references: `serve` makes the parts and puts them together here.

use std::ops::Deref;
use std::sync::Arc;

use curfew_adapter::Clock;

use crate::api::site::Site;
use crate::identity::oidc::Oidc;
use crate::identity::{Identities, Links};

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
