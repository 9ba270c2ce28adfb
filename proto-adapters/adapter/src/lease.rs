//! The live right of a session to move bytes.
//!
//! The core holds the [`LeaseKeeper`] and moves the deadline or ends the lease; the adapter holds the
//! [`Lease`] and asks it before each byte. Past its deadline a lease is over even if no timer has
//! fired yet: [`Lease::check`] compares clocks, it does not wait to be told.

use crate::{BootTime, Clock, End, EndReason, Notice};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Until when a lease lives, on both clocks; the earlier one decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// On the wall.
    pub wall: Timestamp,
    /// Since boot: what remained when the deadline was set, which no step of the wall clock lengthens.
    pub boot: BootTime,
}

impl Deadline {
    /// `wall`, and the same distance on the clock that counts from boot.
    pub fn at(wall: Timestamp, clock: &Clock) -> Self {
        let left = Duration::try_from(wall.duration_since(clock.wall())).unwrap_or(Duration::ZERO);
        Self { wall, boot: clock.boot().plus(left) }
    }
}

#[derive(Clone, Debug)]
struct State {
    until: Deadline,
    reason: EndReason,
    notice: Arc<Notice>,
    end: Option<End>,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    /// The deadline in boot nanoseconds; 0 once ended. What the hot path reads.
    over_at: AtomicU64,
    state: watch::Sender<State>,
}

/// The core's side: moves the deadline, ends the lease.
#[derive(Clone, Debug)]
pub struct LeaseKeeper(Arc<Inner>);

/// The adapter's side. Clones are the same lease.
#[derive(Clone, Debug)]
pub struct Lease {
    inner: Arc<Inner>,
    state: watch::Receiver<State>,
}

/// The end is near: what to tell the client, between its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What remains, as announced (one of the countdown's steps).
    pub remaining: Duration,
    /// The deadline.
    pub until: Timestamp,
}

// === impl LeaseKeeper ===

impl LeaseKeeper {
    /// A lease that lives until `until`, and then ends for `reason`, saying `notice`.
    pub fn new(clock: Clock, until: Deadline, reason: EndReason, notice: Notice) -> Self {
        let over_at = AtomicU64::new(until.boot.as_nanos());
        let state = watch::Sender::new(State { until, reason, notice: Arc::new(notice), end: None });
        Self(Arc::new(Inner { clock, over_at, state }))
    }

    /// The adapter's side of it.
    pub fn lease(&self) -> Lease {
        Lease { inner: self.0.clone(), state: self.0.state.subscribe() }
    }

    /// Moves the deadline, later or earlier. Nothing happens to a lease that is over.
    pub fn set_deadline(&self, until: Deadline, reason: EndReason, notice: Notice) {
        self.tick();
        self.0.state.send_if_modified(|state| {
            let changed = state.end.is_none() && (state.until != until || state.reason != reason);
            if changed {
                state.until = until;
                state.reason = reason;
                state.notice = Arc::new(notice);
                self.0.over_at.store(until.boot.as_nanos(), Ordering::Release);
            }
            changed
        });
    }

    /// Ends the lease now. The first end stays; `true` if this was it.
    pub fn end(&self, reason: EndReason, notice: Notice) -> bool {
        self.tick();
        let (at, at_wall) = (self.0.clock.boot(), self.0.clock.wall());
        self.0.finish(|_| End { reason, at, at_wall, notice: Arc::new(notice) })
    }

    /// Ends all of these as of `end.at`: the commit of a revocation, from which a cut's latency counts. First none of
    /// them lets a byte pass any more, and only then are their sessions woken, of whom each has much to do.
    pub fn end_all<'a>(keepers: impl Iterator<Item = &'a Self> + Clone, end: &End) {
        for keeper in keepers.clone() {
            keeper.tick();
            keeper.0.close(|_| end.clone());
        }
        keepers.for_each(|keeper| keeper.0.wake());
    }

    /// Compares both clocks with the deadline: finds a wall clock stepped forward and a machine that
    /// slept. `true` if the lease is over.
    pub fn tick(&self) -> bool {
        self.0.tick()
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<End> {
        self.0.state.borrow().end.clone()
    }

    /// The deadline.
    pub fn until(&self) -> Deadline {
        self.0.state.borrow().until
    }
}

