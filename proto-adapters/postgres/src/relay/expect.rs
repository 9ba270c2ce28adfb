//! The answers that the target owes, in order: how a result finds its own statement.

use super::names::{Portal, Prepared, Shape};
use curfew_adapter::BootTime;
use std::collections::VecDeque;
use std::sync::Arc;

/// Answers owed at once, at most. A client that sends more is read no further until some have come. It
/// can't lock up: a server flushes its answers whenever 8 KiB of them are there (`PQ_SEND_BUFFER_SIZE`),
/// and the shortest takes 5 bytes.
const PIPELINE: usize = 4096;

/// A statement that was forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub n: u64,
    /// When.
    pub at: BootTime,
}

/// An answer that the target owes. What was noted when the message was forwarded is undone where the
/// target refuses or skips it, so that a name never stands for something that did not happen.
#[derive(Debug)]
pub enum Expect {
    /// To a Query: results, then ReadyForQuery.
    Query(Sent),
    /// To a FunctionCall: a result, then ReadyForQuery.
    Function(Sent),
    /// To a Parse, with what its name stood for before.
    Parse(Box<[u8]>, Option<Arc<Prepared>>),
    /// To a Bind, with what its portal stood for before.
    Bind(Box<[u8]>, Option<Portal>),
    /// To the Describe of a statement.
    DescribeStatement(Option<Arc<Prepared>>),
    /// To the Describe of a portal, with what its rows are made of.
    DescribePortal(Option<Arc<Shape>>),
    /// To an Execute, with what its rows are made of.
    Execute(Sent, Option<Arc<Shape>>),
    /// To the Close of a statement, with what it stood for.
    CloseStatement(Box<[u8]>, Option<Arc<Prepared>>),
    /// To the Close of a portal, with what it stood for.
    ClosePortal(Box<[u8]>, Option<Portal>),
    /// To a Sync: ReadyForQuery.
    Sync,
    /// No answer: marks where the client ended a COPY.
    CopyEnd,
}

/// The answers that are owed.
#[derive(Debug, Default)]
pub struct Expected(VecDeque<Expect>);

impl Expected {
    /// Whether no more can be remembered now.
    pub fn is_full(&self) -> bool {
        self.0.len() >= PIPELINE
    }

    /// One more is owed.
    pub fn push(&mut self, expect: Expect) {
        self.0.push_back(expect);
    }

    /// The next one.
    pub fn front(&mut self) -> Option<&Expect> {
        while matches!(self.0.front(), Some(Expect::CopyEnd)) {
            self.0.pop_front();
        }
        self.0.front()
    }

    /// Takes the next one, if it is what `is` says.
    pub fn pop_if(&mut self, is: impl FnOnce(&Expect) -> bool) -> Option<Expect> {
        if !self.front().is_some_and(is) {
            return None;
        }
        let taken = self.0.pop_front();
        if self.0.is_empty() && self.0.capacity() > 64 {
            self.0 = VecDeque::new();
        }
        taken
    }

    /// In a COPY from the client, Syncs are ignored until it ends it (`ReceiveCopyData` in
    /// copyfromparse.c): those that were sent along get no answer.
    pub fn forget_syncs_in_copy(&mut self) {
        while matches!(self.0.get(1), Some(Expect::Sync)) {
            self.0.remove(1);
        }
    }

    /// The number of the statement that runs, and how many parts that a cancel stops one by one are
    /// owed; `None` where nothing is.
    pub fn running(&self) -> Option<(Option<u64>, usize)> {
        let first = self.0.iter().find_map(|expect| match expect {
            Expect::Query(sent) | Expect::Function(sent) | Expect::Execute(sent, _) => Some(sent.n),
            _ => None,
        });
        let parts =
            |expect: &&Expect| matches!(expect, Expect::Query(_) | Expect::Function(_) | Expect::Sync);
        let owed = self.0.iter().any(|expect| !matches!(expect, Expect::CopyEnd));
        owed.then(|| (first, self.0.iter().filter(parts).count()))
    }
}
