//! What time does by itself: requests lapse, scheduled grants begin, grants end.
//!
//! Owns putting that on record, soon after it is so. Nothing waits for it: a grant admits by its own window, whether
//! or not its end is on record.

use std::time::Duration;

use curfew_adapter::{GrantId, RequestId};
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;

use crate::audit::event::{GrantOutcome, RequestOutcome};
use crate::audit::{Actor, What};
use crate::contract::People;
use crate::grant::{Facts, Outcome, Request, RequestEvent};
use crate::store::{Change, News, Tx, with_causes};

use super::Grants;
use super::decide::{activated, gone};
use super::error::GrantsError;

/// It looks at least so often: the wall clock may have been stepped.
const AT_LEAST: Duration = Duration::from_secs(15);
/// How long it waits with something due that could not be put on record.
const AGAIN: Duration = Duration::from_secs(1);

/// What was put on record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Requests that lapsed.
    pub lapsed: usize,
    /// Grants that began.
    pub begun: usize,
    /// Grants that ended.
    pub ended: usize,
}

impl Grants {
    /// Puts on record what has become due at `now`. One that can't be is logged, and does not hold up the others.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn tick(&self, now: Timestamp) -> Result<Ticked, GrantsError> {
        let mut ticked = Ticked::default();
        for id in self.store().lapsed_requests(now).await? {
            match self.lapse(&id, now).await {
                Ok(done) => ticked.lapsed += usize::from(done),
                Err(error) => failed(id.as_str(), &error),
            }
        }
        for id in self.store().due_grants(now).await? {
            match self.turn(&id, now).await {
                Ok(Turn::Begun) => ticked.begun += 1,
                Ok(Turn::Ended) => ticked.ended += 1,
                Ok(Turn::Nothing) => {}
                Err(error) => failed(id.as_str(), &error),
            }
        }
        Ok(ticked)
    }

    /// Ticks at each boundary, and every 15 s; for a supervised task. Never returns.
    pub async fn run(self) {
        let mut news = self.store().changes();
        loop {
            if let Err(error) = self.tick(self.now()).await {
                failed("all", &error);
            }
            let wait = tokio::time::sleep(self.until_next().await);
            tokio::pin!(wait);
            loop {
                tokio::select! {
                    () = &mut wait => break,
                    told = news.recv() => match told {
                        Ok(News { change: Change::Request(_) | Change::Grant(_), .. })
                        | Err(RecvError::Lagged(_)) => break,
                        Ok(_) => {}
                        // The store that tells lives as long as `self`.
                        Err(RecvError::Closed) => return,
                    },
                }
            }
        }
    }

    async fn until_next(&self) -> Duration {
        let (lapse, boundary) =
            match tokio::try_join!(self.store().next_lapse(), self.store().next_boundary()) {
                Ok(both) => both,
                Err(error) => {
                    failed("all", &error.into());
                    return AGAIN;
                }
            };
        let Some(next) = lapse.into_iter().chain(boundary).min() else { return AT_LEAST };
        let wait = next.duration_since(self.now());
        if wait.is_positive() { wait.unsigned_abs().min(AT_LEAST) } else { AGAIN }
    }

    async fn lapse(&self, id: &RequestId, now: Timestamp) -> Result<bool, GrantsError> {
        let mut tx = self.store().begin().await?;
        let done = self.expire_in(&mut tx, id, RequestEvent::Tick { now }).await;
        self.finish(tx, done).await
    }

    /// Closes what somebody still asked for of a grant that ended early: nobody need decide it any more. With a grant
    /// whose time is up, it lapses by itself.
    pub(super) async fn close_extension(
        &self,
        tx: &mut Tx,
        grant: &GrantId,
        at: Timestamp,
    ) -> Result<(), GrantsError> {
        if let Some(id) = tx.pending_extension(grant).await? {
            self.expire_in(tx, &id, RequestEvent::GrantOver { at }).await?;
        }
        Ok(())
    }

    async fn expire_in(&self, tx: &mut Tx, id: &RequestId, event: RequestEvent) -> Result<bool, GrantsError> {
        let stored = tx.request(id).await?.ok_or(GrantsError::NoRequest)?;
        let contract = self.pinned(&stored.record.contract).await?;
        let (target, people) = (gone(&stored.record.target), People::default());
        let facts = Facts { contract: &contract, target: &target, people: &people };
        let Ok(step) = Request::restore(stored.record.clone()).apply(event, facts) else {
            // Somebody decided it meanwhile.
            return Ok(false);
        };
        if !matches!(step.outcome, Outcome::Expired)
            || !tx.step_request(&stored, step.request.record()).await?
        {
            return Ok(false);
        }
        let (request, outcome) = (id.to_string(), RequestOutcome::Expired);
        let why = step.request.record().decided.as_ref().and_then(|decided| decided.note.clone());
        tx.audit(&Actor::Curfew.did(What::RequestDecided { request, outcome, grant: None, why })).await?;
        Ok(true)
    }

    async fn turn(&self, id: &GrantId, now: Timestamp) -> Result<Turn, GrantsError> {
        let mut tx = self.store().begin().await?;
        let done = turn_in(&mut tx, id, now).await;
        self.finish(tx, done).await
    }
}

/// What became of a grant that was due.
enum Turn {
    Begun,
    Ended,
    Nothing,
}

async fn turn_in(tx: &mut Tx, id: &GrantId, now: Timestamp) -> Result<Turn, GrantsError> {
    let stored = tx.grant(id).await?.ok_or(GrantsError::NoGrant)?;
    if let Some(over) = stored.grant.tick(now) {
        if !tx.step_grant(&stored.grant, &over).await? {
            return Ok(Turn::Nothing);
        }
        let (grant, outcome) = (id.to_string(), GrantOutcome::Expired);
        tx.audit(&Actor::Curfew.did(What::GrantEnded { grant, outcome, why: None })).await?;
        return Ok(Turn::Ended);
    }
    if !tx.activate_grant(id, now).await? {
        return Ok(Turn::Nothing);
    }
    tx.audit(&Actor::Curfew.did(activated(&stored.grant))).await?;
    Ok(Turn::Begun)
}

fn failed(what: &str, error: &GrantsError) {
    tracing::error!(what, error = with_causes(error), "what time did could not be put on record");
}
