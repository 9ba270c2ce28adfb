//! The open channels of a session.

use super::files::Files;
use super::{Purpose, Tape};
use crate::sftp::Access;
use curfew_adapter::{RecordError, Recorder};
use russh::{ChannelId, ChannelWriteHalf, client, server};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::{Notify, oneshot};

/// Channels that one session may have open; browsers behind `ssh -D` use about a hundred.
const CHANNELS: usize = 512;

/// One channel, at both ends.
#[derive(Debug)]
pub struct Entry {
    /// Towards the client.
    pub near: ChannelWriteHalf<server::Msg>,
    /// Towards the target.
    pub far: ChannelWriteHalf<client::Msg>,
    /// Ends the relay: the channel was refused its use.
    pub hang_up: Notify,
    /// The client will send no more bytes.
    pub eof: AtomicBool,
    files: OnceLock<Files>,
    answers: Mutex<VecDeque<oneshot::Sender<bool>>>,
    tape: Mutex<Tape>,
    over: Notify,
}

impl Entry {
    /// A channel that is open at both ends.
    pub fn new(near: ChannelWriteHalf<server::Msg>, far: ChannelWriteHalf<client::Msg>, tape: Tape) -> Self {
        Self {
            near,
            far,
            hang_up: Notify::new(),
            eof: AtomicBool::new(false),
            files: OnceLock::new(),
            answers: Mutex::default(),
            tape: Mutex::new(tape),
            over: Notify::new(),
        }
    }

    /// What is recorded of it.
    pub fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From its first byte on, what passes is file transfer.
    pub fn watch_files(&self, access: Access, recorder: &Recorder) {
        let ch = self.tape().number();
        self.files.get_or_init(|| Files::new(ch, access, recorder.clone()));
    }

    /// The file transfer on it, where there is one.
    pub fn files(&self) -> Option<&Files> {
        self.files.get()
    }

    /// Records its end. Only the first call counts.
    ///
    /// # Errors
    /// As [`Recorder::append`].
    pub fn end(&self) -> Result<(), RecordError> {
        if let Some(files) = self.files() {
            files.finish()?;
        }
        self.tape().end()
    }

    /// The target's answer to the request that is sent next.
    pub fn expect(&self) -> oneshot::Receiver<bool> {
        let (answer, answered) = oneshot::channel();
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer);
        answered
    }

    /// The target has answered the request that has waited longest.
    pub fn answered(&self, success: bool) {
        if let Some(answer) = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            // The request was given up.
            let _ = answer.send(success);
        }
    }

    /// What ran on it has ended at the target.
    pub fn ended(&self) {
        self.over.notify_waiters();
    }

    /// Waits until what runs on it has ended.
    pub async fn until_ended(&self) {
        loop {
            let over = self.over.notified();
            if self.tape().running().is_none() {
                return;
            }
            over.await;
        }
    }

    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.tape().purpose.clone()
    }
}

#[derive(Debug, Default)]
struct Open {
    count: u32,
    by_client: HashMap<ChannelId, Arc<Entry>>,
    by_target: HashMap<ChannelId, Arc<Entry>>,
    opening: usize,
}

/// All of them, found from either end.
#[derive(Debug, Default)]
pub struct Registry(Mutex<Open>);

impl Registry {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of one more channel; `None` where there are too many.
    pub fn number(&self) -> Option<u32> {
        let mut open = self.open();
        if open.by_client.len() + open.opening >= CHANNELS {
            return None;
        }
        open.opening += 1;
        open.count += 1;
        Some(open.count)
    }

    /// A channel that had a number did not open.
    pub fn give_up(&self) {
        let mut open = self.open();
        open.opening = open.opening.saturating_sub(1);
    }

    /// A channel that had a number is open.
    pub fn add(&self, entry: &Arc<Entry>) {
        let mut open = self.open();
        open.opening = open.opening.saturating_sub(1);
        open.by_client.insert(entry.near.id(), entry.clone());
        open.by_target.insert(entry.far.id(), entry.clone());
    }

    /// A channel is over.
    pub fn remove(&self, entry: &Entry) {
        let mut open = self.open();
        open.by_client.remove(&entry.near.id());
        open.by_target.remove(&entry.far.id());
    }

    /// By the number of the client's end.
    pub fn by_client(&self, id: ChannelId) -> Option<Arc<Entry>> {
        self.open().by_client.get(&id).cloned()
    }

    /// By the number of the target's end.
    pub fn by_target(&self, id: ChannelId) -> Option<Arc<Entry>> {
        self.open().by_target.get(&id).cloned()
    }

    /// All of them, in the order in which they were opened.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        let mut all: Vec<_> = self.open().by_client.values().cloned().collect();
        all.sort_by_key(|entry| entry.tape().number());
        all
    }
}
