//! Bytes that say when they were made: what is encrypted on the wire can be told to be older than the end where it
//! comes out.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use curfew_harness::clock::wall;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// A record has its time in front, in microseconds, twice: one that is read while it is written has two halves.
pub const HEADER: usize = 34;

/// The size of a record in a stream.
pub const RECORD: usize = 4096;

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
        self.0.fetch_max(time(bytes).unwrap_or_default(), Ordering::Relaxed);
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

/// What a line of a terminal says.
pub fn note_lines(newest: &Newest, text: &str) {
    text.lines().for_each(|line| newest.note(line.as_bytes()));
}

/// Writes records until nobody takes them any more.
pub async fn talk(mut to: impl AsyncWrite + Unpin, pace: Pace) {
    let mut steps = pace.steps();
    loop {
        steps.next().await;
        let mut record = header().into_bytes();
        record.resize(RECORD - 1, b'.');
        record.push(b'\n');
        if to.write_all(&record).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

/// Reads records to their end.
pub async fn listen(mut from: impl AsyncRead + Unpin, newest: &Newest) {
    let mut bytes = vec![0; 64 * 1024];
    let (mut header, mut at) = ([0; HEADER], 0);
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let mut bytes = &bytes[..read];
        while !bytes.is_empty() {
            let end = if at < HEADER { HEADER } else { RECORD };
            let (now, rest) = bytes.split_at(bytes.len().min(end - at));
            if at < HEADER {
                header[at..at + now.len()].copy_from_slice(now);
            }
            at += now.len();
            match at {
                HEADER => newest.note(&header),
                RECORD => at = 0,
                _ => {}
            }
            bytes = rest;
        }
    }
}

/// What a shell runs to write records, from its standard input to a file and from nowhere to its standard output.
pub fn script(file: &Path, pace: Pace) -> String {
    let wait = if pace == Pace::Calm { "read -rt 0.008 -u 3;" } else { "" };
    let pad = RECORD - HEADER - 1;
    format!(
        "exec bash -c 'exec 3<> <(:) 4<&0; echo ready; read -r go; cat <&4 > {} & printf -v pad %0{pad}d 0; \
         while :; do t=${{EPOCHREALTIME/./}}; printf \"%s %s %s\\n\" $t $t $pad; {wait} done'",
        file.display()
    )
}

/// The same for a terminal: short lines, and few of them.
pub const LINES: &str = "exec bash -c 'exec 3<> <(:); while :; do t=${EPOCHREALTIME/./}; \
     printf \"%s %s .\\n\" $t $t; read -rt 0.005 -u 3; done'";
