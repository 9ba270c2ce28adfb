//! Where the gate's wall-clock times meet a tap's monotonic ones. It must never be what the gate itself reads.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::error::{Context, Result};

/// One instant on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Timestamp,
    monotonic: Instant,
}

impl Clock {
    /// Reads both.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "measures the gate from outside, so it needs the true time"
    )]
    pub fn read() -> Self {
        Self { wall: Timestamp::now(), monotonic: Instant::now() }
    }

    /// The instant at which the wall clock shows this RFC 3339 time.
    ///
    /// # Errors
    /// When it is no such time.
    pub fn instant(&self, time: &str) -> Result<Instant> {
        let time: Timestamp = time.parse().context(time)?;
        let from_here = time.duration_since(self.wall);
        let distance = from_here.unsigned_abs();
        let at = if from_here.is_negative() {
            self.monotonic.checked_sub(distance)
        } else {
            self.monotonic.checked_add(distance)
        };
        at.context("a time out of this clock's range")
    }
}

/// The time of the wall at this moment, to compare with times that the gate or Postgres gives.
#[must_use]
pub fn wall() -> Timestamp {
    Clock::read().wall
}

/// Milliseconds from one instant to another, negative when it is the earlier.
#[must_use]
pub fn millis(from: Instant, to: Instant) -> f64 {
    let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
    if to >= from { ms(to - from) } else { -ms(from - to) }
}
