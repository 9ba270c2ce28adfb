//! A program on a terminal, typed at and read like one: where psql's and ssh's prompts, Ctrl-C and reconnecting show.

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::{Context, Error, Result};
use crate::psql::Psql;

/// What the terminal has shown, and when.
#[derive(Default)]
struct Shown {
    bytes: Vec<u8>,
    /// After how many bytes, at what time.
    marks: Vec<(usize, Instant)>,
    over: bool,
}

/// A program on a terminal. Dropping it hangs up, as closing a terminal window does, and then kills.
pub struct Terminal {
    child: tokio::process::Child,
    group: Pid,
    keyboard: pty_process::OwnedWritePty,
    shown: Arc<watch::Sender<Shown>>,
    /// Up to where `wait_for` has read.
    read: usize,
    _reader: JoinSet<()>,
}

impl Terminal {
    /// Starts psql on a terminal of 200 columns.
    ///
    /// # Errors
    /// When psql is not installed.
    pub fn psql<S: AsRef<OsStr>>(psql: &Psql, args: impl IntoIterator<Item = S>) -> Result<Self> {
        Self::start(psql.program(), psql.arguments(args), psql.environment())
    }

    /// Starts any program on a terminal of 200 columns, with nothing in its environment but what is given.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn start(
        program: &OsStr,
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self> {
        let (terminal, line) = pty_process::open().context("opening a pty")?;
        terminal.resize(pty_process::Size::new(50, 200))?;
        let child = pty_process::Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .env_clear()
            .envs(environment)
            // A dumb terminal gets plain text; bracketed paste and colours would sit between the words waited for.
            .env("TERM", "dumb")
            .kill_on_drop(true)
            .spawn(line)
            .context("starting a program on a pty")?;
        let group = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .context("the program ended at once")?;
        let (mut screen, keyboard) = terminal.into_split();
        let shown = Arc::new(watch::Sender::new(Shown::default()));
        let mut reader = JoinSet::new();
        let sender = shown.clone();
        reader.spawn(async move {
            let mut buffer = [0; 4096];
            // Linux answers EIO once the last process on the terminal is gone.
            while let Ok(read @ 1..) = screen.read(&mut buffer).await {
                let new = buffer.get(..read).unwrap_or_default();
                sender.send_modify(|shown| {
                    shown.bytes.extend_from_slice(new);
                    shown.marks.push((shown.bytes.len(), Instant::now()));
                });
            }
            sender.send_modify(|shown| shown.over = true);
        });
        Ok(Self { child, group, keyboard, shown, read: 0, _reader: reader })
    }

    /// Waits until `text` is shown, after what the last call of this kind read; gives all from there to its end.
    ///
    /// # Errors
    /// When `limit` passes or the program ends before; the whole transcript is in the error.
    pub async fn wait_for(&mut self, text: &str, limit: Duration) -> Result<String> {
        self.wait_for_match(text, limit, |shown| {
            let at = shown.find(text)?;
            Some(at + text.len())
        })
        .await
    }

    /// The same for anything that can be looked for: `find` gives the end of the match in what is new.
    ///
    /// # Errors
    /// As for [`Terminal::wait_for`].
    pub async fn wait_for_match(
        &mut self,
        what: &str,
        limit: Duration,
        mut find: impl FnMut(&str) -> Option<usize>,
    ) -> Result<String> {
        let from = self.read;
        let mut hit = None;
        let mut changes = self.shown.subscribe();
        let wait = changes.wait_for(|shown| {
            let new = String::from_utf8_lossy(shown.bytes.get(from..).unwrap_or_default());
            hit = find(&new).and_then(|end| new.get(..end)).map(str::to_owned);
            hit.is_some() || shown.over
        });
        let in_time = tokio::time::timeout(limit, wait).await.is_ok();
        let Some(text) = hit else {
            let why = if in_time { "the program ended without" } else { "the program took too long to show" };
            let transcript = self.transcript();
            return Err(Error::new(format!("{why} {what:?} ({limit:?}); the terminal:\n{transcript}")));
        };
        self.read += text.len();
        Ok(text)
    }

    /// Waits until the program shows a sign-in link of the gate at this address, and gives it.
    ///
    /// # Errors
    /// As for [`Terminal::wait_for`].
    pub async fn link(&mut self, gate: &str, limit: Duration) -> Result<String> {
        let links = format!("{gate}/link/");
        let end = |shown: &str| {
            let at = shown.find(&links)?;
            let line = shown.get(at..)?.find(['\r', '\n'])?;
            Some(at + line)
        };
        let shown = self.wait_for_match("a sign-in link", limit, end).await?;
        crate::gate::address(&shown, &links).context("no link in what is shown")
    }

    /// Types a line.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub async fn send_line(&mut self, line: &str) -> Result<()> {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).await.context("typing")
    }

    /// Presses Ctrl-C.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub async fn interrupt(&mut self) -> Result<()> {
        self.keyboard.write_all(b"\x03").await.context("pressing Ctrl-C")
    }

    /// Everything the terminal has shown, with its line ends made plain.
    #[must_use]
    pub fn transcript(&self) -> String {
        String::from_utf8_lossy(&self.shown.borrow().bytes).replace("\r\n", "\n")
    }

    /// When the text that the last `wait_for` found had been shown in full.
    #[must_use]
    pub fn read_at(&self) -> Option<Instant> {
        let shown = self.shown.borrow();
        shown.marks.iter().find(|(bytes, _)| *bytes >= self.read).map(|(_, at)| *at)
    }

    /// Waits for the program to end by itself; gives its exit status, `None` after a signal.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Result<Option<i32>> {
        let status = tokio::time::timeout(limit, self.child.wait()).await.context(format!(
            "the program still runs after {limit:?}; the terminal:\n{}",
            self.transcript()
        ))??;
        let mut changes = self.shown.subscribe();
        let _ = tokio::time::timeout(limit, changes.wait_for(|shown| shown.over)).await;
        Ok(status.code())
    }

    /// Kills the program at once, as a crash would.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(&self) -> Result<()> {
        kill_process_group(self.group, Signal::KILL).context("killing the program")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }
}
