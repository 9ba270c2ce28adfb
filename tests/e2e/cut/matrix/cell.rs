//! The table's cells: what a session does, how it comes to its end, and which of its peers has stopped reading.

use crate::matrix::ending::Ending;
use crate::matrix::table;

/// What a session does at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Idle,
    Transaction,
    Sleep,
    Catch,
    CopyOut,
    CopyIn,
    Batch,
    Listen,
    Row,
}

impl Doing {
    pub const ALL: [Self; 9] = [
        Self::Idle,
        Self::Transaction,
        Self::Sleep,
        Self::Catch,
        Self::CopyOut,
        Self::CopyIn,
        Self::Batch,
        Self::Listen,
        Self::Row,
    ];

    /// In the table.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Transaction => "in a transaction that has written",
            Self::Sleep => "`pg_sleep`",
            Self::Catch => "a function that catches the cancel, and writes",
            Self::CopyOut => "COPY out of 10 GB",
            Self::CopyIn => "COPY in",
            Self::Batch => "a pipelined batch that writes behind `pg_sleep`",
            Self::Listen => "LISTEN",
            Self::Row => "in the middle of a row of 1 GB",
        }
    }

    /// In names.
    const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Transaction => "transaction",
            Self::Sleep => "sleep",
            Self::Catch => "catch",
            Self::CopyOut => "copy-out",
            Self::CopyIn => "copy-in",
            Self::Batch => "batch",
            Self::Listen => "listen",
            Self::Row => "row",
        }
    }

    /// Whether the target has something to do for it.
    pub const fn runs(self) -> bool {
        !matches!(self, Self::Idle | Self::Transaction | Self::Listen)
    }

    /// Whether it sits and sleeps at the target.
    pub const fn sleeps(self) -> bool {
        matches!(self, Self::Sleep | Self::Catch | Self::Batch)
    }
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub doing: Doing,
    pub ending: Ending,
    /// The client reads.
    pub reads: bool,
    /// The target reads, and so answers.
    pub answers: bool,
}

/// Who reads: the client, the target.
pub const READERS: [(bool, bool); 4] = [(true, true), (false, true), (true, false), (false, false)];

impl Cell {
    /// Those of one ending, also those that can't be.
    pub fn of(ending: Ending) -> impl Iterator<Item = Self> {
        let cell = move |doing| READERS.map(|(reads, answers)| Self { doing, ending, reads, answers });
        Doing::ALL.into_iter().flat_map(cell)
    }

    /// Whether everything up to the client is full.
    pub const fn fills(self) -> bool {
        !self.reads && matches!(self.doing, Doing::CopyOut | Doing::Row)
    }

    /// Whether bytes that say when they were made reach the client until the end. Nobody talks to who is to be idle.
    pub fn tells(self) -> bool {
        match self.doing {
            Doing::CopyOut => true,
            Doing::Listen => self.ending != Ending::Idle,
            _ => false,
        }
    }
}

impl table::Cell for Cell {
    fn impossible(self) -> Option<&'static str> {
        match (self.ending, self.doing) {
            (Ending::Idle, Doing::CopyOut | Doing::Row) if self.reads => Some("what streams is not idle"),
            (Ending::Idle, Doing::CopyIn) if self.answers => Some("what streams is not idle"),
            _ => None,
        }
    }

    fn name(self) -> String {
        let client = if self.reads { "reads" } else { "deaf" };
        let target = if self.answers { "answers" } else { "stopped" };
        format!("{}-{}-{client}-{target}", self.ending.name(), self.doing.name())
    }
}
