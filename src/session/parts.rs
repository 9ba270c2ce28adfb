//! What the session layer works with, put together by `serve`.

use super::registry::Registry;
use super::waiters::Waiters;
use crate::api::site::Site;
use crate::config::{CertificateFiles, Config, SecretSource};
use crate::contract::{Contracts, TargetFacts};
use crate::grant::Grants;
use crate::identity::{Identities, Links};
use crate::metrics::Metrics;
use crate::record::Writer;
use crate::store::Store;
use curfew_adapter::{Clock, Login, TargetRoute};
use curfew_certs::SshKey;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// A target of the configuration, ready to be reached.
#[derive(Debug)]
pub struct Reach {
    /// What contracts may know of it.
    pub facts: TargetFacts,
    /// How it is spoken to.
    pub route: TargetRoute,
    /// The database that is opened where the client names none: the first of the target's entry.
    pub database: Option<String>,
    /// Whether it has databases, so that each connection is to one of them.
    pub has_databases: bool,
    /// The secret of each account that has one.
    pub accounts: HashMap<String, SecretSource>,
    /// The certificate files of each account that shows one in TLS.
    pub certificates: HashMap<String, CertificateFiles>,
    /// How the gate signs in with each account.
    pub logins: HashMap<String, Login>,
}

/// The parts.
#[derive(Debug)]
pub struct Parts {
    /// Where people find the gate.
    pub site: Site,
    /// The only clock.
    pub clock: Clock,
    /// The store.
    pub store: Store,
    /// The contracts in force.
    pub contracts: Arc<Contracts>,
    /// Requests and grants.
    pub grants: Grants,
    /// Signs the certificates of sessions at targets.
    pub certifier: SshKey,
    /// Identities and sign-ins.
    pub identities: Arc<Identities>,
    /// Sign-in links.
    pub links: Links,
    /// Where recordings go.
    pub recordings: Writer,
    /// Whether a recording that fails ends its session.
    pub strict: bool,
    /// The counters.
    pub metrics: Metrics,
    /// The live sessions.
    pub registry: Registry,
    /// The targets, by name.
    pub targets: HashMap<String, Reach>,
    /// Steps of the countdown.
    pub countdown: Vec<Duration>,
    /// How many connections wait for people.
    pub waiters: Waiters,
    /// How long a client waits at the prompt for its request.
    pub patience: Duration,
    /// How long the store may be silent.
    pub max_staleness: Duration,
    /// The runtime of the core, where what outlives a connection runs.
    pub runtime: Handle,
    /// Until when sessions may still run, once the node drains.
    pub drain: Mutex<Option<Timestamp>>,
}

impl Parts {
    /// Until when sessions may still run; `None` while the node does not drain.
    pub fn drain_until(&self) -> Option<Timestamp> {
        *self.drain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No new session from now on; those that live may run until `until`.
    pub fn start_drain(&self, until: Timestamp) {
        *self.drain.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }
}

/// The targets of the configuration, by name.
pub fn reaches(config: &Config) -> HashMap<String, Reach> {
    config
        .targets
        .iter()
        .map(|target| {
            let facts = target.facts();
            let route = TargetRoute {
                name: target.name.clone(),
                protocol: target.protocol,
                address: target.address.clone(),
                tls: target.tls.clone(),
                host_keys: target.host_keys.clone(),
                postgres: target.postgres.clone(),
            };
            let secrets = target.accounts.iter().filter_map(|a| Some((a.name.clone(), a.secret.clone()?)));
            let certificates =
                target.accounts.iter().filter_map(|a| Some((a.name.clone(), a.certificate.clone()?)));
            let logins = target.accounts.iter().map(|a| (a.name.clone(), a.login.clone()));
            let reach = Reach {
                facts,
                route,
                database: target.databases.first().cloned(),
                has_databases: !target.databases.is_empty(),
                accounts: secrets.collect(),
                certificates: certificates.collect(),
                logins: logins.collect(),
            };
            (target.name.clone(), reach)
        })
        .collect()
}
