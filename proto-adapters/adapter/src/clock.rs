//! The only place where a clock is read.
//!
//! Access ends at the earlier of a wall-clock deadline and what remained of it on CLOCK_BOOTTIME,
//! which goes on while the machine is suspended and which nobody can step.

use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A moment on CLOCK_BOOTTIME, in nanoseconds since the machine started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootTime(u64);

impl BootTime {
    /// From nanoseconds since the machine started.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the machine started.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is not after.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment, later by `by`.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Tells the time: of the wall (UTC), and since boot.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(ManualClock),
}

impl Clock {
    /// The machine's own clocks.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// The time of the wall.
    pub fn wall(&self) -> Timestamp {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the clock")]
            Source::System => Timestamp::now(),
            Source::Manual(manual) => manual.read().0,
        }
    }

    /// The time since boot, suspension included.
    pub fn boot(&self) -> BootTime {
        match &self.0 {
            Source::System => {
                let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
                let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
                BootTime(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
            }
            Source::Manual(manual) => manual.read().1,
        }
    }
}

/// A clock that a test moves by hand, each hand by itself.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<(Timestamp, BootTime)>>);

impl ManualClock {
    /// Stands at `wall`, one hour after boot.
    pub fn at(wall: Timestamp) -> Self {
        Self(Arc::new(Mutex::new((wall, BootTime(3_600_000_000_000)))))
    }

    /// The clock to pass to the code under test.
    pub fn clock(&self) -> Clock {
        Clock(Source::Manual(self.clone()))
    }

    /// Time goes by: both hands move.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.1 = now.1.plus(by);
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        now.0 = now.0.checked_add(by).unwrap_or(Timestamp::MAX);
    }

    /// Somebody sets the wall clock; the time since boot stays.
    pub fn step_wall(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        now.0 = now.0.checked_add(by).unwrap_or(now.0);
    }

    fn read(&self) -> (Timestamp, BootTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stepping_the_wall_leaves_the_time_since_boot() {
        let manual = ManualClock::at(Timestamp::UNIX_EPOCH);
        let (clock, before) = (manual.clock(), manual.clock().boot());
        manual.step_wall(SignedDuration::from_hours(-1));
        assert_eq!(clock.boot(), before);
        manual.advance(Duration::from_secs(5));
        assert_eq!(clock.boot().since(before), Duration::from_secs(5));
    }

    #[test]
    fn the_system_clock_moves_forward() {
        let clock = Clock::system();
        let first = clock.boot();
        assert!(clock.boot() >= first && first.as_nanos() > 0);
    }
}
