//! Wires the parts together, starts them, and drains.
//!
//! The only room that knows the core and the adapters both. It decides nothing about access.

mod checkpoints;
mod counts;
mod drain;
mod listeners;
mod news;
mod recovery;
mod scrape;
mod services;

use crate::api;
use crate::api::site::Site;
use crate::api::v1::{GateFacts, ListenerFact, Reads, Searches, SshFacts};
use crate::app::{self, App};
use crate::audit::checkpoint::Sink;
use crate::audit::{Actor, Digest, SigningKey, What};
use crate::config::{Config, RecordMode};
use crate::contract::Contracts;
use crate::grant::{Grants, StoreDirectory};
use crate::identity::oidc::Oidc;
use crate::identity::{Identities, Links};
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::record::{Folders, Writer};
use crate::session::{GateCore, Parts, Registry, Sessions, Waiters, reaches, supervise};
use crate::store::{Store, with_causes};
use crate::worker::Workers;
use checkpoints::Checkpoints;
use curfew_adapter::Clock;
use curfew_adapter::task::supervised;
use curfew_certs::Authority;
use listeners::{Behind, Listeners};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Runs the gate until it is told to stop. `digest` is that of the configuration file.
///
/// # Errors
/// What keeps it from starting, in a sentence.
pub async fn run(config: Config, digest: Digest) -> Result<(), String> {
    let clock = Clock::system();
    let keys = Keys::load(&config.server.keys).map_err(|error| error.to_string())?;
    let (authority, signing) = (Arc::new(keys.authority), Arc::new(keys.signing));
    let ssh = SshFacts {
        authority: keys.ssh.authority.public_line().map_err(|error| error.to_string())?,
        sessions: keys.ssh.sessions.public_line().map_err(|error| error.to_string())?,
        host_key: keys.ssh.host.public_line().map_err(|error| error.to_string())?,
    };
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION")).map_err(|error| error.to_string())?;
    let store = open_store(&config, &clock).await?;
    let contracts = Contracts::open(&config.server.contracts).map_err(|problems| problems.to_string())?;
    let recordings = open_recordings(&config, &signing, &clock)?;
    recovery::close_interrupted(&store, recordings.folders(), &signing)
        .await
        .map_err(|error| with_causes(&error))?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let started = Actor::Curfew.did(What::NodeStarted { version, config: digest });
    store.audit([started, news::loaded(&contracts.current())]).await.map_err(|error| with_causes(&error))?;

    let site = Site::new(config.server.public_url.clone(), config.server.trusted_proxies.clone());
    let targets = reaches(&config);
    let directory = StoreDirectory::new(store.clone(), &config.targets);
    let grants =
        Grants::new(store.clone(), contracts.clone(), Arc::new(directory), config.server.public_url.clone());
    let listeners = Listeners::bind(&config, &site, &authority, &keys.ssh, &clock).await?;
    let identities = Arc::new(Identities::new(
        store.clone(),
        authority.clone(),
        Arc::new(keys.ssh.authority),
        &config.signin,
        config.roles.clone(),
    ));
    let links = Links::new(identities.clone(), site.origin(), config.signin.link_addresses.clone());
    let limits = &config.listen.limits;
    let parts = Arc::new(Parts {
        site: site.clone(),
        clock: clock.clone(),
        store: store.clone(),
        contracts: contracts.clone(),
        grants: grants.clone(),
        certifier: keys.ssh.sessions,
        identities: identities.clone(),
        links: links.clone(),
        recordings: recordings.clone(),
        strict: config.record.mode == RecordMode::Strict,
        metrics: metrics.clone(),
        registry: Registry::new(clock.clone()),
        targets,
        countdown: config.session.countdown.clone(),
        waiters: Waiters::new(limits.pending_links, limits.pending_links_per_address),
        patience: config.signin.patience,
        max_staleness: config.session.max_staleness,
        runtime: tokio::runtime::Handle::current(),
        drain: Mutex::default(),
    });
    let app = App::new(app::Parts {
        oidc: Arc::new(Oidc::new(&config.providers, &site.origin(), store.clone())?),
        site,
        clock,
        identities: identities.clone(),
        links,
        grants: grants.clone(),
        sessions: Arc::new(Sessions::new(parts.clone())),
        recordings: recordings.folders().clone(),
        checkpoints: config.record.checkpoint.file.clone(),
        gate: facts(&config, &listeners, &authority, &signing, ssh)?,
        reads: Reads::default(),
        searches: Searches::default(),
    });

    let (stop, stopped) = watch::channel(false);
    supervised("session.supervise", supervise::run(parts.clone()));
    supervised("contracts.watch", news::watch_contracts(contracts, store.clone(), metrics.clone()));
    supervised("metrics.count", counts::run(store.clone(), metrics.clone()));
    supervised("grants.run", grants.run());
    supervised("identities.sweep", async move { identities.sweep().await });
    let sink = Sink::file(&config.record.checkpoint.file).map_err(|error| {
        format!("checkpoints can't be written to {}: {error}", config.record.checkpoint.file.display())
    })?;
    let checkpoints = Checkpoints {
        store: store.clone(),
        recordings: recordings.clone(),
        key: signing,
        sink: Arc::new(Mutex::new(sink)),
        metrics: metrics.clone(),
    };
    let checkpoints =
        supervised("checkpoints", checkpoints.run(config.record.checkpoint.every, stopped.clone()));
    let workers = Workers::start(None).map_err(|error| error.to_string())?;
    let behind = Behind {
        core: GateCore::new(parts.clone()),
        pages: api::router(app.clone()),
        scrape: scrape::router(parts.clone()).merge(api::health(app)),
        metrics,
    };
    let mut ends = drain::Ends::listen().map_err(|error| error.to_string())?;
    listeners.start(&workers, behind, &stopped);

    ends.asked().await;
    drain::drain(&parts, config.server.drain, &mut ends).await;
    let _ = store.audit([Actor::Curfew.did(What::NodeStopped)]).await;
    stop.send_replace(true);
    recordings.stop().await;
    let _ = checkpoints.await;
    store.close().await;
    Ok(())
}

/// What anybody may know of the gate. Clients reach the protocols at the host of `public_url`.
fn facts(
    config: &Config,
    listeners: &Listeners,
    authority: &Authority,
    signing: &SigningKey,
    ssh: SshFacts,
) -> Result<GateFacts, String> {
    let host = config.server.public_url.host_str().unwrap_or_default();
    let listeners = listeners.protocols().map(|(protocol, bound)| ListenerFact {
        protocol: protocol.to_string(),
        address: format!("{host}:{}", bound.port()),
    });
    let pem = signing.public_pem().map_err(|error| error.to_string())?;
    Ok(GateFacts {
        listeners: listeners.collect(),
        ssh,
        authority_pem: authority.certificate_pem(),
        fingerprint: authority.fingerprint(),
        keys: vec![(signing.id().to_owned(), pem)],
    })
}

async fn open_store(config: &Config, clock: &Clock) -> Result<Store, String> {
    let folder = &config.server.data_dir;
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("the folder {} can't be made: {error}", folder.display()))?;
    Store::open(&folder.join("curfew.db"), clock.clone(), &config.server.node)
        .await
        .map_err(|error| with_causes(&error))
}

fn open_recordings(config: &Config, signing: &Arc<SigningKey>, clock: &Clock) -> Result<Writer, String> {
    let folders = Folders::local(&config.record.store)
        .map_err(|error| format!("recordings can't go to {}: {error}", config.record.store.display()))?;
    Writer::start(folders, signing.clone(), clock.clone())
        .map_err(|error| format!("recordings can't be written: {error}"))
}
