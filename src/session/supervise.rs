//! Watches over the live sessions: the one place where they are ended from outside.
//!
//! Woken by what changes in the store, by the second (clocks that were stepped, machines that slept, idle
//! sessions), and every 15 s in any case: nothing that is missed stays missed for long.

use super::judge::{self, Standing};
use super::live::Live;
use super::parts::Parts;
use super::words;
use crate::contract::PersonKey;
use crate::store::{Change, News};
use curfew_adapter::{BootTime, Deadline, End, EndReason, GrantId, LeaseKeeper};
use futures_util::{StreamExt, stream};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, warn};

/// How often clocks and idle times are compared.
const SECOND: Duration = Duration::from_millis(500);

/// How often everything is judged again, whatever was told.
const SWEEP: Duration = Duration::from_secs(15);

/// How often the store is asked whether it still answers.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// How many sessions are judged at once: as many as the store has readers.
const AT_ONCE: usize = 4;

/// Runs until the process ends.
pub async fn run(parts: Arc<Parts>) {
    let mut news = parts.store.changes();
    let (mut second, mut sweep, mut heartbeat) = (interval(SECOND), interval(SWEEP), interval(HEARTBEAT));
    for timer in [&mut second, &mut sweep, &mut heartbeat] {
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let pulse = Pulse::new(&parts);
    let mut others = VecDeque::new();
    loop {
        tokio::select! {
            biased;
            told = news.recv() => match told {
                Ok(news) => others.extend(changed(&parts, news).await),
                Err(RecvError::Lagged(_)) => judge_all(&parts, |_| true, parts.clock.boot()).await,
                Err(RecvError::Closed) => return,
            },
            _ = second.tick() => tick(&parts, &pulse),
            _ = heartbeat.tick() => pulse.beat(),
            // Only where nothing else is to be done: an `async` block that is not polled takes nothing.
            Some((grant, at)) = async { others.pop_front() } => judge_others(&parts, &grant, at).await,
            _ = sweep.tick() => judge_all(&parts, |_| true, parts.clock.boot()).await,
        }
    }
}

/// Something was committed: judges the sessions that it is about. A grant may carry sessions of other grants too, which
/// are for later: it is given back with the instant of its change.
async fn changed(parts: &Arc<Parts>, news: News) -> Option<(GrantId, BootTime)> {
    let at = news.at;
    match news.change {
        Change::Grant(id) => {
            judge_all(parts, |live| *live.about.grant_id() == id, at).await;
            return Some((id, at));
        }
        Change::Signin(id) => judge_all(parts, |live| live.about.signin == id, at).await,
        Change::Identity(id) => judge_all(parts, |live| live.about.identity.id == id, at).await,
        Change::Contracts => judge_all(parts, |_| true, at).await,
        Change::Request(_) | Change::Session(_) | Change::Audit(_) => {}
    }
    None
}

/// A grant has changed, and its own sessions have been judged: the others of the same person, which it may carry.
async fn judge_others(parts: &Arc<Parts>, id: &GrantId, at: BootTime) {
    let people: Vec<PersonKey> = match parts.store.grant(id).await {
        Ok(Some(grant)) => vec![grant.record().beneficiary.clone()],
        Ok(None) => Vec::new(),
        Err(_) => parts.registry.all().iter().map(|live| live.about.person.clone()).collect(),
    };
    let others = |live: &Live| live.about.grant_id() != id && people.contains(&live.about.person);
    judge_all(parts, others, at).await;
}

/// Judges the sessions that `pick` picks, as of `at`. Those alike in everything that counts are judged once.
pub async fn judge_all(parts: &Arc<Parts>, pick: impl Fn(&Live) -> bool, at: BootTime) {
    let mut alike: Vec<Vec<Arc<Live>>> = Vec::new();
    for live in parts.registry.matching(|live| live.ended().is_none() && pick(live)) {
        match alike.iter_mut().find(|group| group.first().is_some_and(|first| same(first, &live))) {
            Some(group) => group.push(live),
            None => alike.push(vec![live]),
        }
    }
    stream::iter(alike).for_each_concurrent(AT_ONCE, |group| judge_group(parts, group, at)).await;
}

fn same(one: &Live, other: &Live) -> bool {
    let (one, other) = (&one.about, &other.about);
    one.grant_id() == other.grant_id() && one.signin == other.signin && one.database == other.database
}

async fn judge_group(parts: &Arc<Parts>, group: Vec<Arc<Live>>, at: BootTime) {
    let Some(first) = group.first() else { return };
    let wall = parts.clock.wall();
    match judge::judge(parts, &first.about, wall).await {
        Ok(Standing::Until { at: until, reason, notice }) => {
            let deadline = Deadline::at(until, &parts.clock);
            for live in &group {
                // The deadline since boot moves by less than a clock's noise at each look: only a step counts.
                if live.keeper.until().wall != until {
                    live.keeper.set_deadline(deadline, reason, notice.clone());
                }
            }
        }
        Ok(Standing::Over { reason, notice }) => {
            let end = End { reason, at, at_wall: wall, notice: Arc::new(notice) };
            LeaseKeeper::end_all(group.iter().map(|live| &live.keeper), &end);
        }
        // The store is away: `Pulse` decides how long sessions go on without it.
        Err(error) => warn!(cause = %crate::store::with_causes(&error), "live sessions could not be judged"),
    }
}

/// Compares clocks, ends what is idle, and ends everything once the store is lost.
fn tick(parts: &Parts, pulse: &Pulse) {
    let lost = pulse.silent_for() > parts.max_staleness;
    let (boot, wall) = (parts.clock.boot(), parts.clock.wall());
    for live in parts.registry.all() {
        if live.keeper.tick() {
            continue;
        }
        let about = &live.about;
        if lost {
            let notice = words::cut(about, &parts.site, EndReason::StoreLost, wall, None);
            live.keeper.end(EndReason::StoreLost, notice);
        } else if about.idle.is_some_and(|idle| live.quiet(boot) >= idle) {
            let notice = words::cut(about, &parts.site, EndReason::Idle, wall, None);
            live.keeper.end(EndReason::Idle, notice);
        }
    }
}

/// When the store answered last. The question runs beside the loop: a store that hangs must not hang it too.
#[derive(Clone)]
struct Pulse {
    parts: Arc<Parts>,
    last: Arc<std::sync::Mutex<BootTime>>,
    asking: Arc<tokio::sync::Semaphore>,
}

impl Pulse {
    fn new(parts: &Arc<Parts>) -> Self {
        let last = Arc::new(std::sync::Mutex::new(parts.clock.boot()));
        Self { parts: parts.clone(), last, asking: Arc::new(tokio::sync::Semaphore::new(1)) }
    }

    fn silent_for(&self) -> Duration {
        let last = *self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.parts.clock.boot().since(last)
    }

    fn beat(&self) {
        let Ok(turn) = self.asking.clone().try_acquire_owned() else { return };
        let pulse = self.clone();
        curfew_adapter::task::supervised("session.pulse", async move {
            let _turn = turn;
            let up = pulse.parts.store.ping().await;
            pulse.parts.metrics.store_up.set(i64::from(up.is_ok()));
            match up {
                Ok(()) => {
                    let now = pulse.parts.clock.boot();
                    *pulse.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = now;
                }
                Err(error) => error!(cause = %crate::store::with_causes(&error), "the store does not answer"),
            }
        });
    }
}
