//! What is on its way through one leg: how much came from its peer and has not been handed on, and how much was handed
//! to its library and is not encrypted yet.
//!
//! Two rules rest on these counts. Memory: russh re-opens a channel's window as soon as bytes arrive, so what a peer
//! may send is held back here, by granting it next to nothing and by reading its socket in slow steps. The cut: what
//! the library has not encrypted by then must not leave, so little is ever handed to it, and each piece says when it
//! is encrypted.

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a peer may send on a channel before it is granted more (RFC 4254, section 5.2); OpenSSH's own default.
pub const WINDOW: u32 = 2 * 1024 * 1024;

/// The largest packet that a peer may send on a channel.
pub const PACKET: u32 = 32 * 1024;

/// Bytes held of one peer, above which it is granted next to nothing and read slowly.
const HIGH: usize = 1024 * 1024;

/// Bytes held of one peer, below which its reading goes on at once.
const LOW: usize = 512 * 1024;

/// Bytes held of one peer, above which it is not read at all: many channels at once, each with its first window.
const FULL: usize = 16 * 1024 * 1024;

/// The window of a peer of which too much is held. Not nothing: russh asks how much to grant only where it grants.
const TRICKLE: u32 = 2;

/// How fast a peer may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it sends.
    Free,
    /// In steps: enough to hear it grant windows for the other direction, which must not be held up.
    Slow,
    /// Not at all.
    Stopped,
}

/// What is left of the writing side of a leg's socket.
#[derive(Debug, Default)]
pub struct Out {
    /// Encrypted bytes that the socket did not take; 0 while it takes what it gets.
    pub blocked: usize,
    /// How many more bytes may leave, once the leg is frozen.
    pub left: Option<usize>,
    /// When the socket last took something.
    pub wrote_at: Option<Instant>,
    /// Everything was written, and our side closed.
    pub closed: bool,
}

/// The counts of one leg.
#[derive(Debug, Default)]
pub struct Flow {
    held: AtomicUsize,
    discarding: AtomicBool,
    reader: AtomicWaker,
    unsealed: AtomicUsize,
    sealed: Notify,
    drained: Notify,
    closed: Notify,
    out: Mutex<Out>,
    program: OnceLock<String>,
}

