//! A crowd of live sessions, held by one process: ssh-crowd and pg-crowd of curfew-benches, which print the same lines.

use std::time::Duration;

use curfew_harness::{Context, Process, Result, process};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(600);

/// What its sessions do.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Sessions that do nothing.
    pub idle: usize,
    /// Sessions that show something now and then.
    pub streaming: usize,
    /// How often.
    pub every: Duration,
}

/// What all programs that hold a crowd are told in the same words.
pub fn sized(command: &mut Command, size: Size) {
    command.args(["--idle", &size.idle.to_string(), "--streaming", &size.streaming.to_string()]);
}

/// One session that is over, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whether it streamed.
    pub streams: bool,
    /// When its last byte came.
    pub last: Option<i64>,
    /// When the client first heard of its end.
    pub told: Option<i64>,
}

/// Live sessions. Dropped, they are gone.
pub struct Crowd(Process);

impl Crowd {
    /// All of them are open when this returns.
    pub async fn open(command: Command) -> Result<Self> {
        let crowd = Process::spawn("crowd", command, process::Stop::Kill)?;
        crowd.logs().find("an open crowd", LIMIT, |line| (line.text == "open").then_some(())).await?;
        Ok(Self(crowd))
    }

    /// Waits until all are over, and says how.
    pub async fn ended(mut self) -> Result<Vec<Ended>> {
        self.0.ended(LIMIT).await?;
        let lines = self.0.logs().lines();
        let ends = lines.iter().filter_map(|line| line.text.strip_prefix("ended "));
        ends.map(|end| parse(end).context(format!("no end: {end}"))).collect()
    }
}

fn parse(end: &str) -> Option<Ended> {
    let mut words = end.split(' ');
    let mut next = || words.next();
    let streams = match next()? {
        "stream" => true,
        "idle" => false,
        _ => return None,
    };
    let at = |word: &str| if word == "-" { Some(None) } else { word.parse().ok().map(Some) };
    Some(Ended { streams, last: at(next()?)?, told: at(next()?)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read() {
        assert_eq!(parse("stream 12 34"), Some(Ended { streams: true, last: Some(12), told: Some(34) }));
        assert_eq!(parse("idle 12 -"), Some(Ended { streams: false, last: Some(12), told: None }));
        assert_eq!(parse("idle twelve -"), None);
    }
}
