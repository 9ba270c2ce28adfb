//! Cuts one direction of a channel into packets as bytes pass, and hands them on as they came.
//!
//! Owns what is held back: the head of the packet that is being received, and nothing else. Whole runs of packets are
//! handed on in one piece, by reference.

use super::wire;
use bytes::{Buf, Bytes};

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Forward,
    /// It goes on; what follows its head is contents, to be shown to [`Side::contents`].
    Contents,
    /// It does not go on.
    Drop,
    /// This goes on in its stead; its head was all of it.
    Replace(Bytes),
}

/// One direction: who judges its packets, and where they go.
pub trait Side {
    /// What ends a channel.
    type Fault;

    /// Whether the next packet may be looked at. Called where one ended.
    fn ready(&self) -> bool {
        true
    }

    /// Whether something is to be handed on between two packets.
    fn interjects(&self) -> bool {
        false
    }

    /// Hands it on.
    fn interject(&mut self) {}

    /// How much of a packet is its head.
    fn head(&self, packet: &[u8]) -> Result<usize, Self::Fault>;

    /// Judges a packet by its head; it is `total` bytes long.
    fn packet(&mut self, head: &[u8], total: usize) -> Result<Verdict, Self::Fault>;

    /// Sees contents as they pass.
    fn contents(&mut self, piece: &[u8]);

    /// Takes what goes on.
    fn forward(&mut self, bytes: Bytes);
}

/// What follows a head that was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Forward,
    Contents,
    Drop,
}

/// Where a direction stands.
#[derive(Debug)]
pub struct Scanner {
    /// The beginning of a packet whose head is not whole.
    held: Vec<u8>,
    /// What is to come of a packet that was judged.
    left: usize,
    rest: Rest,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { held: Vec::new(), left: 0, rest: Rest::Forward }
    }
}

impl Scanner {
    /// Whether nothing of a packet was handed on without the rest of it.
    pub const fn between_packets(&self) -> bool {
        self.left == 0 || matches!(self.rest, Rest::Drop)
    }

    /// Whether a packet is only half there.
    pub const fn in_packet(&self) -> bool {
        self.left > 0 || !self.held.is_empty()
    }

    /// Takes `input` in. What is left of it is to be given again once the side is ready for it.
    ///
    /// # Errors
    /// The side's: nothing must be handed on from then on.
    pub fn take<S: Side>(&mut self, input: &mut Bytes, side: &mut S) -> Result<(), S::Fault> {
        // The first bytes of `input` that go on, and were not handed on yet.
        let mut run = 0;
        while input.len() > run {
            let fresh = input.get(run..).unwrap_or_default();
            if self.left > 0 {
                let count = self.left.min(fresh.len());
                self.left -= count;
                match self.rest {
                    Rest::Forward => run += count,
                    Rest::Contents => {
                        side.contents(fresh.get(..count).unwrap_or_default());
                        run += count;
                    }
                    Rest::Drop => {
                        hand_on(input, &mut run, side);
                        input.advance(count);
                    }
                }
                continue;
            }
            if self.held.is_empty() {
                if side.interjects() {
                    hand_on(input, &mut run, side);
                    side.interject();
                    continue;
                }
                if !side.ready() {
                    break;
                }
            } else {
                let missing = side.head(&self.held)?.saturating_sub(self.held.len()).min(fresh.len());
                self.held.extend_from_slice(fresh.get(..missing).unwrap_or_default());
                input.advance(missing);
                // The length of the head may be known only now.
                if self.held.len() >= side.head(&self.held)? {
                    let held = Bytes::from(std::mem::take(&mut self.held));
                    match self.judge(&held, side)? {
                        Verdict::Forward | Verdict::Contents => side.forward(held),
                        Verdict::Replace(other) => side.forward(other),
                        Verdict::Drop => {}
                    }
                }
                continue;
            }
            match whole_head(fresh, side)? {
                Some(head) => {
                    let head = fresh.get(..head).unwrap_or_default();
                    let length = head.len();
                    match self.judge(head, side)? {
                        Verdict::Forward | Verdict::Contents => run += length,
                        verdict => {
                            hand_on(input, &mut run, side);
                            input.advance(length);
                            if let Verdict::Replace(other) = verdict {
                                side.forward(other);
                            }
                        }
                    }
                }
                None => {
                    self.held.extend_from_slice(fresh);
                    let kept = input.len() - fresh.len();
                    input.truncate(kept);
                }
            }
        }
        hand_on(input, &mut run, side);
        Ok(())
    }

    fn judge<S: Side>(&mut self, head: &[u8], side: &mut S) -> Result<Verdict, S::Fault> {
        let total = wire::total(head).ok().flatten().unwrap_or(head.len());
        let verdict = side.packet(head, total)?;
        self.left = total.saturating_sub(head.len());
        self.rest = match verdict {
            Verdict::Forward => Rest::Forward,
            Verdict::Contents => Rest::Contents,
            Verdict::Drop | Verdict::Replace(_) => Rest::Drop,
        };
        Ok(verdict)
    }
}

/// The length of the head that `packet` begins with, once it is whole.
fn whole_head<S: Side>(packet: &[u8], side: &S) -> Result<Option<usize>, S::Fault> {
    // The length of a head may be known only from its own first bytes, so it is asked for again once those are there.
    let mut head = side.head(packet.get(..packet.len().min(wire::HEAD)).unwrap_or_default())?;
    while head <= packet.len() {
        let again = side.head(packet.get(..head).unwrap_or_default())?;
        if again == head {
            return Ok(Some(head));
        }
        head = again;
    }
    Ok(None)
}

/// Hands on the first `run` bytes.
fn hand_on<S: Side>(input: &mut Bytes, run: &mut usize, side: &mut S) {
    if *run > 0 {
        side.forward(input.split_to(*run));
        *run = 0;
    }
}
