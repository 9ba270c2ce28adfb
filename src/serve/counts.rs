//! Counts what the audit log tells: sign-ins, and how long requests wait for people.
//!
//! The log has every such event, whoever made it happen, so that nothing is counted twice or forgotten. Events from
//! before the start are not counted again.

use crate::audit::event::{AuditEvent, RequestOutcome, What};
use crate::metrics::Metrics;
use crate::store::{Store, StoreError, with_causes};
use curfew_adapter::RequestId;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// How far the numbers may be behind: less than any scrape interval.
const EVERY: Duration = Duration::from_secs(1);

/// Lines that are read at once.
const AT_ONCE: u32 = 500;

/// Runs until the process ends.
pub async fn run(store: Store, metrics: Metrics) {
    let mut due = interval(EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    loop {
        due.tick().await;
        if let Err(cause) = count(&store, &metrics, &mut seen).await {
            warn!(cause = %with_causes(&cause), "events could not be counted");
        }
    }
}

async fn count(store: &Store, metrics: &Metrics, seen: &mut Option<u64>) -> Result<(), StoreError> {
    let head = store.audit_head().await?.seq;
    let after = seen.get_or_insert(head);
    while *after < head {
        for (seq, line) in store.audit_lines(*after, AT_ONCE).await? {
            // Lines of other kinds are many; these two are told by their name.
            if (line.contains("\"signin.") || line.contains("\"request.decided\""))
                && let Ok(event) = serde_json::from_str::<AuditEvent>(&line)
            {
                observe(store, metrics, event.what).await?;
            }
            *after = seq;
        }
    }
    Ok(())
}

async fn observe(store: &Store, metrics: &Metrics, what: What) -> Result<(), StoreError> {
    match what {
        What::SigninStarted { method, .. } => {
            metrics.signins.with_label_values(&[method.as_str(), "ok"]).inc()
        }
        What::SigninRefused { method, .. } => {
            metrics.signins.with_label_values(&[method.as_str(), "refused"]).inc()
        }
        What::RequestDecided {
            request, outcome: RequestOutcome::Approved | RequestOutcome::Denied, ..
        } => {
            let Some(id) = RequestId::parse(&request) else { return Ok(()) };
            let Some(request) = store.request(&id).await?.map(|stored| stored.record) else { return Ok(()) };
            if let Some(decided) = request.decided.filter(|decided| decided.by.is_some()) {
                metrics.approval_wait.observe(decided.at.duration_since(request.asked_at).as_secs_f64());
            }
        }
        _ => {}
    }
    Ok(())
}
