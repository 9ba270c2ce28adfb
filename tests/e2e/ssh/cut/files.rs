//! File transfer as sftp does it (draft-ietf-secsh-filexfer-02), with up to 64 requests outstanding, of contents that say
//! when they were made.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use curfew_harness::{Error, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};

use crate::matrix::stamps::{Newest, Pace, header};

/// How much one request moves.
pub const CHUNK: usize = 32 * 1024;
/// The file's size.
pub const SIZE: u64 = 1 << 30;
const AHEAD: usize = 64;
/// How often what is asked for and not answered says the time anew.
const TICK: Duration = Duration::from_millis(2);

const INIT: u8 = 1;
const OPEN: u8 = 3;
const READ: u8 = 5;
const WRITE: u8 = 6;
const VERSION: u8 = 2;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;

/// One file, open at the target.
pub struct Transfer {
    to: ChildStdin,
    from: ChildStdout,
    handle: Vec<u8>,
    id: u32,
    next: u64,
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

impl Transfer {
    /// Opens `path`, which is made if it is to be written.
    pub async fn open(to: ChildStdin, from: ChildStdout, path: &Path, write: bool) -> Result<Self> {
        let mut transfer = Self { to, from, handle: Vec::new(), id: 0, next: 0 };
        // Its version stands where others have their id.
        transfer.id = 3;
        transfer.ask(INIT, &[]).await?;
        transfer.answer(VERSION).await?;
        // Write, create and truncate, or read; and no attributes.
        let flags: u32 = if write { 0x1a } else { 1 };
        let path = string(path.to_str().unwrap().as_bytes());
        let open = [&path[..], &flags.to_be_bytes(), &[0; 4]].concat();
        transfer.ask(OPEN, &open).await?;
        transfer.handle = transfer.answer(HANDLE).await?.split_off(4);
        Ok(transfer)
    }

    /// Writes it from its beginning to its end, again and again, until nothing is answered any more.
    pub async fn put(mut self, pace: Pace) -> Result<()> {
        let (mut outstanding, mut steps) = (0, pace.steps());
        loop {
            steps.next().await;
            let mut chunk = header().into_bytes();
            chunk.resize(CHUNK, b'.');
            let at = self.next();
            let write = [&self.handle[..], &at.to_be_bytes(), &string(&chunk)].concat();
            self.ask(WRITE, &write).await?;
            outstanding += 1;
            if outstanding == AHEAD {
                self.answer(STATUS).await?;
                outstanding -= 1;
            }
        }
    }

    /// Reads it in the same way. `file` is the same file, at the target: what is asked for and not answered is made to
    /// say the time all the while.
    pub async fn get(mut self, pace: Pace, file: &File, newest: &Newest) -> Result<()> {
        let outstanding = Mutex::new(VecDeque::new());
        // Answers that lie about until their turn comes are too old to tell anything.
        let ahead = if pace == Pace::Calm { 2 } else { AHEAD };
        let telling = async {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                let now = header();
                for at in outstanding.lock().unwrap().iter() {
                    file.write_at(now.as_bytes(), *at)?;
                }
            }
        };
        let reading = async {
            let mut steps = pace.steps();
            loop {
                steps.next().await;
                while outstanding.lock().unwrap().len() < ahead {
                    let at = self.next();
                    outstanding.lock().unwrap().push_back(at);
                    file.write_at(header().as_bytes(), at)?;
                    let length = u32::try_from(CHUNK)?.to_be_bytes();
                    self.ask(READ, &[&self.handle[..], &at.to_be_bytes(), &length].concat()).await?;
                }
                // Its id and its length come first.
                newest.note(self.answer(DATA).await?.get(8..).unwrap_or_default());
                outstanding.lock().unwrap().pop_front();
            }
        };
        tokio::select! {
            done = reading => done,
            done = telling => done,
        }
    }

    fn next(&mut self) -> u64 {
        let at = self.next;
        self.next = (at + CHUNK as u64) % SIZE;
        at
    }

    async fn ask(&mut self, kind: u8, body: &[u8]) -> Result<()> {
        let length = u32::try_from(body.len() + 5).unwrap().to_be_bytes();
        let id = self.id.to_be_bytes();
        // Two that wait for their answers must not have the same.
        self.id = self.id.wrapping_add(1);
        Ok(self.to.write_all(&[&length[..], &[kind], &id, body].concat()).await?)
    }

    async fn answer(&mut self, wanted: u8) -> Result<Vec<u8>> {
        let length = self.from.read_u32().await?;
        let kind = self.from.read_u8().await?;
        let mut body = vec![0; usize::try_from(length)?.saturating_sub(1)];
        self.from.read_exact(&mut body).await?;
        if kind == wanted { Ok(body) } else { Err(Error::new(format!("{kind} came instead of {wanted}"))) }
    }
}
