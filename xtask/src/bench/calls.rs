//! The system calls that a process makes for each query, counted by strace.

use std::path::Path;
use std::time::Duration;

use curfew_harness::{Context, Process, Result, process};

const LIMIT: Duration = Duration::from_secs(20);

/// The calls that move bytes, and those that wait or wake.
const TRACED: &str =
    "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,epoll_wait,epoll_pwait,futex";

/// How many calls of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Calls {
    /// Reads of sockets.
    pub reads: f64,
    /// Writes to sockets.
    pub writes: f64,
    /// Reads and writes of anything else: files, and the wake-ups of other threads.
    pub others: f64,
    /// Waits for events.
    pub waits: f64,
    /// Locks and sleeping threads.
    pub futexes: f64,
}

impl Calls {
    /// What each further query costs, from a short run and a long one: sign-in and goodbye are in both.
    pub fn for_each(long: (Self, f64), short: (Self, f64)) -> Self {
        let queries = long.1 - short.1;
        let each = |of: fn(&Self) -> f64| (of(&long.0) - of(&short.0)) / queries;
        Self {
            reads: each(|calls| calls.reads),
            writes: each(|calls| calls.writes),
            others: each(|calls| calls.others),
            waits: each(|calls| calls.waits),
            futexes: each(|calls| calls.futexes),
        }
    }
}

/// Runs `work` while strace watches all threads of `pid`.
pub async fn watched<T>(
    pid: i32,
    folder: &Path,
    work: impl Future<Output = Result<T>>,
) -> Result<(Calls, T)> {
    let file = folder.join("strace");
    let mut command = process::command("strace", process::Stop::Kill, None);
    command.args(["-f", "-y", "-s", "0", "-e", TRACED, "-p", &pid.to_string(), "-o"]).arg(&file);
    let mut strace = Process::spawn("strace", command, process::Stop::Term)?;
    strace.logs().wait_for("attached", LIMIT).await?;
    let done = work.await?;
    strace.signal(rustix::process::Signal::TERM)?;
    strace.ended(LIMIT).await?;
    let trace = std::fs::read_to_string(&file).context("reading what strace wrote")?;
    Ok((count(&trace), done))
}

fn count(trace: &str) -> Calls {
    let mut calls = Calls::default();
    for line in trace.lines() {
        // `1234  recvfrom(23<socket:[99]>, ...`; the second half of a call that was interrupted begins with `<...`.
        let Some((name, arguments)) =
            line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').split_once('(')
        else {
            continue;
        };
        let socket =
            arguments.split_once('>').is_some_and(|(fd, _)| fd.contains("<socket:") || fd.contains("<TCP"));
        match name {
            "read" | "readv" | "recvfrom" | "recvmsg" if socket => calls.reads += 1.0,
            "write" | "writev" | "sendto" | "sendmsg" if socket => calls.writes += 1.0,
            "read" | "readv" | "write" | "writev" => calls.others += 1.0,
            "epoll_wait" | "epoll_pwait" => calls.waits += 1.0,
            "futex" => calls.futexes += 1.0,
            _ => {}
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart_by_what_they_are_made_on() {
        let trace = "\
12 recvfrom(23<socket:[99]>, \"\"..., 8192, 0, NULL, NULL) = 57
12 sendto(24<TCP:[1]>, \"\"..., 57, MSG_NOSIGNAL, NULL, 0) = 57
13 write(7<anon_inode:[eventfd]>, \"\"..., 8) = 8
13 epoll_wait(3<anon_inode:[eventpoll]>,  <unfinished ...>
13 <... epoll_wait resumed>[], 1024, 10) = 0
14 futex(0x55, FUTEX_WAKE_PRIVATE, 1) = 1
14 +++ exited with 0 +++
";
        let counted = Calls { reads: 1.0, writes: 1.0, others: 1.0, waits: 1.0, futexes: 1.0 };
        assert_eq!(count(trace), counted);
    }

    #[test]
    fn what_every_run_has_does_not_count() {
        let short = Calls { reads: 120.0, ..Calls::default() };
        let long = Calls { reads: 2120.0, ..Calls::default() };
        assert_eq!(Calls::for_each((long, 1100.0), (short, 100.0)).reads, 2.0);
    }
}
