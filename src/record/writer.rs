//! The writer of all recordings: one thread that compresses events, chains chunks and stores them.
//!
//! Owns the order of a session's chunks and when they are written: at the latest half a second after the first
//! event that is in none yet. Sessions come to it; one that is idle costs it nothing. It never drops an event of a
//! strict recording without failing that recording.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use curfew_adapter::{Clock, RecordError, SessionId};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::chunk::{Chain, Events, Packer, Seal, VERSION};
use super::folder::Folders;
use super::mask::Masker;
use super::opening::Opening;
use super::queue::{Due, Queue};
use super::recorder::{CHUNK, Live, SealRequest, Sealed, SessionRecorder, State};
use crate::audit::chain::instant;
use crate::audit::{Domain, RecordingHead, SigningKey};

/// Recordings that are being stored at the same time.
const CONCURRENT: usize = 16;

/// Recordings sealed since the last checkpoint that are remembered for the next one.
const MAX_SEALED: usize = 65_536;

/// Recordings as checkpoints name them.
#[derive(Debug, Default)]
struct Known {
    live: HashMap<SessionId, Weak<Live>>,
    sealed: VecDeque<RecordingHead>,
}

/// What all tasks of the writer share.
#[derive(Debug)]
struct Shared {
    folders: Folders,
    key: Arc<SigningKey>,
    clock: Clock,
    queue: Arc<Queue>,
    known: Mutex<Known>,
    maskers: Mutex<HashMap<Vec<String>, Weak<Masker>>>,
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a recording could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A mask of the contract is no regular expression.
    #[error("a mask of the contract is not a regular expression: {0}")]
    Mask(#[from] regex::Error),
    /// The first chunk could not be stored.
    #[error("the recording could not be written")]
    Write(#[from] RecordError),
}

/// The writer; clones are the same one.
#[derive(Clone, Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread, or no memory for compression.
    pub fn start(folders: Folders, key: Arc<SigningKey>, clock: Clock) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            folders,
            key,
            clock,
            queue: Arc::default(),
            known: Mutex::default(),
            maskers: Mutex::default(),
        });
        let packer = Arc::new(Mutex::new(Packer::new()?));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (done, thread) = oneshot::channel();
        let writer = Self { shared: shared.clone(), thread: Arc::new(Mutex::new(Some(thread))) };
        thread::Builder::new().name("recordings".to_owned()).spawn(move || {
            runtime.block_on(run(shared, packer));
            // Nobody may be waiting for the end.
            let _ = done.send(());
        })?;
        Ok(writer)
    }

    /// Begins a recording. On return its first chunk, which says whose session it is, is stored.
    ///
    /// # Errors
    /// The session must be refused: it can't be recorded as its contract says. Where recording is best effort, a
    /// store that fails is no error.
    pub async fn begin(&self, opening: &Opening) -> Result<SessionRecorder, StartError> {
        let masker = self.masker(&opening.record.mask)?;
        let live = Live::new(
            opening.session.clone(),
            opening.record.strict,
            masker,
            self.shared.clock.clone(),
            self.shared.queue.clone(),
        );
        let recorder = SessionRecorder::new(live.clone());
        recorder.open(opening)?;
        recorder.flush().await?;
        self.shared.known().live.insert(opening.session.clone(), Arc::downgrade(&live));
        Ok(recorder)
    }

    /// Contracts' masks are compiled once, not for each session.
    fn masker(&self, patterns: &[String]) -> Result<Arc<Masker>, regex::Error> {
        let mut maskers = self.shared.maskers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(masker) = maskers.get(patterns).and_then(Weak::upgrade) {
            return Ok(masker);
        }
        maskers.retain(|_, masker| masker.strong_count() > 0);
        let masker = Arc::new(Masker::new(patterns)?);
        maskers.insert(patterns.to_vec(), Arc::downgrade(&masker));
        Ok(masker)
    }

    /// The recordings that a checkpoint names: those that are live, and those sealed since the last one.
    #[must_use]
    pub fn heads(&self) -> Vec<RecordingHead> {
        let mut known = self.shared.known();
        known.live.retain(|_, live| live.strong_count() > 0);
        let live: Vec<Arc<Live>> = known.live.values().filter_map(Weak::upgrade).collect();
        let mut heads: Vec<RecordingHead> = known.sealed.iter().cloned().collect();
        drop(known);
        heads.extend(live.iter().map(|live| live.head()));
        heads
    }

    /// These heads are in a checkpoint that is stored: the sealed ones among them need not be in another.
    pub fn checkpointed(&self, heads: &[RecordingHead]) {
        let sealed = heads.iter().filter(|head| head.sealed).count();
        let mut known = self.shared.known();
        let sealed = sealed.min(known.sealed.len());
        known.sealed.drain(..sealed);
    }

    /// Bytes of events that are in memory only.
    #[must_use]
    pub fn backlog(&self) -> i64 {
        self.shared.queue.backlog()
    }

    /// Writes that failed since the start.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.shared.queue.errors()
    }

    /// Where the recordings are.
    #[must_use]
    pub fn folders(&self) -> &Folders {
        &self.shared.folders
    }

    /// Writes all that is in memory, and ends the thread. Sessions should be sealed by then.
    pub async fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.shared.queue.begin_stop();
        if let Some(thread) = thread {
            // An error says that the thread is gone already.
            let _ = thread.await;
        }
    }
}