// === impl Inner ===

impl Inner {
    /// Ends it and wakes who waits for that. The first end stays; `true` if this was it.
    fn finish(&self, end: impl FnOnce(&State) -> End) -> bool {
        let first = self.close(end);
        if first {
            self.wake();
        }
        first
    }

    /// Ends it. Who looks finds it over; who waits is to be woken.
    fn close(&self, end: impl FnOnce(&State) -> End) -> bool {
        let mut first = false;
        self.state.send_if_modified(|state| {
            first = state.end.is_none();
            if first {
                state.end = Some(end(state));
                self.over_at.store(0, Ordering::Release);
            }
            false
        });
        first
    }

    fn wake(&self) {
        self.state.send_modify(|_| ());
    }

    fn tick(&self) -> bool {
        let (until, over) = {
            let state = self.state.borrow();
            (state.until, state.end.is_some())
        };
        if over {
            return true;
        }
        let (boot, wall) = (self.clock.boot(), self.clock.wall());
        if boot < until.boot && wall < until.wall {
            return false;
        }
        // The instant of the end is the deadline itself where the clock since boot reached it first,
        // else the moment at which the wall clock was found past it.
        let (at, at_wall) = if boot >= until.boot { (until.boot, until.wall) } else { (boot, wall) };
        self.finish(|state| End { reason: state.reason, at, at_wall, notice: state.notice.clone() });
        true
    }
}

// === impl Lease ===

impl Lease {
    /// May a byte pass now? The hot path: one atomic read and one clock read.
    pub fn is_live(&self) -> bool {
        let over_at = self.inner.over_at.load(Ordering::Acquire);
        over_at != 0 && self.inner.clock.boot().as_nanos() < over_at
    }

    /// `Ok` while a byte may pass.
    ///
    /// # Errors
    /// How it ended.
    pub fn check(&self) -> Result<(), End> {
        if self.is_live() {
            return Ok(());
        }
        self.inner.tick();
        match &self.state.borrow().end {
            Some(end) => Err(end.clone()),
            // The deadline was moved between the two looks.
            None => Ok(()),
        }
    }