impl Flow {
    /// `bytes` came from the peer.
    pub fn hold(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// `bytes` that came from the peer have been handed on.
    pub fn release(&self, bytes: usize) {
        let before = self.held.fetch_sub(bytes, Ordering::Relaxed);
        if before >= LOW && before.saturating_sub(bytes) < LOW {
            self.reader.wake();
        }
    }

    /// How fast the peer may be read.
    pub fn pace(&self) -> Pace {
        match self.held.load(Ordering::Relaxed) {
            _ if self.discarding.load(Ordering::Relaxed) => Pace::Free,
            held if held >= FULL => Pace::Stopped,
            held if held >= HIGH => Pace::Slow,
            _ => Pace::Free,
        }
    }

    /// The window to grant the peer from now on.
    pub fn window(&self) -> u32 {
        if self.pace() == Pace::Free { WINDOW } else { TRICKLE }
    }

    /// Wakes `waker` when reading may go on.
    pub fn wake_reader(&self, waker: &Waker) {
        self.reader.register(waker);
    }

    /// From now on what the peer sends is thrown away, and nothing holds back its reading.
    pub fn discard(&self) {
        self.discarding.store(true, Ordering::Relaxed);
        self.reader.wake();
    }

    /// A piece to hand to the leg's library, counted until it is encrypted.
    pub fn piece(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        self.unsealed.fetch_add(bytes.len(), Ordering::Relaxed);
        Bytes::from_owner(Piece { bytes, flow: self.clone() })
    }

    /// Whether something is handed to the library and not encrypted.
    pub fn is_unsealed(&self) -> bool {
        self.unsealed.load(Ordering::Relaxed) > 0
    }

    /// Waits until everything handed to the library is encrypted.
    pub async fn sealed(&self) {
        loop {
            let sealed = self.sealed.notified();
            if !self.is_unsealed() {
                return;
            }
            sealed.await;
        }
    }

    /// Lets no byte leave any more, save those that were encrypted and did not fit into the socket.
    pub fn freeze(&self) {
        let mut out = self.out();
        if out.left.is_none() {
            out.left = Some(out.blocked);
        }
    }

    /// Whether the socket does not take what is written.
    pub fn is_blocked(&self) -> bool {
        self.out().blocked > 0
    }

    /// Waits until the socket takes what is written. What is handed to the library before that could not be encrypted,
    /// and would stand in the way of the goodbye.
    pub async fn clear(&self) {
        loop {
            let drained = self.drained.notified();
            if !self.is_blocked() {
                return;
            }
            drained.await;
        }
    }

    /// `written` of `offered` encrypted bytes were taken by the socket.
    pub fn wrote(&self, offered: usize, written: usize) {
        let mut out = self.out();
        let before = std::mem::replace(&mut out.blocked, offered.saturating_sub(written));
        out.left = out.left.map(|left| left.saturating_sub(written));
        if written > 0 {
            out.wrote_at = Some(Instant::now());
        }
        if before > 0 && out.blocked == 0 {
            self.drained.notify_waiters();
        }
    }

    /// How long ago the socket last took something.
    pub fn silent_for(&self) -> Option<Duration> {
        self.out().wrote_at.map(|at| at.elapsed())
    }

    /// The writing side.
    pub fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything was written, and our side is closed.
    pub fn close(&self) {
        self.out().closed = true;
        self.closed.notify_waiters();
    }

    /// Waits until everything is written and our side is closed.
    pub async fn closed(&self) {
        loop {
            let closed = self.closed.notified();
            if self.out().closed {
                return;
            }
            closed.await;
        }
    }

    /// The program that the peer says it is.
    pub fn program(&self) -> &str {
        self.program.get().map_or("ssh", String::as_str)
    }

    /// Reads the peer's program out of its first line (RFC 4253, section 4.2).
    pub fn heard(&self, first: &[u8]) {
        self.program.get_or_init(|| {
            let line: Vec<u8> =
                first.iter().copied().take_while(|byte| !matches!(byte, b' ' | b'\r' | b'\n')).collect();
            let software = line.strip_prefix(b"SSH-2.0-").unwrap_or_default();
            let shown: String =
                software.iter().take(64).filter(|b| b.is_ascii_graphic()).map(|b| char::from(*b)).collect();
            if shown.is_empty() { "ssh".to_owned() } else { shown }
        });
    }
}

/// Bytes in the library's hands: dropped once they are encrypted.
struct Piece {
    bytes: Bytes,
    flow: Arc<Flow>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let before = self.flow.unsealed.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        if before == self.bytes.len() {
            self.flow.sealed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_read_slowly_above_the_mark_and_not_at_all_far_above() {
        let flow = Flow::default();
        assert_eq!((flow.pace(), flow.window()), (Pace::Free, WINDOW));
        flow.hold(HIGH);
        assert_eq!((flow.pace(), flow.window()), (Pace::Slow, TRICKLE));
        flow.hold(FULL);
        assert_eq!(flow.pace(), Pace::Stopped);
        flow.release(FULL + 1);
        assert_eq!(flow.pace(), Pace::Free);
        flow.hold(FULL);
        flow.discard();
        assert_eq!(flow.pace(), Pace::Free);
    }

    #[test]
    fn a_piece_counts_until_its_last_slice_is_gone() {
        let flow = Arc::new(Flow::default());
        let mut piece = flow.piece(Bytes::from_static(b"abc"));
        let slice = piece.split_to(1);
        drop(piece);
        assert!(flow.is_unsealed());
        drop(slice);
        assert!(!flow.is_unsealed());
    }

    #[test]
    fn a_frozen_leg_lets_out_what_was_encrypted_and_no_more() {
        let flow = Flow::default();
        flow.out().blocked = 7;
        flow.freeze();
        flow.out().blocked = 100;
        flow.freeze();
        assert_eq!(flow.out().left, Some(7));
    }

    #[test]
    fn a_program_is_what_its_first_line_says() {
        let program = |first: &[u8]| {
            let flow = Flow::default();
            flow.heard(first);
            flow.program().to_owned()
        };
        assert_eq!(program(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), "OpenSSH_9.2p1");
        assert_eq!(program(b"SSH-2.0-\x1b[2J\r\n"), "[2J");
        assert_eq!(program(b"GET / HTTP/1.1\r\n"), "ssh");
    }
}
