//! Bytes through a command and through sftp: how fast, and what it takes of whoever stands in between.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::time::{Duration, Instant};

use curfew_harness::{Context, Error, Result};

use super::super::usage;
use super::scene::{Scene, Way};

const LIMIT: Duration = Duration::from_secs(900);

/// How often sshd's sessions are asked what they have used.
const ASK: Duration = Duration::from_millis(20);

/// A kind of transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From a command's output.
    Down,
    /// Into a command.
    Up,
    /// sftp with 64 requests outstanding, towards the client.
    Get,
    /// sftp, towards the target.
    Put,
}

impl Kind {
    /// The name in the figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
            Self::Get => "sftp-get",
            Self::Put => "sftp-put",
        }
    }
}

/// One transfer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ran {
    /// MB (10^6 bytes) a second, sign-in included.
    pub speed: f64,
    /// CPU seconds for each GB (10^9 bytes) of whoever stands in between; NaN where nobody does.
    pub cpu: f64,
}

/// Moves so many bytes on this way.
pub async fn run(scene: &Scene, way: Way, kind: Kind, cipher: Option<&str>, bytes: u64) -> Result<Ran> {
    // A file of zeros that takes no room; sftp writes to where nothing is kept, and a disk is not measured.
    let zeros = scene.sshd.folder().join(format!("zeros-{bytes}"));
    File::create(&zeros)?.set_len(bytes)?;
    let host = way.host();
    let mut command = match kind {
        Kind::Down | Kind::Up => {
            let mut command = scene.command("ssh", cipher)?;
            command.arg("-T").arg(host);
            command
        }
        Kind::Get | Kind::Put => {
            let mut command = scene.command("sftp", cipher)?;
            command.args(["-q", "-R", "64", "-b"]).arg(batch(scene, kind, &zeros)?).arg(host);
            command
        }
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    match kind {
        Kind::Down => drop(command.arg(format!("head -c {bytes} /dev/zero"))),
        Kind::Up => drop(command.arg("cat >/dev/null").stdin(File::open(&zeros)?)),
        Kind::Get | Kind::Put => {}
    }
    let (start, whole) = (Instant::now(), process(scene, way)?);
    let before = whole.map(usage::cpu_seconds).transpose()?;
    let working = tokio::time::timeout(LIMIT, command.output());
    let (done, sessions) = match way {
        Way::Jump => of_sessions(scene.jump.pid(), working).await,
        _ => (working.await, f64::NAN),
    };
    let took = start.elapsed().as_secs_f64();
    let done = done.context("a transfer that stalls")??;
    let used = match whole.zip(before) {
        Some((pid, before)) => usage::cpu_seconds(pid)? - before,
        None => sessions,
    };
    if !done.status.success() {
        return Err(Error::new(format!(
            "{kind:?} {way:?}: {}: {}",
            done.status,
            String::from_utf8_lossy(&done.stderr)
        )));
    }
    #[expect(clippy::cast_precision_loss, reason = "some GB")]
    let bytes = bytes as f64;
    Ok(Ran { speed: bytes / 1e6 / took, cpu: used / (bytes / 1e9) })
}

fn batch(scene: &Scene, kind: Kind, zeros: &Path) -> Result<std::path::PathBuf> {
    let path = scene.alice.home().join(kind.name());
    let zeros = zeros.display();
    let line =
        if kind == Kind::Get { format!("get {zeros} /dev/null") } else { format!("put {zeros} /dev/null") };
    std::fs::write(&path, line)?;
    Ok(path)
}

/// What is in between, where it is one process all the time.
fn process(scene: &Scene, way: Way) -> Result<Option<i32>> {
    Ok(match way {
        Way::Direct | Way::Jump => None,
        Way::Bare => Some(scene.bare.process.id()),
        Way::Gate => Some(scene.gate.pid()?),
    })
}

/// The CPU seconds of an sshd's sessions while `work` is done. They are processes of their own, and what they have used
/// is not always handed on to sshd when they end, so they are asked until then.
async fn of_sessions<T>(sshd: i32, work: impl Future<Output = T>) -> (T, f64) {
    let mut work = pin!(work);
    let mut used = HashMap::new();
    loop {
        tokio::select! {
            done = &mut work => return (done, used.values().sum()),
            () = tokio::time::sleep(ASK) => {}
        }
        // One that is gone has been asked before.
        let all = usage::descendants(sshd).into_iter();
        used.extend(all.filter_map(|pid| Some((pid, usage::cpu_seconds(pid).ok()?))));
    }
}
