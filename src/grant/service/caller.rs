//! Who does it: a signed-in identity, with what its roles let it do here.
//!
//! Owns the two rights that no contract gives: to read everything, and to revoke anything.

use std::net::IpAddr;

use curfew_adapter::Identity;

use crate::audit::{Actor, AuditEvent, What};
use crate::contract::PersonKey;

/// A signed-in identity that asks or decides.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub identity: Identity,
    /// Where from.
    pub address: Option<IpAddr>,
    /// Whether they see other people's requests and grants: auditors and admins do.
    pub reads_all: bool,
    /// Whether they may revoke any grant: admins may.
    pub admin: bool,
}

impl Caller {
    /// A user without further roles.
    #[must_use]
    pub fn user(identity: Identity, address: Option<IpAddr>) -> Self {
        Self { identity, address, reads_all: false, admin: false }
    }

    /// The person whose identity it is: rules compare these.
    #[must_use]
    pub fn person(&self) -> PersonKey {
        PersonKey::new(self.identity.person.clone())
    }

    /// An event that they caused.
    pub(super) fn did(&self, what: What) -> AuditEvent {
        let actor = Actor::Identity {
            identity: self.identity.id.to_string(),
            email: Some(self.identity.email.clone()),
            address: self.address,
        };
        actor.did(what)
    }
}
