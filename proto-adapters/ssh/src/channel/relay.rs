//! Moves one channel's bytes, both ways, until it is closed on either side.

use super::Entry;
use super::files::Files;
use super::lane::{Item, Lane, STDERR};
use super::tape::Tape;
use crate::leash::leash;
use crate::session::{Fault, Live};
use crate::sftp::SftpFault;
use bytes::Bytes;
use curfew_adapter::RecordError;
use russh::{ChannelReadHalf, Error};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long what the client sent before it closed the channel may take to reach the target.
const CLOSING: Duration = Duration::from_secs(10);

/// Why a direction stopped before its channel was closed.
enum Stop {
    /// The lease is over.
    Over,
    /// A leg is gone: whoever watches it says so.
    Gone,
    /// It can't be recorded.
    Recording,
    /// What passes is not file transfer as it should be.
    Files(SftpFault),
}

impl From<SftpFault> for Stop {
    fn from(fault: SftpFault) -> Self {
        match fault {
            SftpFault::Record(_) => Self::Recording,
            fault => Self::Files(fault),
        }
    }
}

impl From<RecordError> for Stop {
    fn from(_: RecordError) -> Self {
        Self::Recording
    }
}

impl From<Error> for Stop {
    fn from(_: Error) -> Self {
        Self::Gone
    }
}

/// The session's side of a direction.
struct Way<'a> {
    live: &'a Live,
    entry: &'a Entry,
    lane: &'a Lane,
}

/// Relays `entry` until it is over, and forgets it.
pub async fn relay(live: Arc<Live>, entry: Arc<Entry>, near: ChannelReadHalf, far: ChannelReadHalf) {
    let _forget = Forget { live: &live, entry: &entry };
    let (up, down) = (Lane::new(live.client_flow.clone()), Lane::new(live.target_flow.clone()));
    let both = async {
        // What the target does not read is not waited for once the client has closed the channel.
        let stuck = async {
            up.intake(near, &entry, |item| {
                if matches!(item, Item::Eof) {
                    entry.eof.store(true, Ordering::Relaxed);
                }
            })
            .await;
            tokio::time::sleep(CLOSING).await;
        };
        let to_target = Way { live: &live, entry: &entry, lane: &up };
        let to_client = Way { live: &live, entry: &entry, lane: &down };
        let moving = async {
            tokio::select! {
                stopped = to_client.to_client() => stopped,
                stopped = to_target.to_target() => stopped,
            }
        };
        tokio::select! {
            stopped = moving => stopped,
            () = stuck => entry.far.close().await.map_err(Stop::from),
            stopped = async {
                down.intake(far, &entry, |_| ()).await;
                std::future::pending().await
            } => stopped,
        }
    };
    let stopped = tokio::select! {
        stopped = both => stopped,
        () = entry.hang_up.notified() => entry.far.close().await.map_err(Stop::from),
    };
    match stopped {
        Err(Stop::Recording) => live.fault(Fault::Recording).await,
        Err(Stop::Files(fault)) => {
            live.refused("sftp", &fault.to_string());
            // Where a leg is gone, so is the channel.
            let _ = tokio::join!(entry.near.close(), entry.far.close());
        }
        Ok(()) | Err(Stop::Over | Stop::Gone) => {}
    }
}

