//! Wires the parts together, starts them, and drains.
//!
//! The only room that knows the core and the adapters both. It decides nothing about access.

mod checkpoints;
mod drain;
mod listeners;
mod news;
mod recovery;
mod services;

use crate::api;
use crate::api::site::Site;
use crate::app::{self, App};
use crate::audit::checkpoint::Sink;
use crate::config::{Config, RecordMode};
use crate::contract::{Contracts, Reload};
use crate::grant::Grants;
use crate::identity::link::Links;
use crate::identity::oidc::Oidc;
use crate::identity::{Identities, Roles};
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::record::{Folders, Writer};
use crate::session::{GateCore, Parts, Registry, Sessions, reaches, supervise};
use crate::store::{Change, Store};
use crate::worker::Workers;
use curfew_adapter::Clock;
use curfew_adapter::task::supervised;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tracing::{error, info, warn};

/// How long after the drain's end sessions may take to say goodbye and to be written down.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs the gate until it is told to stop.
///
/// # Errors
/// What keeps it from starting, in a sentence.
pub async fn run(config: Config) -> Result<(), String> {
    let clock = Clock::system();
    let keys = Keys::load(&config.server.keys).map_err(|error| error.to_string())?;
    let (authority, signing) = (Arc::new(keys.authority), Arc::new(keys.signing));
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION")).map_err(|error| error.to_string())?;
    std::fs::create_dir_all(&config.server.data_dir)
        .map_err(|error| format!("the folder {} can't be made: {error}", config.server.data_dir.display()))?;
    let store = Store::open(&config.server.data_dir.join("curfew.db"), clock.clone(), &config.server.node)
        .await
        .map_err(|error| crate::store::with_causes(&error))?;
    let contracts = Contracts::open(&config.server.contracts).map_err(|problems| problems.to_string())?;
    let folders = Folders::open(&config.record.store).map_err(|error| error.to_string())?;
    let recordings = Writer::start(folders, signing.clone(), clock.clone())
        .map_err(|error| format!("recordings can't be written: {error}"))?;
    recovery::close_interrupted(&store, &recordings).await.map_err(|error| crate::store::with_causes(&error))?;

    let site = Site::new(config.server.public_url.clone(), config.server.trusted_proxies.clone());
    let identities = Identities::new(store.clone(), authority.clone(), &config.signin, config.roles.clone());
    let identities = Arc::new(identities);
    let oidc = Oidc::new(&config.providers, &site.origin(), store.clone())?;
    let links = Links::new(&config, clock.clone());
    let targets = reaches(&config);
    let facts = targets.values().map(|reach| (reach.facts.clone())).collect();
    let grants = Grants::new(store.clone(), contracts.clone(), clock.clone(), facts);
    let parts = Arc::new(Parts {
        site: site.clone(),
        clock: clock.clone(),
        store: store.clone(),
        contracts: contracts.clone(),
        identities: identities.clone(),
        links: links.clone(),
        recordings: recordings.clone(),
        strict: config.record.mode == RecordMode::Strict,
        metrics: metrics.clone(),
        registry: Registry::new(clock.clone()),
        targets,
        countdown: config.session.countdown.clone(),
        patience: config.signin.patience,
        max_staleness: config.session.max_staleness,
        runtime: tokio::runtime::Handle::current(),
        drain: Mutex::default(),
    });
    let app = App::new(app::Parts {});

    let (stop, stopped) = watch::channel(false);
    supervised("session.supervise", supervise::run(parts.clone()));
    supervised("contracts.watch", watch_contracts(contracts.clone(), store.clone(), metrics.clone()));
    supervised("grants.run", grants.clone().run());
    supervised("identities.sweep", async move { identities.sweep().await });
    let checkpoints = checkpoints::Checkpoints {
        store: store.clone(),
        recordings: recordings.clone(),
        key: signing,
        sink: Sink::file(&config.record.checkpoint.file).map_err(|error| error.to_string())?,
        metrics: metrics.clone(),
    };
    let checkpoints = supervised("checkpoints", checkpoints.run(config.record.checkpoint.every, stopped.clone()));
    let workers = Workers::start(None).map_err(|error| error.to_string())?;
    let listeners = listeners::Listeners::bind(&config, &authority, &clock).await?;
    listeners.start(&workers, GateCore::new(parts.clone()), api::router(app), &metrics, &stopped);

    shutdown_signal().await.map_err(|error| error.to_string())?;
    drain(&parts, config.server.drain).await;
    stop.send_replace(true);
    let _ = checkpoints.await;
    store.close().await;
    Ok(())
}
