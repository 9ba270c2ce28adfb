//! The two directions: requests are judged and remembered, answers are matched with them and recorded.

use super::files::{File, Use};
use super::request::{self, Operation};
use super::scan::{Side, Verdict};
use super::state::{Pending, Resize, State};
use super::wire::{self, Malformed, Parts};
use super::{Outlet, SftpFault};
use bytes::Bytes;
use curfew_adapter::{Event, Hex, RecordError};

/// The longest text of a target's that is recorded, in bytes.
const MAX_TEXT: usize = 1024;

/// From the client to the target.
pub struct Requests<'a, O> {
    /// The channel.
    pub state: &'a mut State,
    /// Where things go.
    pub out: &'a mut O,
}

/// From the target to the client.
pub struct Answers<'a, O> {
    /// The channel.
    pub state: &'a mut State,
    /// Where things go.
    pub out: &'a mut O,
}

const fn client(malformed: Malformed) -> SftpFault {
    SftpFault::Client(malformed.0)
}

const fn target(malformed: Malformed) -> SftpFault {
    SftpFault::Target(malformed.0)
}

impl<O: Outlet> Side for Requests<'_, O> {
    type Fault = SftpFault;

    fn ready(&self) -> bool {
        self.state.has_room()
    }

    fn head(&self, packet: &[u8]) -> Result<usize, SftpFault> {
        wire::request_head(packet).map_err(client)
    }

    fn packet(&mut self, head: &[u8], total: usize) -> Result<Verdict, SftpFault> {
        let state = &mut *self.state;
        if head.get(4) == Some(&wire::INIT) {
            if std::mem::replace(&mut state.begun, true) {
                return Err(SftpFault::Client("a second INIT"));
            }
            let version = head.get(5..).unwrap_or_default().number().map_err(client)?;
            // A target that agreed to more would lay packets out in another way than they are read here.
            return Ok(match version {
                ..=wire::VERSION => Verdict::Forward,
                _ => Verdict::Replace(wire::init(wire::VERSION)),
            });
        }
        if !state.begun {
            return Err(SftpFault::Client("a request before INIT"));
        }
        let request = request::parse(head).map_err(client)?;
        if state.is_pending(request.id) {
            return Err(SftpFault::Client("a request with the id of one that has no answer yet"));
        }
        let contents = total - head.len();
        if let request::Asked::Write { length, .. } = request.asked
            && length as usize != contents
        {
            return Err(SftpFault::Client("a WRITE of another length than its contents"));
        }
        state.writing = None;
        match state.admit(request.asked) {
            Ok(pending) => {
                state.remember(request.id, pending);
                Ok(if state.writing.is_some() { Verdict::Contents } else { Verdict::Forward })
            }
            Err(refusal) => {
                wire::status(&mut state.waiting, request.id, refusal.code, refusal.message);
                if let Some(operation) = refusal.operation {
                    let event = Event::File {
                        ch: state.ch,
                        op: operation.op,
                        path: &operation.path,
                        to: operation.to.as_deref(),
                        bytes: 0,
                        sha256: None,
                        error: Some(refusal.message),
                    };
                    self.out.record(&event)?;
                }
                Ok(Verdict::Drop)
            }
        }
    }

    fn contents(&mut self, piece: &[u8]) {
        if let Some(file) = self.state.writing.and_then(|file| self.state.files.file(file)) {
            file.put.feed(piece);
        }
    }

    fn forward(&mut self, bytes: Bytes) {
        self.out.to_target(bytes);
    }
}

