//! Follows the folder of contracts: tells the sessions of a new set, and the audit log of each outcome.

use crate::audit::event::{ContractVersion, What};
use crate::audit::{Actor, AuditEvent};
use crate::contract::{ContractSet, Contracts, Reload};
use crate::metrics::Metrics;
use crate::store::{Change, Store, with_causes};
use curfew_adapter::task::supervised;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tracing::{error, info};

/// The event of a set that came into force.
pub fn loaded(set: &ContractSet) -> AuditEvent {
    let version = |contract: &Arc<crate::contract::Contract>| ContractVersion {
        name: contract.name.clone(),
        version: contract.hash().to_string(),
    };
    Actor::Curfew.did(What::ContractsLoaded { contracts: set.iter().map(version).collect() })
}

/// Runs until the process ends.
pub async fn watch_contracts(contracts: Arc<Contracts>, store: Store, metrics: Metrics) {
    let mut outcomes = contracts.changes();
    let watched = contracts.clone();
    supervised("contracts.poll", async move {
        if let Err(cause) = watched.watch().await {
            error!(%cause, "the folder of contracts is not watched");
        }
    });
    loop {
        let event = match outcomes.recv().await {
            Ok(Reload::Replaced { now: set, .. }) => {
                metrics.contract_reloads.with_label_values(&["loaded"]).inc();
                info!(contracts = set.len(), "another set of contracts is in force");
                loaded(&set)
            }
            Ok(Reload::Refused { errors: problems }) => {
                metrics.contract_reloads.with_label_values(&["refused"]).inc();
                error!(%problems, "a set of contracts was refused; the last good one stays in force");
                Actor::Curfew.did(What::ContractsRefused {
                    errors: problems.iter().map(ToString::to_string).collect(),
                })
            }
            Ok(Reload::Unchanged) => continue,
            Err(RecvError::Lagged(_)) => loaded(&contracts.current()),
            Err(RecvError::Closed) => return,
        };
        store.tell(Change::Contracts);
        if let Err(cause) = store.audit([event]).await {
            error!(cause = %with_causes(&cause), "a change of contracts could not be audited");
        }
    }
}
