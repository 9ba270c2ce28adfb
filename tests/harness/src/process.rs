//! A child process with its output kept and its end certain. It must never outlive its owner: it runs in a process
//! group of its own that `Drop` kills, and the kernel kills it when the thread that started it is gone.

mod logs;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;

pub use logs::{Line, Logs, Stream};

use crate::error::{Context, Result};

/// How long `Drop` waits for a polite end before it kills.
const POLITE: Duration = Duration::from_secs(5);

/// How a program is asked to stop, by `Drop` and by the kernel.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// SIGKILL at once: for programs that leave nothing behind.
    Kill,
    /// SIGTERM, and SIGKILL after five seconds.
    Term,
    /// SIGQUIT, and SIGKILL after five seconds: the immediate shutdown of Postgres, which frees shared memory.
    Quit,
}

impl Stop {
    fn signal(self) -> Signal {
        match self {
            Self::Kill => Signal::KILL,
            Self::Term => Signal::TERM,
            Self::Quit => Signal::QUIT,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Term => "TERM",
            Self::Quit => "QUIT",
        }
    }
}

/// A command that the kernel stops when its starter is gone; `user` is whom to become, which takes root.
#[must_use]
pub fn command(program: impl AsRef<OsStr>, stop: Stop, user: Option<&str>) -> Command {
    // setpriv, of util-linux, sets the parent death signal and then becomes the program: same pid, no unsafe here.
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--init-groups");
    }
    command.arg("--pdeathsig").arg(stop.name()).arg("--").arg(program);
    command
}

/// A running program.
pub struct Process {
    name: String,
    child: Child,
    group: Pid,
    stop: Stop,
    logs: Logs,
    stdin: Option<ChildStdin>,
    _readers: JoinSet<()>,
}

impl Process {
    /// Starts `command` in a process group of its own, with its output captured.
    ///
    /// # Errors
    /// When the program can't be started.
    pub fn spawn(name: &str, mut command: Command, stop: Stop) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().context(format!("starting {name}"))?;
        let group = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .context(format!("{name} ended at once"))?;
        let (logs, readers) = Logs::capture(name, child.stdout.take(), child.stderr.take());
        let stdin = child.stdin.take();
        Ok(Self { name: name.to_owned(), child, group, stop, logs, stdin, _readers: readers })
    }

    /// The process id, which is also the id of its group.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// What it has written so far.
    #[must_use]
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Its standard input, once; dropping that is the end of input.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// Sends a signal to the whole group.
    ///
    /// # Errors
    /// When the group is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process_group(self.group, signal).context(format!("signal to {}", self.name))
    }

    /// Waits for the program to end by itself.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let status = tokio::time::timeout(limit, self.child.wait()).await.context(format!(
            "{} still runs after {limit:?}\n{}",
            self.name,
            self.logs.tail()
        ))??;
        self.logs.closed(limit).await;
        Ok(status)
    }

    /// Kills the group with SIGKILL and waits until the program is gone.
    ///
    /// # Errors
    /// When it was gone before.
    pub async fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.child.wait().await?;
        Ok(())
    }

    /// Whether the program has ended already, and how.
    pub fn try_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            let _ = kill_process_group(self.group, self.stop.signal());
            let asked = Instant::now();
            while self.child.try_wait().ok().flatten().is_none() && asked.elapsed() < POLITE {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        // The program may be gone and its children not.
        if test_kill_process_group(self.group).is_ok() {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
        let _ = self.child.try_wait();
    }
}
