//! File transfer on one channel: what the watch lets through, in the order in which it says so.
//!
//! Both directions pass one watch, and either may have something for the client; so what is for the client waits in
//! one queue, and one future sends it.

use crate::sftp::{Access, Outlet, SftpFault, Watch};
use bytes::Bytes;
use curfew_adapter::{Event, RecordError, Recorder};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Answers of our own that may wait for the client before it is not read any more.
const ANSWERS: usize = 256 * 1024;

/// What the watch has let through.
#[derive(Debug)]
struct Outbox {
    recorder: Recorder,
    /// What is being watched: pieces of it that stand side by side go on as one.
    source: Bytes,
    to_target: VecDeque<Bytes>,
    to_client: VecDeque<Bytes>,
}

#[derive(Debug)]
struct Inner {
    watch: Watch,
    out: Outbox,
}

/// The watched file transfer of one channel.
#[derive(Debug)]
pub struct Files {
    inner: Mutex<Inner>,
    /// There is something for the client.
    some: Notify,
    /// Something from the target has passed, or something for the client was sent.
    moved: Notify,
}

impl Files {
    /// Watches channel `ch`.
    pub fn new(ch: u32, access: Access, recorder: Recorder) -> Self {
        let out =
            Outbox { recorder, source: Bytes::new(), to_target: VecDeque::new(), to_client: VecDeque::new() };
        let inner = Mutex::new(Inner { watch: Watch::new(ch, access), out });
        Self { inner, some: Notify::new(), moved: Notify::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes bytes of the client's; answers with those that go to the target. What is left in `input` is to be given
    /// again once something has moved.
    ///
    /// # Errors
    /// The channel has to end.
    pub fn client(&self, input: &mut Bytes) -> Result<VecDeque<Bytes>, SftpFault> {
        let mut inner = self.inner();
        let Inner { watch, out } = &mut *inner;
        out.source = input.clone();
        let done = watch.client(input, out);
        out.source = Bytes::new();
        let passed = std::mem::take(&mut out.to_target);
        if !out.to_client.is_empty() {
            self.some.notify_one();
        }
        done.map(|()| passed)
    }

    /// Takes bytes of the target's.
    ///
    /// # Errors
    /// The channel has to end.
    pub fn target(&self, bytes: Bytes) -> Result<(), SftpFault> {
        let mut inner = self.inner();
        let Inner { watch, out } = &mut *inner;
        out.source = bytes.clone();
        let done = watch.target(bytes, out);
        out.source = Bytes::new();
        self.moved.notify_one();
        done
    }

    /// The next piece for the client, where there is one.
    pub fn for_client(&self) -> Option<Bytes> {
        self.inner().out.to_client.pop_front()
    }

    /// Waits until there may be something for the client.
    pub async fn some(&self) {
        self.some.notified().await;
    }

    /// A piece was sent to the client.
    pub fn sent(&self) {
        self.moved.notify_one();
    }

    /// Waits until something has moved.
    pub async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Whether the client reads its answers.
    pub fn has_room(&self) -> bool {
        self.inner().out.to_client.iter().map(Bytes::len).sum::<usize>() < ANSWERS
    }

    /// Records what was begun and did not come to its end.
    ///
    /// # Errors
    /// As [`Recorder::append`].
    pub fn finish(&self) -> Result<(), RecordError> {
        let mut inner = self.inner();
        let Inner { watch, out } = &mut *inner;
        watch.finish(out)
    }
}

impl Outlet for Outbox {
    fn to_target(&mut self, bytes: Bytes) {
        put(&mut self.to_target, &self.source, bytes);
    }

    fn to_client(&mut self, bytes: Bytes) {
        put(&mut self.to_client, &self.source, bytes);
    }

    fn record(&mut self, event: &Event<'_>) -> Result<(), RecordError> {
        self.recorder.append(event)
    }
}

/// Appends `bytes`; to the last piece, where both are parts of `source` and stand side by side there: a packet of the
/// transport costs as much as some kilobytes in it.
fn put(queue: &mut VecDeque<Bytes>, source: &Bytes, bytes: Bytes) {
    if bytes.is_empty() {
        return;
    }
    let place = |piece: &Bytes| {
        let from = (piece.as_ptr() as usize).checked_sub(source.as_ptr() as usize)?;
        let to = from.checked_add(piece.len())?;
        (to <= source.len()).then_some(from..to)
    };
    if let Some(last) = queue.back_mut()
        && let (Some(before), Some(behind)) = (place(last), place(&bytes))
        && before.end == behind.start
    {
        *last = source.slice(before.start..behind.end);
        return;
    }
    queue.push_back(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_side_by_side_go_on_as_one() {
        let (source, other) = (Bytes::from(vec![b'a'; 10]), Bytes::from(vec![b'b'; 3]));
        let mut queue = VecDeque::new();
        for piece in
            [source.slice(0..4), source.slice(4..6), other.slice(..), source.slice(6..9), source.slice(9..)]
        {
            put(&mut queue, &source, piece);
        }
        let lengths: Vec<_> = queue.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [6, 3, 4]);
        put(&mut queue, &source, source.slice(0..2));
        assert_eq!(queue.len(), 4, "not side by side");
    }
}
