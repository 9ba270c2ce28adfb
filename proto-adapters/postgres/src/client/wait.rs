//! A client that waits: it is told things, and noticed when it leaves.

use super::{Sentence, fatal};
use crate::codec::{backend, frame, frontend, report::Report};
use crate::stream::Stream;
use curfew_adapter::{Notice, Progress, StartupClock, Step};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

/// What a client may say before its session begins. Clients wait their turn; a few bytes are kept.
const PENDING: usize = 8 * 1024;

/// How long a client may take to read what it is told before its session begins.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a refusal may take to arrive before the connection is closed.
const LINGER: Duration = Duration::from_secs(1);

/// Why a client is waited for no more.
#[derive(Debug)]
pub enum Left {
    /// It went away.
    Gone,
    /// It talks out of turn.
    Flood,
}

/// A client whose session has not begun.
#[derive(Debug)]
pub struct Client {
    /// The connection.
    pub stream: Stream,
    /// What it said out of turn.
    pub pending: Vec<u8>,
    /// What is to be sent before anything else is.
    pub unsent: Vec<u8>,
    authenticated: bool,
    shows: bool,
}

impl Client {
    /// A client that has said `pending` behind its startup message; `shows` where it can wait.
    pub fn new(stream: Stream, pending: Vec<u8>, shows: bool) -> Self {
        Self { stream, pending, unsent: Vec::new(), authenticated: false, shows }
    }

    /// Goes on until `progress` is done, tells the client what there is to tell, and notices if it leaves.
    ///
    /// # Errors
    /// The client left, or (within) is refused.
    pub async fn follow<T>(
        &mut self,
        progress: &mut Progress<T>,
        startup: &StartupClock,
    ) -> Result<Result<T, Sentence>, Left> {
        let outcome = loop {
            match self.watch(progress.next()).await? {
                Step::Done(value) => break Ok(value),
                Step::Refused(refusal) => break Err(refusal.into()),
                Step::Show(notice) if self.shows => {
                    // A person is waited for.
                    startup.pause();
                    self.show(&notice).await.map_err(|_| Left::Gone)?;
                }
                // Its user can't be asked, and `Ask::can_answer` said so: dropped, a question has no answer.
                Step::Show(_) | Step::Ask(_) => {}
            }
        };
        startup.resume();
        Ok(outcome)
    }

    /// Whether it shows what it is told before its session begins.
    pub const fn shows(&mut self, shows: bool) {
        self.shows = shows;
    }

    /// Appends AuthenticationOk to what is to be sent, once.
    pub fn authenticated(&mut self) {
        if !std::mem::replace(&mut self.authenticated, true) {
            backend::authentication_ok(&mut self.unsent);
        }
    }

    /// libpq shows notices once it is past authentication, so that comes first.
    async fn show(&mut self, notice: &Notice) -> io::Result<()> {
        self.authenticated();
        let Notice { message, detail, hint } = notice;
        Report { severity: "NOTICE", code: "00000", message, detail, hint }.notice(&mut self.unsent);
        self.send().await
    }

    /// Sends what there is to send.
    ///
    /// # Errors
    /// Where the client does not take it.
    pub async fn send(&mut self) -> io::Result<()> {
        let unsent = std::mem::take(&mut self.unsent);
        let sending = async {
            self.stream.write_all(&unsent).await?;
            self.stream.flush().await
        };
        tokio::time::timeout(PATIENCE, sending).await.map_err(io::Error::from)?
    }

    /// The body of the next message, which answers a question about who it is: at most so many bytes.
    ///
    /// # Errors
    /// The client left, or says something else.
    pub async fn password(&mut self, longest: usize) -> Result<Vec<u8>, Left> {
        loop {
            match frame::whole(&self.pending, longest) {
                Ok(Some((frontend::PASSWORD, body, taken))) => {
                    let body = body.to_vec();
                    self.pending.drain(..taken);
                    return Ok(body);
                }
                Ok(Some((frontend::TERMINATE, ..))) => return Err(Left::Gone),
                Ok(Some(_)) | Err(_) => return Err(Left::Flood),
                Ok(None) => {}
            }
            let mut chunk = [0; 512];
            match self.stream.read(&mut chunk).await {
                Ok(read) if read > 0 => {
                    self.pending.extend_from_slice(chunk.get(..read).unwrap_or_default());
                }
                _ => return Err(Left::Gone),
            }
        }
    }

    /// Waits for `work` while the client stays.
    ///
    /// # Errors
    /// The client left.
    pub async fn watch<F: Future>(&mut self, work: F) -> Result<F::Output, Left> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.poll_left(cx).map(Err),
        })
        .await
    }

    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<Left> {
        loop {
            if self.pending.first() == Some(&frontend::TERMINATE) {
                return Poll::Ready(Left::Gone);
            }
            if self.pending.len() >= PENDING {
                return Poll::Ready(Left::Flood);
            }
            let mut chunk = [0; 512];
            let mut chunk = ReadBuf::new(&mut chunk);
            match Pin::new(&mut self.stream).poll_read(cx, &mut chunk) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !chunk.filled().is_empty() => {
                    self.pending.extend_from_slice(chunk.filled());
                }
                Poll::Ready(_) => return Poll::Ready(Left::Gone),
            }
        }
    }

    /// Says no, and closes. A client that shows notices hears it past authentication: before, libpq would
    /// try again in the clear (sslmode=prefer), and show what came of that. Input is read and thrown away meanwhile, so that no reset destroys the words.
    pub async fn refuse(mut self, sentence: &Sentence) {
        if self.shows {
            self.authenticated();
        }
        fatal(&mut self.unsent, sentence.code, &sentence.notice);
        if self.send().await.is_ok() {
            close(&mut self.stream, LINGER).await;
        }
    }
}

/// Closes a stream in good order: our side first, then whatever the peer still says is thrown away.
pub async fn close<S>(stream: &mut S, linger: Duration)
where
    S: AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let closing = async {
        if stream.shutdown().await.is_ok() {
            let mut sink = [0; 2048];
            while matches!(stream.read(&mut sink).await, Ok(read) if read > 0) {}
        }
    };
    let _ = tokio::time::timeout(linger, closing).await;
}
