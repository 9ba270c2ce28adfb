//! Where the gate's wall-clock times meet the tap's monotonic ones. The tour's only use of the wall clock.

use std::time::{Duration, Instant};

use curfew_harness::{Context, Result};
use jiff::Timestamp;

/// One instant on both clocks.
pub struct Clock {
    wall: Timestamp,
    monotonic: Instant,
}

impl Clock {
    /// Reads both.
    #[expect(
        clippy::disallowed_methods,
        reason = "measures the gate from outside, so it needs the true time"
    )]
    pub fn read() -> Self {
        Self { wall: Timestamp::now(), monotonic: Instant::now() }
    }

    /// The instant at which the wall clock shows this RFC 3339 time.
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

/// Milliseconds from one instant to another, negative when it is the earlier.
pub fn millis(from: Instant, to: Instant) -> f64 {
    let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
    if to >= from { ms(to - from) } else { -ms(from - to) }
}
