//! The table's cells: what a session does, how it comes to its end, and whether its client still reads.

use crate::matrix::ending::Ending;
use crate::matrix::table;

/// What a session does at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Shell,
    Top,
    Sleep,
    Stream,
    Put,
    Get,
    Local,
    Remote,
    Several,
    Rekey,
}

impl Doing {
    pub const ALL: [Self; 10] = [
        Self::Shell,
        Self::Top,
        Self::Sleep,
        Self::Stream,
        Self::Put,
        Self::Get,
        Self::Local,
        Self::Remote,
        Self::Several,
        Self::Rekey,
    ];

    /// In the table.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Shell => "shell, idle",
            Self::Top => "shell in `top`",
            Self::Sleep => "exec of `sleep 600`",
            Self::Stream => "exec, streaming both ways",
            Self::Put => "sftp put of 1 GB",
            Self::Get => "sftp get of 1 GB",
            Self::Local => "local forward in use",
            Self::Remote => "remote forward in use",
            Self::Several => "shell, sleep and stream on one connection",
            Self::Rekey => "in mid-rekey",
        }
    }

    /// In names.
    const fn name(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Top => "top",
            Self::Sleep => "sleep",
            Self::Stream => "stream",
            Self::Put => "put",
            Self::Get => "get",
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Several => "several",
            Self::Rekey => "rekey",
        }
    }

    /// How many processes it has at the target, at least.
    pub const fn processes(self) -> usize {
        match self {
            Self::Local | Self::Remote => 0,
            Self::Shell | Self::Sleep | Self::Put | Self::Get | Self::Rekey => 1,
            Self::Top | Self::Stream => 2,
            Self::Several => 4,
        }
    }

    /// Whether bytes pass without an end.
    pub const fn moves(self) -> bool {
        !matches!(self, Self::Shell | Self::Top | Self::Sleep | Self::Rekey)
    }
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub doing: Doing,
    pub ending: Ending,
    pub reads: bool,
}

impl table::Cell for Cell {
    fn impossible(self) -> Option<&'static str> {
        match (self.ending, self.doing, self.reads) {
            (Ending::Idle, Doing::Top, true) => Some("it redraws, so it is not idle"),
            (Ending::Idle, Doing::Top, false) => Some("its little goes on into the sockets' buffers"),
            (Ending::Idle, doing, true) if doing.moves() => Some("what moves is not idle"),
            _ => None,
        }
    }

    fn name(self) -> String {
        let client = if self.reads { "reads" } else { "deaf" };
        format!("{}-{}-{client}", self.ending.name(), self.doing.name())
    }
}

impl Cell {
    /// Those of one ending, also those that can't be.
    pub fn of(ending: Ending) -> impl Iterator<Item = Self> {
        Doing::ALL.into_iter().flat_map(move |doing| [true, false].map(|reads| Self { doing, ending, reads }))
    }

    /// The mark of its processes at the target, where those of a test that stopped half way may still run.
    pub fn mark(self) -> String {
        format!("{}-{}", table::Cell::name(self), std::process::id())
    }
}
