//! One large file over SSH, both ways, by a command's streams and by sftp: made of random bytes, checked by its hash,
//! and watched while it moves. It must never wait for what has stopped moving: that is what it is to find.

use std::ffi::OsString;
use std::fmt::Write;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, interval, timeout};

use crate::error::{Context, Error, Result};
use crate::psql::output;
use crate::ssh::Ssh;

/// For how long nothing may move, on a machine that does other things too.
const STALL: Duration = Duration::from_secs(10);

/// What a transfer may take that never stalls.
const LONG: Duration = Duration::from_secs(3600);

const PIECE: usize = 1024 * 1024;

/// A file of random bytes, and what its transfers are checked by.
pub struct Bulk {
    path: PathBuf,
    bytes: u64,
    sha256: String,
}

impl Bulk {
    /// Makes the file.
    ///
    /// # Errors
    /// When it can't be written.
    pub async fn make(path: &Path, bytes: u64) -> Result<Self> {
        let mut random = File::open("/dev/urandom").await?.take(bytes);
        let mut file = File::create(path).await.context("making a large file")?;
        let mut hash = Hash::new();
        while let Some(piece) = hash.next(&mut random).await? {
            file.write_all(piece).await?;
        }
        file.flush().await?;
        Ok(Self { path: path.to_owned(), bytes, sha256: hash.finish() })
    }

    /// Sends it to a command on the target.
    ///
    /// # Errors
    /// When it stalls, or something else arrives.
    pub async fn put_by_exec(&self, ssh: &Ssh, user: &str) -> Result<()> {
        let mut child = ssh.piped(user, ["-o", "BatchMode=yes", "--", "sha256sum"])?;
        let mut input = child.stdin.take().context("no input")?;
        let mut file = File::open(&self.path).await?;
        let mut piece = vec![0; PIECE];
        loop {
            let read = file.read(&mut piece).await?;
            if read == 0 {
                break;
            }
            moving("sending to a command", input.write_all(piece.get(..read).unwrap_or_default())).await??;
        }
        drop(input);
        let mut said = String::new();
        let mut out = child.stdout.take().context("no output")?;
        moving("the end of a command", out.read_to_string(&mut said)).await??;
        self.same("was sent to a command", said.split(' ').next().unwrap_or_default())
    }

    /// Reads it from a command on the target, where it must be at `there`.
    ///
    /// # Errors
    /// When it stalls, or something else arrives.
    pub async fn get_by_exec(&self, ssh: &Ssh, user: &str, there: &Path) -> Result<()> {
        let command = format!("cat {}", there.display());
        let mut child = ssh.piped(user, ["-o", "BatchMode=yes", "--", &command])?;
        drop(child.stdin.take());
        let mut out = child.stdout.take().context("no output")?;
        let mut hash = Hash::new();
        while moving("reading from a command", hash.next(&mut out)).await??.is_some() {}
        self.same("came from a command", &hash.finish())
    }

    /// Puts it to `there` on the target, which is this machine, with 64 requests outstanding.
    ///
    /// # Errors
    /// When it stalls, or something else arrives.
    pub async fn put_by_sftp(&self, ssh: &Ssh, user: &str, there: &Path) -> Result<()> {
        let script = format!("put {} {}\n", self.path.display(), there.display());
        sftp(ssh, user, &script, there).await?;
        self.same("was put", &sha256(there).await?)
    }

    /// Gets it from `there` on the target to `here`, with 64 requests outstanding.
    ///
    /// # Errors
    /// When it stalls, or something else arrives.
    pub async fn get_by_sftp(&self, ssh: &Ssh, user: &str, there: &Path, here: &Path) -> Result<()> {
        let script = format!("get {} {}\n", there.display(), here.display());
        sftp(ssh, user, &script, here).await?;
        self.same("was got", &sha256(here).await?)
    }

    /// Its SHA-256, in hex.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Its length.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn same(&self, what: &str, sha256: &str) -> Result<()> {
        if sha256 == self.sha256 {
            return Ok(());
        }
        Err(Error::new(format!("what {what} is not what it should be: {sha256} instead of {}", self.sha256)))
    }
}

/// What one piece of a transfer does, as long as it does not stall.
async fn moving<T>(what: &str, piece: impl Future<Output = T>) -> Result<T> {
    timeout(STALL, piece).await.context(format!("{what} stalled: nothing moved for {STALL:?}"))
}

/// Runs one transfer, by which `grows` grows.
async fn sftp(ssh: &Ssh, user: &str, script: &str, grows: &Path) -> Result<()> {
    let batch = ssh.path("bulk.batch");
    tokio::fs::write(&batch, script).await?;
    let mut args = ssh.options();
    args.extend(["-q", "-R", "64", "-B", "32768", "-P", &ssh.port().to_string(), "-b"].map(OsString::from));
    args.push(batch.into());
    args.extend(["-o".into(), format!("User={user}").into(), ssh.host().into()]);
    let mut sftp = ssh.start("sftp", args)?;
    drop(sftp.take_stdin());
    tokio::select! {
        done = output(&mut sftp, LONG) => done?.success().map(drop),
        stalled = growing(grows) => Err(Error::new(format!("{} stalled: {stalled}", script.trim()))),
    }
}

/// Done when this file has stopped growing.
async fn growing(path: &Path) -> Error {
    let (mut looks, mut length, mut since) = (interval(Duration::from_millis(200)), 0, Instant::now());
    loop {
        looks.tick().await;
        let now = tokio::fs::metadata(path).await.map_or(0, |file| file.len());
        if now != length {
            (length, since) = (now, Instant::now());
        } else if since.elapsed() > STALL {
            return Error::new(format!("nothing moved for {STALL:?}, after {length} bytes"));
        }
    }
}

async fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).await.context("the file that was moved")?;
    let mut hash = Hash::new();
    while hash.next(&mut file).await?.is_some() {}
    Ok(hash.finish())
}

/// A hash of what is read, piece by piece.
struct Hash {
    piece: Vec<u8>,
    so_far: digest::Context,
}

impl Hash {
    fn new() -> Self {
        Self { piece: vec![0; PIECE], so_far: digest::Context::new(&SHA256) }
    }

    /// The next piece, which counts from now on; `None` at the end.
    async fn next(&mut self, from: &mut (impl AsyncRead + Unpin)) -> Result<Option<&[u8]>> {
        let read = from.read(&mut self.piece).await?;
        let piece = self.piece.get(..read).filter(|piece| !piece.is_empty());
        self.so_far.update(piece.unwrap_or_default());
        Ok(piece)
    }

    fn finish(self) -> String {
        let mut hex = String::new();
        for byte in self.so_far.finish().as_ref() {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}