impl<O: Outlet> Side for Answers<'_, O> {
    type Fault = SftpFault;

    fn interjects(&self) -> bool {
        self.state.greeted && !self.state.waiting.is_empty()
    }

    fn interject(&mut self) {
        self.out.to_client(self.state.waiting.split().freeze());
    }

    fn head(&self, packet: &[u8]) -> Result<usize, SftpFault> {
        wire::answer_head(packet).map_err(target)
    }

    fn packet(&mut self, head: &[u8], total: usize) -> Result<Verdict, SftpFault> {
        let mut parts = head.get(4..).unwrap_or_default();
        let kind = parts.byte().map_err(target)?;
        let id = parts.number().map_err(target)?;
        if kind == wire::VERSION_IS {
            return self.version(id);
        }
        if !self.state.greeted {
            return Err(SftpFault::Target("an answer before VERSION"));
        }
        let pending = self.state.answered(id).ok_or(SftpFault::Target("an answer to no request"))?;
        match kind {
            wire::STATUS => self.status(pending, parts)?,
            wire::HANDLE => self.handle(pending, parts)?,
            wire::DATA => return self.data(&pending, parts, total - head.len()),
            wire::ATTRS => self.attributes(pending, parts)?,
            _ => self.other(pending)?,
        }
        Ok(Verdict::Forward)
    }

    fn contents(&mut self, piece: &[u8]) {
        if let Some(file) = self.state.reading.and_then(|file| self.state.files.file(file)) {
            file.got.feed(piece);
        }
    }

    fn forward(&mut self, bytes: Bytes) {
        self.out.to_client(bytes);
    }
}

const MISMATCH: SftpFault = SftpFault::Target("an answer of another kind than its request");

