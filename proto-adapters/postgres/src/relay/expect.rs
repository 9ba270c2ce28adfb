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
    /// The number of what was prepared, where it executes that.
    pub prepared: Option<u64>,
    /// Its text may make names stand for other statements (PREPARE, DEALLOCATE, DISCARD).
    pub renames: bool,
}

/// An answer that the target owes. What was noted when the message was forwarded is undone where the
/// target refuses or skips it, so that a name never stands for something that did not happen.
#[derive(Debug)]
pub enum Expect {
    /// To a Query: results, then ReadyForQuery.
    Query(Sent),
    /// To a FunctionCall: a result, then ReadyForQuery.
    Function(Sent),
    /// To a Parse, with what its name stood for before, and the number of what it prepares.
    Parse(Box<[u8]>, Option<Arc<Prepared>>, u64),
    /// To a Bind, with what its portal stood for before, and the number of what is bound to it.
    Bind(Box<[u8]>, Option<Portal>, Option<u64>),
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
pub struct Expected {
    all: VecDeque<Expect>,
    /// How many of them may change what a statement's name stands for.
    renaming: usize,
}

impl Expect {
    const fn renames(&self) -> bool {
        match self {
            Self::Query(sent) | Self::Execute(sent, _) => sent.renames,
            Self::Parse(..) | Self::CloseStatement(..) => true,
            _ => false,
        }
    }
}

impl Expected {
    /// Whether no more can be remembered now.
    pub fn is_full(&self) -> bool {
        self.all.len() >= PIPELINE
    }

    /// One more is owed.
    pub fn push(&mut self, expect: Expect) {
        self.renaming += usize::from(expect.renames());
        self.all.push_back(expect);
    }

    /// The next one.
    pub fn front(&mut self) -> Option<&Expect> {
        while matches!(self.all.front(), Some(Expect::CopyEnd)) {
            self.all.pop_front();
        }
        self.all.front()
    }

    /// Takes the next one, if it is what `is` says.
    pub fn pop_if(&mut self, is: impl FnOnce(&Expect) -> bool) -> Option<Expect> {
        if !self.front().is_some_and(is) {
            return None;
        }
        let taken = self.all.pop_front();
        self.renaming -= usize::from(taken.as_ref().is_some_and(Expect::renames));
        if self.all.is_empty() && self.all.capacity() > 64 {
            self.all = VecDeque::new();
        }
        taken
    }

    /// Whether it depends on answers that are still owed which statement the server takes this name for: a change of it was
    /// sent before a Sync, and what is sent behind that Sync runs also if the change is refused or skipped.
    pub fn may_rename(&self, name: &[u8]) -> bool {
        if self.renaming == 0 {
            return false;
        }
        let mut synced = false;
        for expect in self.all.iter().rev() {
            match expect {
                Expect::Sync => synced = true,
                // The unnamed one is not SQL's to name.
                Expect::Query(sent) | Expect::Execute(sent, _) if sent.renames && !name.is_empty() => {
                    return true;
                }
                Expect::Parse(other, before, _) | Expect::CloseStatement(other, before)
                    if **other == *name && (!synced || before.is_some()) =>
                {
                    return synced;
                }
                _ => {}
            }
        }
        false
    }

    /// Whether a ReadyForQuery is owed.
    pub fn owes_ready(&self) -> bool {
        self.all.iter().any(|expect| matches!(expect, Expect::Query(_) | Expect::Function(_) | Expect::Sync))
    }

    /// What the next Execute executes, if that comes before any Sync.
    pub fn next_prepared(&self) -> Option<u64> {
        let part = self.all.iter().take_while(|expect| !matches!(expect, Expect::Sync));
        let mut part = part;
        part.find_map(|expect| match expect {
            Expect::Execute(sent, _) => sent.prepared,
            _ => None,
        })
    }

    /// In a COPY from the client, Syncs are ignored until it ends it (`ReceiveCopyData` in
    /// copyfromparse.c): those that were sent along get no answer.
    pub fn forget_syncs_in_copy(&mut self) {
        while matches!(self.all.get(1), Some(Expect::Sync)) {
            self.all.remove(1);
        }
    }

    /// The number of the statement that runs, and how many parts that a cancel stops one by one are
    /// owed; `None` where nothing is.
    pub fn running(&self) -> Option<(Option<u64>, usize)> {
        let first = self.all.iter().find_map(|expect| match expect {
            Expect::Query(sent) | Expect::Function(sent) | Expect::Execute(sent, _) => Some(sent.n),
            _ => None,
        });
        let parts =
            |expect: &&Expect| matches!(expect, Expect::Query(_) | Expect::Function(_) | Expect::Sync);
        let owed = self.all.iter().any(|expect| !matches!(expect, Expect::CopyEnd));
        owed.then(|| (first, self.all.iter().filter(parts).count()))
    }
}
