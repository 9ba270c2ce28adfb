//! An admin ends one session, and bars whoever held it from coming back for a minute.

use super::parts::Parts;
use super::registry::BAR;
use super::words;
use crate::api::v1::LiveSessions;
use crate::audit::{Actor, What};
use crate::store::StoreError;
use curfew_adapter::{EndReason, SessionId};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// The live sessions, as the API reaches them.
#[derive(Clone, Debug)]
pub struct Sessions(Arc<Parts>);

impl Sessions {
    /// Over the parts of the session layer.
    pub const fn new(parts: Arc<Parts>) -> Self {
        Self(parts)
    }
}

impl LiveSessions for Sessions {
    fn kill<'a>(
        &'a self,
        id: &'a SessionId,
        by: Actor,
        why: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let parts = &self.0;
            let Some(live) = parts.registry.find(id) else { return Ok(false) };
            let now = parts.clock.wall();
            let barred_until = now.checked_add(BAR).unwrap_or(now);
            let what =
                What::SessionKilled { session: id.to_string(), barred_until, why: why.map(str::to_owned) };
            parts.store.audit([by.did(what)]).await?;
            parts.registry.bar(&live);
            let notice = words::cut(&live.about, &parts.site, EndReason::Killed, now, why);
            Ok(live.keeper.end(EndReason::Killed, notice))
        })
    }

    fn bytes(&self, id: &SessionId) -> Option<(u64, u64)> {
        self.0.registry.find(id).map(|live| live.counters.bytes())
    }

    fn draining(&self) -> bool {
        self.0.drain_until().is_some()
    }
}
