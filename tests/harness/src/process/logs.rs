//! The captured output of a program, line by line, to be read and waited on. It must never hold a program up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::{Error, Result};

/// Which of the two outputs a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// One line, without its end.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where it was written.
    pub stream: Stream,
    /// What it says; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// When it was read.
    pub at: Instant,
}

#[derive(Default)]
struct Captured {
    lines: Vec<Line>,
    open: usize,
}

/// All that a program has written. Clones see the same.
#[derive(Clone)]
pub struct Logs {
    name: Arc<str>,
    captured: Arc<watch::Sender<Captured>>,
}

impl Logs {
    pub(crate) fn capture(
        name: &str,
        out: Option<impl AsyncRead + Send + Unpin + 'static>,
        err: Option<impl AsyncRead + Send + Unpin + 'static>,
    ) -> (Self, JoinSet<()>) {
        let open = usize::from(out.is_some()) + usize::from(err.is_some());
        let logs = Self {
            name: name.into(),
            captured: Arc::new(watch::Sender::new(Captured { lines: vec![], open })),
        };
        let mut readers = JoinSet::new();
        if let Some(out) = out {
            readers.spawn(logs.clone().read(Stream::Out, out));
        }
        if let Some(err) = err {
            readers.spawn(logs.clone().read(Stream::Err, err));
        }
        (logs, readers)
    }

    async fn read(self, stream: Stream, from: impl AsyncRead + Unpin) {
        let mut from = BufReader::new(from);
        let mut bytes = Vec::new();
        while let Ok(1..) = from.read_until(b'\n', &mut bytes).await {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
            self.captured.send_modify(|c| c.lines.push(Line { stream, text, at: Instant::now() }));
            bytes.clear();
        }
        self.captured.send_modify(|c| c.open = c.open.saturating_sub(1));
    }

    /// A copy of the lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.captured.borrow().lines.clone()
    }

    /// Everything so far from one of the outputs, lines joined.
    #[must_use]
    pub fn text(&self, stream: Stream) -> String {
        let captured = self.captured.borrow();
        captured.lines.iter().filter(|l| l.stream == stream).map(|l| format!("{}\n", l.text)).collect()
    }

    /// The last 40 lines, for an error's text.
    #[must_use]
    pub fn tail(&self) -> String {
        let captured = self.captured.borrow();
        let skip = captured.lines.len().saturating_sub(40);
        captured.lines.iter().skip(skip).map(|l| format!("  {}| {}\n", self.name, l.text)).collect()
    }

    /// Waits for the first line, past or to come, for which `found` gives a value.
    ///
    /// # Errors
    /// When `limit` passes, or the program closes its output before.
    pub async fn find<T>(
        &self,
        what: &str,
        limit: Duration,
        mut found: impl FnMut(&Line) -> Option<T>,
    ) -> Result<T> {
        let mut seen = 0;
        let mut hit = None;
        let mut changes = self.captured.subscribe();
        let wait = changes.wait_for(|captured| {
            for line in captured.lines.iter().skip(seen) {
                hit = found(line);
                if hit.is_some() {
                    return true;
                }
            }
            seen = captured.lines.len();
            captured.open == 0
        });
        let in_time = tokio::time::timeout(limit, wait).await.is_ok();
        hit.ok_or_else(|| {
            let why = if in_time { "ended without" } else { "took too long for" };
            Error::new(format!("{} {why} {what} ({limit:?})\n{}", self.name, self.tail()))
        })
    }

    /// Waits for a line, past or to come, that contains `text`.
    ///
    /// # Errors
    /// As for [`Logs::find`].
    pub async fn wait_for(&self, text: &str, limit: Duration) -> Result<String> {
        self.find(text, limit, |line| line.text.contains(text).then(|| line.text.clone())).await
    }

    /// Waits until the program has closed both outputs, so that nothing is missing from the lines.
    pub(crate) async fn closed(&self, limit: Duration) {
        let mut changes = self.captured.subscribe();
        let _ = tokio::time::timeout(limit, changes.wait_for(|captured| captured.open == 0)).await;
    }
}