    /// Resolves when the lease is over; at once if it is. Cancel safe.
    pub async fn ended(&self) -> End {
        let mut state = self.state.clone();
        loop {
            self.inner.tick();
            let until = {
                let now = state.borrow_and_update();
                if let Some(end) = &now.end {
                    return end.clone();
                }
                now.until
            };
            let left = until.boot.since(self.inner.clock.boot());
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                // The keeper lives in `inner`, which is held here: the channel cannot close.
                _ = state.changed() => {}
            }
        }
    }

    /// The deadline, which moves when a grant is extended or shortened.
    pub fn until(&self) -> Deadline {
        self.state.borrow().until
    }

    /// The clock that the lease goes by.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Resolves at the next step of `countdown` (remaining times) that lies ahead, as it is reached;
    /// never, once none is left. `told` is what was announced last, for this deadline: pass it back.
    pub async fn next_warning(&self, countdown: &[Duration], told: Option<&Warning>) -> Warning {
        let mut state = self.state.clone();
        loop {
            let until = state.borrow_and_update().until;
            let left = until.boot.since(self.inner.clock.boot());
            let told = told.filter(|warning| warning.until == until.wall).map(|warning| warning.remaining);
            let next = countdown
                .iter()
                .copied()
                .filter(|step| *step <= left && told.is_none_or(|t| *step < t))
                .max();
            let wait = async {
                match next {
                    Some(step) => tokio::time::sleep(left.saturating_sub(step)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {
                    if let Some(remaining) = next {
                        return Warning { remaining, until: until.wall };
                    }
                }
                changed = state.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ManualClock;
    use jiff::SignedDuration;

    fn keeper(manual: &ManualClock, seconds: i64) -> LeaseKeeper {
        let clock = manual.clock();
        let until = Deadline::at(clock.wall() + SignedDuration::from_secs(seconds), &clock);
        LeaseKeeper::new(clock, until, EndReason::Expired, Notice::default())
    }

    fn manual() -> ManualClock {
        ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn no_instant_at_or_after_the_deadline_is_live() {
        let manual = manual();
        let keeper = keeper(&manual, 10);
        let lease = keeper.lease();
        manual.advance(Duration::from_nanos(9_999_999_999));
        assert!(lease.check().is_ok());
        manual.advance(Duration::from_nanos(1));
        assert_eq!(lease.check().unwrap_err().reason, EndReason::Expired);
    }

    #[test]
    fn stepping_the_wall_back_never_lengthens() {
        let manual = manual();
        let keeper = keeper(&manual, 10);
        manual.step_wall(SignedDuration::from_hours(-24));
        manual.advance(Duration::from_secs(10));
        assert!(!keeper.lease().is_live());
        assert_eq!(keeper.lease().check().unwrap_err().reason, EndReason::Expired);
    }

    #[test]
    fn stepping_the_wall_past_the_deadline_ends_at_the_next_tick() {
        let manual = manual();
        let keeper = keeper(&manual, 10);
        manual.step_wall(SignedDuration::from_secs(11));
        assert!(keeper.tick());
        assert!(!keeper.lease().is_live());
    }

    #[test]
    fn the_first_end_stays() {
        let manual = manual();
        let keeper = keeper(&manual, 10);
        assert!(keeper.end(EndReason::Revoked, Notice::default()));
        assert!(!keeper.end(EndReason::Killed, Notice::default()));
        let later = Deadline::at(manual.clock().wall() + SignedDuration::from_hours(9), &manual.clock());
        keeper.set_deadline(later, EndReason::Expired, Notice::default());
        assert_eq!(keeper.lease().check().unwrap_err().reason, EndReason::Revoked);
    }

    #[tokio::test]
    async fn many_end_together_and_each_is_told() {
        let manual = manual();
        let keepers = [10, 20, 30].map(|seconds| keeper(&manual, seconds));
        let leases = keepers.each_ref().map(LeaseKeeper::lease);
        let waiting = futures_util::future::join_all(leases.iter().map(Lease::ended));
        manual.advance(Duration::from_secs(10));
        let end = End {
            reason: EndReason::Revoked,
            at: manual.clock().boot(),
            at_wall: manual.clock().wall(),
            notice: Arc::default(),
        };
        let ending = async {
            tokio::task::yield_now().await;
            LeaseKeeper::end_all(keepers.iter(), &end);
            assert!(leases.iter().all(|lease| !lease.is_live()));
        };
        let both = futures_util::future::join(waiting, ending);
        let (ends, ()) = tokio::time::timeout(Duration::from_secs(5), both).await.unwrap();
        let reasons: Vec<_> = ends.iter().map(|end| end.reason).collect();
        // The first had come to its end by itself.
        assert_eq!(reasons, [EndReason::Expired, EndReason::Revoked, EndReason::Revoked]);
    }

    #[tokio::test]
    async fn ended_follows_a_deadline_that_moves() {
        let manual = manual();
        let keeper = keeper(&manual, 3600);
        let lease = keeper.lease();
        let waiting = tokio::time::timeout(Duration::from_secs(5), lease.ended());
        let mover = async {
            tokio::task::yield_now().await;
            manual.advance(Duration::from_secs(60));
            keeper.set_deadline(
                Deadline::at(manual.clock().wall(), &manual.clock()),
                EndReason::Idle,
                Notice::default(),
            );
        };
        let (end, ()) = tokio::join!(waiting, mover);
        assert_eq!(end.unwrap().reason, EndReason::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_countdown_tells_each_step_once() {
        let manual = manual();
        let keeper = keeper(&manual, 90);
        let lease = keeper.lease();
        let steps = [Duration::from_secs(600), Duration::from_secs(60), Duration::from_secs(10)];
        let first = lease.next_warning(&steps, None).await;
        assert_eq!(first.remaining, Duration::from_secs(60));
        manual.advance(Duration::from_secs(30));
        let second = lease.next_warning(&steps, Some(&first)).await;
        assert_eq!(second.remaining, Duration::from_secs(10));
        let third = lease.next_warning(&steps, Some(&second));
        assert!(tokio::time::timeout(Duration::from_secs(100), third).await.is_err());
    }
}
