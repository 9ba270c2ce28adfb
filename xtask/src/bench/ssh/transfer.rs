//! Bytes through a command and through sftp: how fast, and what it takes of whoever stands in between.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use curfew_harness::{Context, Error, Result, until};

use super::super::usage;
use super::scene::{Scene, Way};

const LIMIT: Duration = Duration::from_secs(900);

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
    let before = used(scene, way).await?;
    let start = Instant::now();
    let done = tokio::time::timeout(LIMIT, command.output()).await.context("a transfer that stalls")??;
    let took = start.elapsed().as_secs_f64();
    if !done.status.success() {
        return Err(Error::new(format!(
            "{kind:?} {way:?}: {}: {}",
            done.status,
            String::from_utf8_lossy(&done.stderr)
        )));
    }
    #[expect(clippy::cast_precision_loss, reason = "some GB")]
    let bytes = bytes as f64;
    Ok(Ran { speed: bytes / 1e6 / took, cpu: (used(scene, way).await? - before) / (bytes / 1e9) })
}

fn batch(scene: &Scene, kind: Kind, zeros: &Path) -> Result<std::path::PathBuf> {
    let path = scene.alice.home().join(kind.name());
    let zeros = zeros.display();
    let line =
        if kind == Kind::Get { format!("get {zeros} /dev/null") } else { format!("put {zeros} /dev/null") };
    std::fs::write(&path, line)?;
    Ok(path)
}

/// The CPU seconds so far of what is in between. Those of sshd's children count once they are gone.
async fn used(scene: &Scene, way: Way) -> Result<f64> {
    match way {
        Way::Direct => Ok(f64::NAN),
        Way::Gate => usage::cpu_seconds(scene.gate.pid()?),
        Way::Bare => usage::cpu_seconds(scene.bare.process.id()),
        Way::Jump => {
            let pid = scene.jump.pid();
            let alone = async || usage::descendants(pid).is_empty().then_some(());
            until("sshd without children", Duration::from_secs(10), alone).await?;
            usage::cpu_seconds_with_children(pid)
        }
    }
}
