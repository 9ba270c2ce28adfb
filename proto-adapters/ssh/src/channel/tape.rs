//! What is recorded of one channel.

use curfew_adapter::{Event, RecordError, Recorder, ResultPolicy, Terms, Text};

/// How much of each stream of a command is recorded where the contract does not ask for all of it.
const BEGINNING: u64 = 1024 * 1024;

/// What a channel is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Opened, and not put to a use.
    Unused,
    /// A shell.
    Shell,
    /// A command.
    Exec(String),
    /// File transfer.
    Sftp,
    /// A connection that the target opened for the client, to `host:port`.
    Forward(String),
    /// A connection to a port of the target, from `host:port`.
    Reverse(String),
    /// The client's agent.
    Agent,
}

impl Purpose {
    /// The word for it in a contract's `allow`, and in the recording.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Shell => "shell",
            Self::Exec(_) => "exec",
            Self::Sftp => "sftp",
            Self::Forward(_) => "forward",
            Self::Reverse(_) => "reverse",
            Self::Agent => "agent",
        }
    }

    fn command(&self) -> Option<&str> {
        match self {
            Self::Exec(text) | Self::Forward(text) | Self::Reverse(text) => Some(text),
            _ => None,
        }
    }
}

/// The terminal at the client's end.
#[derive(Clone, Debug)]
pub struct Terminal {
    /// What it says it is.
    pub term: String,
    /// Columns.
    pub cols: u32,
    /// Rows.
    pub rows: u32,
}

/// The recording of one channel.
#[derive(Debug)]
pub struct Tape {
    ch: u32,
    recorder: Recorder,
    whole: bool,
    keys: bool,
    /// What it is for.
    pub purpose: Purpose,
    /// The terminal, where the client asked for one.
    pub terminal: Option<Terminal>,
    input: u64,
    output: u64,
    errors: u64,
    status: Option<u32>,
    signal: Option<String>,
    left: bool,
    over: bool,
}

impl Tape {
    /// The recording of channel `ch`.
    pub fn new(ch: u32, recorder: Recorder, terms: &Terms) -> Self {
        Self {
            ch,
            recorder,
            whole: terms.record.results == ResultPolicy::Full,
            keys: terms.record.input,
            purpose: Purpose::Unused,
            terminal: None,
            input: 0,
            output: 0,
            errors: 0,
            status: None,
            signal: None,
            left: false,
            over: false,
        }
    }

    /// The channel's number in the recording.
    pub const fn number(&self) -> u32 {
        self.ch
    }

    /// It is put to a use.
    ///
    /// # Errors
    /// As [`Recorder::append`].
    pub fn begin(&mut self, purpose: Purpose) -> Result<(), RecordError> {
        self.purpose = purpose;
        let terminal = self.terminal.as_ref();
        self.recorder.append(&Event::Channel {
            ch: self.ch,
            purpose: self.purpose.word(),
            command: self.purpose.command(),
            terminal: terminal.map(|t| curfew_adapter::Terminal {
                term: &t.term,
                cols: t.cols,
                rows: t.rows,
            }),
        })
    }

    /// The client sends `data`.
    ///
    /// # Errors
    /// As [`Recorder::append`].
    pub fn input(&mut self, data: &[u8]) -> Result<(), RecordError> {
        self.input += data.len() as u64;
        let typed = self.terminal.is_some() || self.purpose == Purpose::Shell;
        if self.keys && typed {
            self.recorder.append(&Event::Input { ch: self.ch, data: Text(data) })?;
        }
        Ok(())
    }

    /// The target sends `data`; `err` on standard error.
    ///
    /// # Errors
    /// As [`Recorder::append`].
    pub fn output(&mut self, data: &[u8], err: bool) -> Result<(), RecordError> {
        let seen = if err { &mut self.errors } else { &mut self.output };
        let before = *seen;
        *seen += data.len() as u64;
        let shown = match self.purpose {
            Purpose::Shell => data,
            Purpose::Exec(_) if self.whole || self.terminal.is_some() => data,
            Purpose::Exec(_) => {
                let left = usize::try_from(BEGINNING.saturating_sub(before)).unwrap_or(usize::MAX);
                data.get(..left).unwrap_or(data)
            }
            _ => return Ok(()),
        };
        if shown.is_empty() {
            return Ok(());
        }
        self.recorder.append(&Event::Output { ch: self.ch, err, data: Text(shown) })
    }

    /// Something else that the client does on the channel.
    ///
    /// # Errors
    /// As [`Recorder::append`].
    pub fn append(&self, event: &Event<'_>) -> Result<(), RecordError> {
        self.recorder.append(event)
    }

    /// The command ended with `status`.
    pub const fn exited(&mut self, status: u32) {
        self.status = Some(status);
    }

    /// The command was ended by `signal`.
    pub fn killed(&mut self, signal: &str) {
        self.signal = Some(signal.to_owned());
    }

    /// The target closed the channel.
    pub const fn left(&mut self) {
        self.left = true;
    }

    /// What is running on the channel, where it has not ended.
    pub fn running(&self) -> Option<String> {
        let running = !self.over && !self.left && self.status.is_none() && self.signal.is_none();
        match &self.purpose {
            _ if !running => None,
            Purpose::Unused => None,
            Purpose::Exec(command) => {
                let cut: String = command.chars().take(80).collect();
                Some(format!("command on channel {}: {cut}", self.ch))
            }
            purpose => Some(format!("{} on channel {}", purpose.word(), self.ch)),
        }
    }

    /// The channel is over. Only the first call counts.
    ///
    /// # Errors
    /// As [`Recorder::append`].
    pub fn end(&mut self) -> Result<(), RecordError> {
        if std::mem::replace(&mut self.over, true) || self.purpose == Purpose::Unused {
            return Ok(());
        }
        self.recorder.append(&Event::ChannelEnd {
            ch: self.ch,
            status: self.status,
            signal: self.signal.as_deref(),
            input: self.input,
            output: self.output,
            errors: self.errors,
        })
    }
}
