//! Bytes that say when they were made: what is encrypted on the wire, or lay about for a while, can be told to be older
//! than the end where it comes out.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use curfew_harness::clock::wall;
use jiff::Timestamp;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// A record has its time in front, in microseconds, twice: one that is read while it is written has two halves.
pub const HEADER: usize = 34;

/// How fast records are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// In steps, so that many can be watched at once.
    Calm,
    /// As fast as they are taken.
    Full,
}

/// One step of [`Pace::Calm`].
const STEP: Duration = Duration::from_millis(8);

impl Pace {
    /// What to wait for before the next piece.
    pub fn steps(self) -> Steps {
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Steps((self == Self::Calm).then_some(steps))
    }
}

/// The steps of a pace.
pub struct Steps(Option<Interval>);

impl Steps {
    pub async fn next(&mut self) {
        if let Some(steps) = &mut self.0 {
            steps.tick().await;
        }
    }
}

/// The newest time that came out at one place.
#[derive(Debug, Default)]
pub struct Newest(AtomicI64);

impl Newest {
    /// `bytes` begin with a header.
    pub fn note(&self, bytes: &[u8]) {
        self.note_micros(time(bytes).unwrap_or_default());
    }

    /// Microseconds since 1970.
    pub fn note_micros(&self, at: i64) {
        self.0.fetch_max(at, Ordering::Relaxed);
    }

    /// None where nothing came.
    pub fn at(&self) -> Option<Timestamp> {
        let micros = self.0.load(Ordering::Relaxed);
        (micros > 0).then(|| Timestamp::from_microsecond(micros).unwrap())
    }

    /// Notes what a file has at each `step`.
    pub fn note_file(&self, path: &Path, step: usize) {
        let file = File::open(path).unwrap();
        let (mut header, mut at) = ([0; HEADER], 0);
        while file.read_exact_at(&mut header, at).is_ok() {
            self.note(&header);
            at += step as u64;
        }
    }
}

/// The header of this moment.
pub fn header() -> String {
    let now = wall().as_microsecond();
    format!("{now:016} {now:016} ")
}

fn time(header: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(header.get(..HEADER)?).ok()?;
    let (one, other) = text.trim_end().split_once(' ')?;
    (one == other).then(|| one.parse().ok())?
}
