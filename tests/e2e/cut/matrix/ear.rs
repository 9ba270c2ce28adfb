//! A client's ear: it reads all that comes, keeps where one message ends and the next begins, and the newest time that was
//! said to it. It never keeps what it heard.

use std::time::Duration;

use curfew_harness::wire::{self, Message};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use crate::matrix::stamps::Newest;
use crate::world::LIMIT;

/// How much of a message is kept: all of a goodbye, and the beginning of a row.
const KEPT: usize = 4096;

/// A message's type and its length.
const HEAD: usize = 5;

/// What was heard so far.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Bytes, above TLS.
    pub bytes: u64,
    /// Whole messages, without notices and reports of parameters.
    pub messages: usize,
    /// The last of them, up to [`KEPT`].
    pub last: Option<Message>,
    /// The type of the message that it is in the middle of.
    pub within: Option<u8>,
    /// The last bytes as they came.
    pub tail: Vec<u8>,
    /// Nothing more comes.
    pub over: bool,
}

/// The ear itself, which many may ask while it listens.
#[derive(Debug, Default)]
pub struct Ear {
    heard: watch::Sender<Heard>,
    /// The newest time in a row of COPY, or in a notification.
    pub newest: Newest,
}

impl Ear {
    /// Hears everything up to the end.
    pub async fn listen(&self, mut from: wire::From) {
        let mut frames = Frames::default();
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut bytes).await {
            self.hear(&mut frames, &bytes[..read]);
        }
        self.heard.send_modify(|heard| heard.over = true);
    }

    fn hear(&self, frames: &mut Frames, bytes: &[u8]) {
        let (mut messages, mut last) = (0, None);
        frames.eat(bytes, |tag, body| {
            match tag {
                b'd' => self.newest.note_micros(number(body)),
                // The process, the channel, and what was said (Postgres manual, 55.7).
                b'A' => self.newest.note_micros(body[4..].split(|byte| *byte == 0).nth(1).map_or(0, number)),
                _ => {}
            }
            if !matches!(tag, b'N' | b'S') {
                messages += 1;
                last = Some(Message { tag, body: body.to_owned() });
            }
        });
        self.heard.send_modify(|heard| {
            heard.bytes += bytes.len() as u64;
            heard.messages += messages;
            heard.last = last.or(heard.last.take());
            heard.within = frames.head.first().copied();
            heard.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(KEPT)..]);
            heard.tail.drain(..heard.tail.len().saturating_sub(KEPT));
        });
    }

    /// What was heard by now.
    pub fn heard(&self) -> Heard {
        self.heard.borrow().clone()
    }

    /// Waits until this is true of what was heard.
    pub async fn until(&self, what: &str, is: impl Fn(&Heard) -> bool) {
        let mut heard = self.heard.subscribe();
        let waiting = tokio::time::timeout(LIMIT, heard.wait_for(|heard| heard.over || is(heard))).await;
        let heard =
            waiting.unwrap_or_else(|_| panic!("{what}: waited in vain after {:?}", self.heard())).unwrap();
        assert!(is(&heard), "{what}: it is over, after {heard:?}");
    }

    /// Waits for the end.
    pub async fn over(&self, what: &str) {
        let mut heard = self.heard.subscribe();
        let waiting =
            tokio::time::timeout(LIMIT + Duration::from_secs(10), heard.wait_for(|heard| heard.over)).await;
        waiting.unwrap_or_else(|_| panic!("{what}: the client is not closed")).unwrap();
    }
}

/// The number that a text begins with.
fn number(text: &[u8]) -> i64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[..digits]).unwrap().parse().unwrap_or_default()
}

/// The frames of a backend's stream, however they come in pieces.
#[derive(Debug, Default)]
struct Frames {
    /// Of the message that it is in: as much of its head as there is.
    head: Vec<u8>,
    body: Vec<u8>,
    left: usize,
}

impl Frames {
    fn eat(&mut self, mut bytes: &[u8], mut message: impl FnMut(u8, &[u8])) {
        while !bytes.is_empty() {
            if self.head.len() < HEAD {
                let (now, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
                self.head.extend_from_slice(now);
                bytes = rest;
                if self.head.len() < HEAD {
                    return;
                }
                let length = u32::from_be_bytes(self.head[1..].try_into().unwrap());
                self.left = length as usize - 4;
            }
            let (now, rest) = bytes.split_at(bytes.len().min(self.left));
            self.left -= now.len();
            bytes = rest;
            let room = KEPT.saturating_sub(self.body.len());
            self.body.extend_from_slice(&now[..now.len().min(room)]);
            if self.left == 0 {
                message(self.head[0], &self.body);
                self.head.clear();
                self.body.clear();
            }
        }
    }
}