async fn run(shared: Arc<Shared>, packer: Arc<Mutex<Packer>>) {
    let places = Arc::new(Semaphore::new(CONCURRENT));
    let mut tasks = JoinSet::new();
    let mut due = Vec::new();
    loop {
        let next = shared.queue.due(Instant::now(), &mut due);
        for Due { live, waited } in due.drain(..) {
            let (shared, packer, places) = (shared.clone(), packer.clone(), places.clone());
            tasks.spawn(async move {
                let Ok(_place) = places.acquire().await else { return };
                if waited {
                    live.state().queued = false;
                }
                write(&shared, &packer, &live).await;
            });
        }
        if tasks.is_empty() && shared.queue.stop() {
            return;
        }
        let sleep = async {
            match next {
                Some(next) => tokio::time::sleep_until(next.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.queue.changed() => {}
            () = sleep => {}
            Some(done) = tasks.join_next(), if !tasks.is_empty() => {
                if let Err(error) = done {
                    tracing::error!(%error, "a task of the recordings' writer panicked");
                }
            }
        }
    }
}

/// Writes what one session has, in order.
async fn write(shared: &Shared, packer: &Mutex<Packer>, live: &Arc<Live>) {
    // A session may stand in both queues; whoever comes second finds it in other hands and leaves.
    let Some(mut turn) = Turn::take(live) else { return };
    loop {
        let (events, flushes, seal) = {
            let mut state = live.state();
            (state.take(), std::mem::take(&mut state.flushes), state.seal.take())
        };
        // What is left at the end is stored with the seal, in one go.
        let with_seal = seal.is_some() && flushes.is_empty() && events.count > 0;
        if events.count > 0 && !with_seal {
            store(shared, packer, live, &events).await;
        }
        let result = if live.state().failed && live.strict { Err(RecordError) } else { Ok(()) };
        for flush in flushes {
            // Whoever asked may have gone.
            let _ = flush.send(result.clone());
        }
        if let Some(SealRequest { reason, reply }) = seal {
            let _ =
                reply.send(finish(shared, packer, live, with_seal.then_some(&events), reason.as_str()).await);
        }
        let mut state = live.state();
        let wanted = state.seal.is_some() || !state.flushes.is_empty() || state.events.lines.len() >= CHUNK;
        if wanted {
            continue;
        }
        turn.end(&mut state);
        return;
    }
}

/// The right to write one session's chunks; one task has it at a time.
struct Turn<'a> {
    live: &'a Arc<Live>,
    over: bool,
}

impl<'a> Turn<'a> {
    fn take(live: &'a Arc<Live>) -> Option<Self> {
        let mut state = live.state();
        if state.writing {
            return None;
        }
        state.writing = true;
        Some(Self { live, over: false })
    }

    /// Gives it back, and comes again later for events that came meanwhile.
    fn end(&mut self, state: &mut State) {
        self.over = true;
        state.writing = false;
        state.urgent = false;
        if state.events.count > 0 {
            self.live.wait(state);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.over {
            // A panic: what was taken is lost, so the recording has failed.
            let mut state = self.live.state();
            self.live.fail(&mut state);
            self.end(&mut state);
            drop(state);
            self.live.failure.notify_waiters();
        }
    }
}

/// Makes a chunk of the events and stores it, or fails.
async fn store(shared: &Shared, packer: &Mutex<Packer>, live: &Live, events: &Events) {
    let after = live.state().chain;
    let written = match pack(shared, packer, live, after, events) {
        Some((chunk, chain)) => match shared.folders.put_chunk(&live.session, after.chunks, chunk).await {
            Ok(()) => Some(chain),
            Err(error) => failed(shared, live, &error),
        },
        None => None,
    };
    settle(shared, live, events, written);
}

/// Stores the rest of the events, as a chunk, and the seal, as one object; the seal alone, where that fails.
async fn finish(
    shared: &Shared,
    packer: &Mutex<Packer>,
    live: &Live,
    rest: Option<&Events>,
    reason: &str,
) -> Result<Sealed, RecordError> {
    if let Some(rest) = rest {
        let after = live.state().chain;
        let sealed = match pack(shared, packer, live, after, rest) {
            Some((chunk, chain)) => put_seal(shared, live, chunk, chain, reason).await.ok(),
            None => None,
        };
        settle(shared, live, rest, sealed.map(|sealed| sealed.chain));
        if let Some(sealed) = sealed {
            return Ok(sealed);
        }
    }
    let chain = live.state().chain;
    put_seal(shared, live, Vec::new(), chain, reason).await
}

/// The next chunk, and where the recording stands once it is stored; none where the recording has failed.
fn pack(
    shared: &Shared,
    packer: &Mutex<Packer>,
    live: &Live,
    after: Chain,
    events: &Events,
) -> Option<(Vec<u8>, Chain)> {
    if live.state().failed && live.strict {
        return None;
    }
    let packed =
        packer.lock().unwrap_or_else(PoisonError::into_inner).pack(live.session.as_str(), after, events);
    packed.map_or_else(|error| failed(shared, live, &error), Some)
}

/// The events are stored as the last part of this chain, or lost.
fn settle(shared: &Shared, live: &Live, events: &Events, written: Option<Chain>) {
    shared.queue.backlog_shrank(events.lines.len());
    let mut state = live.state();
    match written {
        Some(chain) => state.chain = chain,
        None => {
            state.lost += events.count;
            live.fail(&mut state);
            drop(state);
            live.failure.notify_waiters();
        }
    }
}

fn failed<T>(shared: &Shared, live: &Live, error: &(dyn std::error::Error + 'static)) -> Option<T> {
    shared.queue.erred();
    tracing::error!(session = %live.session, strict = live.strict, error, "a recording could not be written");
    None
}

/// Stores the last chunk, if any, and the seal behind it, which says that the recording stands at `chain`.
async fn put_seal(
    shared: &Shared,
    live: &Live,
    last: Vec<u8>,
    chain: Chain,
    reason: &str,
) -> Result<Sealed, RecordError> {
    let lost = live.state().lost;
    let seal = Seal {
        v: VERSION,
        session: live.session.to_string(),
        chunks: chain.chunks,
        events: chain.events,
        lost,
        head: chain.head,
        reason: reason.to_owned(),
        at: instant(shared.clock.wall()),
    };
    let line = shared.key.seal(Domain::Seal, &seal).map_err(|error| {
        failed::<()>(shared, live, &error);
        RecordError
    })?;
    shared.folders.put_seal(&live.session, last, &line).await.map_err(|error| {
        failed::<()>(shared, live, &error);
        RecordError
    })?;
    let mut known = shared.known();
    known.live.remove(&live.session);
    if known.sealed.len() >= MAX_SEALED {
        known.sealed.pop_front();
    }
    known.sealed.push_back(RecordingHead {
        session: seal.session,
        chunks: chain.chunks,
        head: chain.head,
        sealed: true,
    });
    Ok(Sealed { chain, lost })
}
