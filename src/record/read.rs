//! Reads recordings back: their events, their file, their verification; and seals what a crash left open.
//!
//! Owns no rule of the format. It reads what the [folders](Folders) hold, and never shows an event of a chunk whose
//! body is not the one its header describes.

use std::collections::VecDeque;
use std::pin::Pin;

use bytes::Bytes;
use curfew_adapter::{Clock, EndReason, SessionId};
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde_json::Value;

use super::chunk::{Chain, Seal, VERSION};
use super::folder::Folders;
use super::recorder::Sealed;
use super::split::{Broken, Part, Splitter};
use super::verify::{RecordingReport, Verification};
use crate::audit::chain::instant;
use crate::audit::{Domain, PublicKeys, RecordingHead, SigningKey};

/// Why a recording could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("there is no recording of this session")]
    NotFound,
    /// The store failed.
    #[error("the store of recordings failed")]
    Store(#[from] object_store::Error),
    /// The recording is not what was written; `verify` says where.
    #[error("the recording is damaged: verify it to learn where")]
    Damaged,
    /// An interrupted recording was not sealed, because it does not verify.
    #[error("the recording does not verify and was not sealed")]
    NotSound(Box<RecordingReport>),
    /// The seal could not be written as JSON.
    #[error("the seal could not be made")]
    Seal(#[from] serde_json::Error),
}

/// The pieces of a recording, as a file or a store gives them.
type Pieces = Pin<Box<dyn Stream<Item = object_store::Result<Bytes>> + Send>>;

/// The events of a recording, one after the other.
pub struct EventReader {
    pieces: Pieces,
    splitter: Splitter,
    lines: VecDeque<Value>,
    seal: Option<Vec<u8>>,
    /// Whether any byte was read.
    begun: bool,
}

impl EventReader {
    /// Reads from these pieces: [`Folders::file`], or the parts of an exported file.
    #[must_use]
    pub fn new(pieces: impl Stream<Item = object_store::Result<Bytes>> + Send + 'static) -> Self {
        let (splitter, lines) = (Splitter::default(), VecDeque::new());
        Self { pieces: Box::pin(pieces), splitter, lines, seal: None, begun: false }
    }

    /// The next event as it was recorded: an object with `at`, `kind` and the rest. None at the end.
    ///
    /// # Errors
    /// There is no recording, it is damaged, or the store failed.
    pub async fn next(&mut self) -> Result<Option<Value>, ReadError> {
        loop {
            if let Some(event) = self.lines.pop_front() {
                return Ok(Some(event));
            }
            match self.splitter.part().map_err(|_: Broken| ReadError::Damaged)? {
                Some(Part::Seal(line)) => self.seal = Some(line),
                Some(Part::Chunk(chunk)) => {
                    if !chunk.is_whole() {
                        return Err(ReadError::Damaged);
                    }
                    for line in chunk.lines() {
                        let line = line.map_err(|_| ReadError::Damaged)?;
                        self.lines.push_back(serde_json::from_slice(&line).map_err(|_| ReadError::Damaged)?);
                    }
                }
                None => match self.pieces.try_next().await? {
                    Some(bytes) => {
                        self.begun = true;
                        self.splitter.push(&bytes);
                    }
                    None if !self.begun => return Err(ReadError::NotFound),
                    None => return self.splitter.finish().map(|()| None).map_err(|_| ReadError::Damaged),
                },
            }
        }
    }

    /// The seal, once the events are all read and if it is signed by one of these keys.
    #[must_use]
    pub fn seal(&self, keys: &PublicKeys) -> Option<Seal> {
        self.seal.as_deref().and_then(|line| keys.open(Domain::Seal, line).ok())
    }
}

impl std::fmt::Debug for EventReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReader").field("waiting", &self.lines.len()).finish_non_exhaustive()
    }
}

impl Folders {
    /// The events of a session's recording.
    #[must_use]
    pub fn events(&self, session: &SessionId) -> EventReader {
        EventReader::new(self.file(session))
    }

    /// Verifies a session's recording. `live`: it still runs. `checkpoint`: what the last checkpoint says of it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn verify(
        &self,
        session: &SessionId,
        live: bool,
        checkpoint: Option<&RecordingHead>,
        keys: &PublicKeys,
    ) -> object_store::Result<RecordingReport> {
        let mut verification = Verification::new(keys, Some(session.as_str()));
        let mut pieces = Box::pin(self.file(session));
        while let Some(bytes) = pieces.next().await {
            verification.push(&bytes?);
        }
        Ok(verification.finish(live, checkpoint))
    }

    /// Seals, as `interrupted`, the recording of a session that ended with the process that wrote it. A recording
    /// that has its seal is left alone, and the answer is none.
    ///
    /// # Errors
    /// There is none, it does not verify, or the store failed.
    pub async fn resume_interrupted(
        &self,
        session: &SessionId,
        key: &SigningKey,
        clock: &Clock,
    ) -> Result<Option<Sealed>, ReadError> {
        if self.is_sealed(session).await? {
            return Ok(None);
        }
        let report = self.verify(session, true, None, &key.public()).await?;
        if report.chunks == 0 && !report.sealed {
            return Err(ReadError::NotFound);
        }
        if !report.is_sound() {
            return Err(ReadError::NotSound(Box::new(report)));
        }
        let chain = Chain { chunks: report.chunks, events: report.events, head: report.head };
        let seal = Seal {
            v: VERSION,
            session: session.to_string(),
            chunks: chain.chunks,
            events: chain.events,
            lost: 0,
            head: chain.head,
            reason: EndReason::Interrupted.as_str().to_owned(),
            at: instant(clock.wall()),
        };
        self.put_seal(session, Vec::new(), &key.seal(Domain::Seal, &seal)?).await?;
        Ok(Some(Sealed { chain, lost: 0 }))
    }
}