impl Way<'_> {
    /// From the target to the client. Done when the target closes the channel.
    async fn to_client(&self) -> Result<(), Stop> {
        let near = &self.entry.near;
        let mut eof = false;
        loop {
            let item = match self.entry.files() {
                None => self.lane.take().await,
                Some(files) => tokio::select! {
                    biased;
                    item = self.lane.take() => item,
                    // Answers of our own.
                    () = files.some() => {
                        self.answers(files).await?;
                        continue;
                    }
                },
            };
            match item {
                Item::Data { bytes, err } => {
                    let _holding = self.lane.holding(bytes.len());
                    self.live.recorder.ready().await?;
                    self.note(|tape| tape.output(&bytes, err))?;
                    self.live.counters.from_target(bytes.len(), self.live.now());
                    match self.entry.files() {
                        Some(files) if !err => {
                            files.target(bytes)?;
                            self.answers(files).await?;
                        }
                        _ => self.send(bytes, err).await?,
                    }
                }
                // Where both sides have said this, OpenSSH closes the channel at once, and the library with it: what
                // comes behind, the status of the command, would be lost. So it comes first.
                Item::Eof if self.entry.eof.load(Ordering::Relaxed) => eof = true,
                Item::Eof => self.hand(pin!(near.eof())).await?,
                Item::Status(status) => {
                    self.entry.tape().exited(status);
                    self.hand(pin!(near.exit_status(status))).await?;
                }
                Item::Signal { signal, core, message } => {
                    self.entry.tape().killed(&crate::client::signal_name(&signal));
                    let (client, language) = (&self.live.client, String::new());
                    let telling = client.exit_signal_request(near.id(), signal, core, message, language);
                    self.hand(pin!(async { telling.await.map_err(|()| Error::SendError) })).await?;
                }
                Item::Xon(can) => {
                    let telling = self.live.client.xon_xoff_request(near.id(), can);
                    self.hand(pin!(async { telling.await.map_err(|()| Error::SendError) })).await?;
                }
                Item::Closed => {
                    if eof {
                        self.hand(pin!(near.eof())).await?;
                    }
                    return self.hand(pin!(near.close())).await;
                }
            }
        }
    }

    /// From the client to the target. Done when the client closes the channel.
    async fn to_target(&self) -> Result<(), Stop> {
        let far = &self.entry.far;
        loop {
            match self.lane.take().await {
                Item::Data { bytes, .. } => self.input(bytes).await?,
                Item::Eof => self.hand(pin!(far.eof())).await?,
                Item::Closed => return self.hand(pin!(far.close())).await,
                // A client has no other news of a channel.
                Item::Status(_) | Item::Signal { .. } | Item::Xon(_) => {}
            }
        }
    }

    /// Sends the client everything that the watch has let through.
    async fn answers(&self, files: &Files) -> Result<(), Stop> {
        while let Some(piece) = files.for_client() {
            self.send(piece, false).await?;
            files.sent();
        }
        Ok(())
    }

    /// Sends the client one piece.
    async fn send(&self, bytes: Bytes, err: bool) -> Result<(), Stop> {
        let near = &self.entry.near;
        self.hand(pin!(async {
            self.live.client_flow.clear().await;
            let piece = self.live.client_flow.piece(bytes);
            if err { near.extended_data_bytes(STDERR, piece).await } else { near.data_bytes(piece).await }
        }))
        .await
    }

    async fn input(&self, mut bytes: Bytes) -> Result<(), Stop> {
        let _holding = self.lane.holding(bytes.len());
        self.live.recorder.ready().await?;
        self.note(|tape| tape.input(&bytes))?;
        self.live.counters.from_client(bytes.len(), self.live.now());
        let Some(files) = self.entry.files() else {
            return self.forward(bytes).await;
        };
        loop {
            while !files.has_room() {
                files.moved().await;
            }
            for piece in files.client(&mut bytes)? {
                self.forward(piece).await?;
            }
            if bytes.is_empty() {
                return Ok(());
            }
            // Too much is unanswered.
            files.moved().await;
        }
    }

    /// Sends the target one piece.
    async fn forward(&self, bytes: Bytes) -> Result<(), Stop> {
        self.hand(pin!(async {
            self.live.target_flow.clear().await;
            self.entry.far.data_bytes(self.live.target_flow.piece(bytes)).await
        }))
        .await
    }

    fn note(&self, note: impl FnOnce(&mut Tape) -> Result<(), RecordError>) -> Result<(), RecordError> {
        note(&mut self.entry.tape())
    }

    /// Hands something to a leg's library, unless the lease is over by then.
    async fn hand(&self, handing: Pin<&mut impl Future<Output = Result<(), Error>>>) -> Result<(), Stop> {
        match leash(&self.live.lease, handing).await {
            Some(done) => Ok(done?),
            None => Err(Stop::Over),
        }
    }
}

/// Whatever becomes of a relay, its channel's end is recorded, and it is found no more.
struct Forget<'a> {
    live: &'a Live,
    entry: &'a Entry,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        // Past the end of the session, it is still to be told and stopped what runs; the recordings are ended behind it.
        if !self.live.is_over() {
            let _ = self.entry.end();
            self.live.registry.remove(self.entry);
        }
    }
}
