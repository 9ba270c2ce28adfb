//! One direction of one channel: what came in and has not been handed on.

use super::Entry;
use crate::flow::Flow;
use bytes::Bytes;
use russh::{ChannelMsg, ChannelReadHalf, Sig};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The number of standard error among the kinds of extended data (RFC 4254, section 5.2).
pub const STDERR: u32 = 1;

/// One thing that came in.
#[derive(Debug)]
pub enum Item {
    /// Bytes; on standard error where `err`.
    Data { bytes: Bytes, err: bool },
    /// There will be no more bytes.
    Eof,
    /// How the command ended.
    Status(u32),
    /// What ended the command.
    Signal { signal: Sig, core: bool, message: String },
    /// Whether the client may stop the output by itself.
    Xon(bool),
    /// The channel is closed.
    Closed,
}

/// What waits in one direction.
#[derive(Debug)]
pub struct Lane {
    items: Mutex<VecDeque<Item>>,
    some: Notify,
    from: Arc<Flow>,
}

impl Lane {
    /// Takes in what comes on the leg of `from`.
    pub fn new(from: Arc<Flow>) -> Self {
        Self { items: Mutex::default(), some: Notify::new(), from }
    }

    fn put(&self, item: Item) {
        if let Item::Data { bytes, .. } = &item {
            self.from.hold(bytes.len());
        }
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
        self.some.notify_one();
    }

    /// The next thing.
    pub async fn take(&self) -> Item {
        loop {
            let item = self.items.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some(item) = item {
                return item;
            }
            self.some.notified().await;
        }
    }

    /// Bytes that were taken count as held until this is dropped.
    pub fn holding(&self, bytes: usize) -> Holding<'_> {
        Holding { flow: &self.from, bytes }
    }

    /// Takes in until the channel is closed. Never waits for anything else.
    pub async fn intake(&self, mut read: ChannelReadHalf, entry: &Entry, seen: impl Fn(&Item)) {
        while let Some(message) = read.wait().await {
            let item = match message {
                ChannelMsg::Data { data } => Item::Data { bytes: data, err: false },
                ChannelMsg::ExtendedData { data, ext: STDERR } => Item::Data { bytes: data, err: true },
                ChannelMsg::Eof => Item::Eof,
                ChannelMsg::ExitStatus { exit_status } => Item::Status(exit_status),
                ChannelMsg::ExitSignal { signal_name, core_dumped, error_message, .. } => {
                    Item::Signal { signal: signal_name, core: core_dumped, message: error_message }
                }
                ChannelMsg::XonXoff { client_can_do } => Item::Xon(client_can_do),
                ChannelMsg::Close => break,
                ChannelMsg::Success | ChannelMsg::Failure => {
                    entry.answered(matches!(message, ChannelMsg::Success));
                    continue;
                }
                // Requests of the client are answered where they are heard; windows are the library's.
                _ => continue,
            };
            seen(&item);
            self.put(item);
        }
        self.put(Item::Closed);
    }
}

/// Bytes on their way to the other leg.
pub struct Holding<'a> {
    flow: &'a Flow,
    bytes: usize,
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        self.flow.release(self.bytes);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let items = self.items.get_mut().unwrap_or_else(PoisonError::into_inner);
        let left =
            items.iter().map(|item| if let Item::Data { bytes, .. } = item { bytes.len() } else { 0 }).sum();
        self.from.release(left);
    }
}
