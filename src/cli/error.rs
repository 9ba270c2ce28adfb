//! How a command fails: one sentence, what to do next, and the exit status.
//!
//! Owns the exit statuses, which docs/guide/cli.md lists. A message never contains a token or a key.

use std::fmt;
use std::process::ExitCode;

/// Why a command did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Refused by the gate, or failed: 1.
    Failed,
    /// The command line itself is wrong: 2, as clap has it.
    Usage,
    /// Nobody is signed in at that gate, or no longer: 3.
    NotSignedIn,
    /// The gate can't be reached: 4.
    Unreachable,
    /// Whoever read our output went away (`| head`): nothing is wrong and nothing is said, 0.
    ReaderGone,
}

/// A failure, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliError {
    exit: Exit,
    message: String,
    hint: Option<String>,
}

impl CliError {
    /// Refused or failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), hint: None }
    }

    /// The command line is wrong; the message says what to type.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::failed(message) }
    }

    /// Nobody is signed in there.
    pub fn not_signed_in(message: impl Into<String>) -> Self {
        Self { exit: Exit::NotSignedIn, ..Self::failed(message) }
    }

    /// The gate can't be reached.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unreachable, ..Self::failed(message) }
    }

    /// What to do next, as a second line.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Which kind it is.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The status that the process ends with.
    pub fn status(&self) -> ExitCode {
        ExitCode::from(match self.exit {
            Exit::ReaderGone => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotSignedIn => 3,
            Exit::Unreachable => 4,
        })
    }

    /// The lines for standard error; `None` where there is nobody to tell.
    pub fn report(&self) -> Option<String> {
        (self.exit != Exit::ReaderGone).then(|| format!("curfew: {self}"))
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CliError {}

/// Failures to write what we print.
impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self { exit: Exit::ReaderGone, ..Self::failed(String::new()) };
        }
        Self::failed(format!("can't write the output: {error}"))
    }
}