impl<O: Outlet> Answers<'_, O> {
    fn version(&mut self, version: u32) -> Result<Verdict, SftpFault> {
        if !self.state.begun || std::mem::replace(&mut self.state.greeted, true) {
            return Err(SftpFault::Target("a VERSION that was not asked for"));
        }
        if version > wire::VERSION {
            return Err(SftpFault::Target("a later version of SFTP than it was asked for"));
        }
        Ok(Verdict::Forward)
    }

    fn status(&mut self, pending: Pending, mut parts: &[u8]) -> Result<(), SftpFault> {
        let code = parts.number().map_err(target)?;
        // Versions before 3 have no text, and some servers still leave it out.
        let message = if parts.is_empty() { &[][..] } else { parts.string().map_err(target)? };
        let text = text(code, message);
        let error = (code != wire::OK).then_some(&*text);
        match pending {
            Pending::Pass | Pending::Stat(_) | Pending::Fstat { .. } => {}
            Pending::Read { file, offset } => {
                if let Some(file) = self.state.files.file(file) {
                    match (code, error) {
                        (wire::EOF, _) => file.met_end(offset),
                        (_, Some(error)) => file.failed(error),
                        (_, None) => return Err(MISMATCH),
                    }
                }
            }
            Pending::Write { file, length } => {
                if let Some(file) = self.state.files.file(file) {
                    match error {
                        None => file.put.bytes = file.put.bytes.saturating_add(u64::from(length)),
                        Some(error) => {
                            file.failed(error);
                            file.put.spoil();
                        }
                    }
                }
            }
            Pending::Open(opening) => {
                let (path, usage) = *opening;
                self.operation(usage.op(), &path, None, 0, Some(error.ok_or(MISMATCH)?))?;
            }
            Pending::Close { file } => {
                if let Some(mut file) = self.state.files.closed(file) {
                    if let Some(error) = error {
                        file.failed(error);
                    }
                    self.transfers(file)?;
                }
            }
            Pending::Change(change) => {
                let (operation, resized) = *change;
                if let (Some(Resize { file, size, written }), None) = (resized, error)
                    && let Some(file) = self.state.files.file(file)
                {
                    file.resized(size, written);
                }
                self.operation(
                    operation.op,
                    &operation.path,
                    operation.to.as_deref(),
                    operation.bytes,
                    error,
                )?;
            }
        }
        Ok(())
    }

    fn handle(&mut self, pending: Pending, mut parts: &[u8]) -> Result<(), SftpFault> {
        let handle = parts.handle().map_err(target)?;
        let Pending::Open(opening) = pending else {
            return self.other(pending);
        };
        let (path, usage) = *opening;
        if usage == Use::Directory {
            self.operation(usage.op(), &path, None, 0, None)?;
        }
        self.state.files.opened(handle, path, usage).map_err(target)
    }

    fn data(&mut self, pending: &Pending, mut parts: &[u8], contents: usize) -> Result<Verdict, SftpFault> {
        let &Pending::Read { file: id, offset } = pending else {
            return Err(MISMATCH);
        };
        if parts.number().map_err(target)? as usize != contents {
            return Err(SftpFault::Target("a DATA of another length than its contents"));
        }
        let file = self.state.files.file(id);
        self.state.reading = file.and_then(|file| {
            file.got.bytes = file.got.bytes.saturating_add(contents as u64);
            file.got.goes_on(offset).then_some(id)
        });
        Ok(if self.state.reading.is_some() { Verdict::Contents } else { Verdict::Forward })
    }

    fn attributes(&mut self, pending: Pending, mut parts: &[u8]) -> Result<(), SftpFault> {
        let flags = parts.number().map_err(target)?;
        let size = if flags & wire::ATTR_SIZE == 0 { None } else { Some(parts.large().map_err(target)?) };
        match (pending, size) {
            (Pending::Stat(path), Some(size)) => self.state.files.told(path, size),
            (Pending::Fstat { file }, Some(size)) => {
                if let Some(file) = self.state.files.file(file) {
                    file.size = Some(size);
                }
            }
            (pending, _) => self.other(pending)?,
        }
        Ok(())
    }

    /// Any other answer is fine where nothing depends on it.
    fn other(&mut self, pending: Pending) -> Result<(), SftpFault> {
        match pending {
            Pending::Pass | Pending::Stat(_) | Pending::Fstat { .. } => Ok(()),
            Pending::Change(change) if change.0.op == "extended" => {
                let operation = change.0;
                self.operation(operation.op, &operation.path, None, 0, None).map_err(SftpFault::from)
            }
            _ => Err(MISMATCH),
        }
    }

    fn operation(
        &mut self,
        op: &str,
        path: &str,
        to: Option<&str>,
        bytes: u64,
        error: Option<&str>,
    ) -> Result<(), RecordError> {
        let ch = self.state.ch;
        self.out.record(&Event::File { ch, op, path, to, bytes, sha256: None, error })
    }

    fn transfers(&mut self, mut file: File) -> Result<(), RecordError> {
        for (op, bytes, hash) in file.finish() {
            let sha256 = hash.as_ref().map(|hash| Hex(hash.as_ref()));
            let (ch, path, error) = (self.state.ch, &*file.path, file.error.as_deref());
            self.out.record(&Event::File { ch, op, path, to: None, bytes, sha256, error })?;
        }
        Ok(())
    }

    /// Records what was begun and never came to its end.
    pub fn finish(&mut self) -> Result<(), RecordError> {
        const UNANSWERED: &str = "the channel ended before the target answered";
        const NOT_CLOSED: &str = "the channel ended before the file was closed";
        for pending in self.state.unanswered() {
            match pending {
                Pending::Open(opening) => {
                    self.operation(opening.1.op(), &opening.0, None, 0, Some(UNANSWERED))?;
                }
                Pending::Change(change) => {
                    let Operation { op, path, to, bytes } = &change.0;
                    self.operation(op, path, to.as_deref(), *bytes, Some(UNANSWERED))?;
                }
                _ => {}
            }
        }
        for mut file in self.state.files.all() {
            file.failed(NOT_CLOSED);
            self.transfers(file)?;
        }
        Ok(())
    }
}

/// What a target answered, as text that may be recorded.
fn text(code: u32, message: &[u8]) -> String {
    let message = String::from_utf8_lossy(message.get(..message.len().min(MAX_TEXT)).unwrap_or_default());
    match message.trim() {
        "" => wire::meaning(code).to_owned(),
        message => message.to_owned(),
    }
}
