//! What the client is told at the end, where that still fits.

use crate::client::fatal;
use crate::relay::Bell;
use curfew_adapter::{BootTime, Clock, Goodbye, Notice};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout_at};

/// When the client's connection is closed, told or not. The core's guard shuts it down at two seconds.
const LIMIT: Duration = Duration::from_millis(1900);

/// How long a client that has been told may take to close before we do.
const LINGER: Duration = Duration::from_millis(1500);

/// How long a client must have sent nothing before our side is closed.
const QUIET: Duration = Duration::from_millis(30);

/// The state in which the client's connection was left.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// The last message to it is whole.
    pub between_messages: bool,
    /// Something already written is still on its way out.
    pub unflushed: bool,
}

/// How it went.
#[derive(Debug)]
pub struct Said {
    /// The goodbye.
    pub goodbye: Goodbye,
    /// When the last of what was on its way out can have left; none where nothing was.
    pub flushed_at: Option<BootTime>,
}

/// Tells the client (`sentence`: a SQLSTATE and words), and closes. What it sends meanwhile is read and
/// thrown away, so that no reset destroys what it is told.
pub async fn say<S>(stream: S, left: Left, sentence: Option<(&str, &Notice)>, clock: &Clock) -> Said
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let began = Instant::now();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let heard = AtomicBool::new(false);
    let mut flushed_at = None;
    let mut goodbye = Goodbye::None("the client reads nothing");
    let telling = async {
        if left.unflushed {
            // It is polled when the socket takes more, and only then does more leave.
            let bell = Bell::new();
            let flushing = poll_fn(|cx| {
                if !bell.rang(cx) {
                    return Poll::Pending;
                }
                let now = clock.boot();
                let flushed = Pin::new(&mut writer).poll_flush(&mut bell.context());
                if !matches!(flushed, Poll::Ready(Err(_))) {
                    flushed_at = Some(now);
                }
                flushed
            });
            flushing.await?;
        }
        goodbye = match sentence {
            Some(_) if !left.between_messages => Goodbye::None("a message to the client was half sent"),
            None => Goodbye::None("there was nobody to tell"),
            Some((code, notice)) => {
                let mut out = Vec::new();
                fatal(&mut out, code, notice);
                writer.write_all(&out).await?;
                writer.flush().await?;
                Goodbye::Sent
            }
        };
        // A client in the middle of sending reads what it is told only when it has sent it all.
        loop {
            heard.store(false, Ordering::Relaxed);
            sleep(QUIET).await;
            if !heard.load(Ordering::Relaxed) {
                break;
            }
        }
        writer.shutdown().await?;
        Ok::<_, io::Error>(Instant::now())
    };
    let discarding = async {
        let mut sink = vec![0; 8 * 1024];
        while matches!(reader.read(&mut sink).await, Ok(read) if read > 0) {
            heard.store(true, Ordering::Relaxed);
        }
    };
    let both = async {
        let (mut telling, mut discarding) = (pin!(telling), pin!(discarding));
        let mut silent = false;
        let told = loop {
            tokio::select! {
                told = &mut telling => break told,
                // It may have closed its own side only: it is told all the same.
                () = &mut discarding, if !silent => silent = true,
            }
        };
        if let (Ok(told), false) = (told, silent) {
            let _ = timeout_at(told + LINGER, discarding).await;
        }
    };
    let _ = timeout_at(began + LIMIT, both).await;
    Said { goodbye, flushed_at }
}
