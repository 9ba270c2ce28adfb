//! The audit log, followed once for all who wait for something in it.

use curfew_harness::Gate;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::world::{Auditor, LIMIT};

/// What is in it so far.
pub struct Log {
    events: watch::Receiver<Vec<Value>>,
    _following: JoinSet<()>,
}

impl Log {
    /// Follows it from its beginning, as long as this lives.
    pub async fn of(gate: &Gate) -> Self {
        let erin = Auditor::of(gate).await;
        let (all, events) = watch::channel(Vec::new());
        let mut following = JoinSet::new();
        following.spawn(async move {
            let mut after = 0;
            loop {
                let new = erin.events(after).await;
                after = new.last().map_or(after, |last| last["seq"].as_u64().unwrap());
                all.send_modify(|all| all.extend(new));
            }
        });
        Self { events, _following: following }
    }

    /// Waits for the event of this kind, past or to come, whose `key` is `value`.
    pub async fn event(&self, kind: &str, key: &str, value: &str) -> Value {
        let wanted = |event: &&Value| event["kind"] == kind && event[key] == value;
        let mut events = self.events.clone();
        let waiting = events.wait_for(|all| all.iter().any(|event| wanted(&event)));
        let all = tokio::time::timeout(LIMIT, waiting).await;
        let all = all.unwrap_or_else(|_| panic!("no {kind} with {key} {value}")).unwrap();
        all.iter().find(wanted).unwrap().clone()
    }
}
