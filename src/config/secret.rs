//! Where a secret comes from. It is read when it is needed, so that a changed password needs no restart, and never
//! stands in the configuration itself.

use std::{
    fs::Metadata,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use curfew_adapter::Secret;
use tokio::io::AsyncReadExt;

use super::resolve;
use crate::toml_doc::{Section, Value};

/// How long a command may take to print a secret.
const COMMAND_TIME: Duration = Duration::from_secs(10);
/// The longest secret that is read: passwords are short, and what is longer is a mistake.
const SECRET_MAX: u64 = 64 * 1024;

/// Where a secret comes from. `Debug` shows the place, never the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The first line of a file that nobody else may read.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// What a command prints: the program, then its arguments; no shell.
    Command(Vec<String>),
}

/// Why a secret could not be read: a sentence for the operator that never holds what was read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can't be read.
    #[error("the secret file {0} can't be read: {1}")]
    File(PathBuf, std::io::Error),
    /// Others may read the file.
    #[error("the file {0} may be read by other users (mode {1:03o}); run chmod 600 {0}")]
    Exposed(PathBuf, u32),
    /// The variable is not there.
    #[error("the environment variable {0} is not set, or is not UTF-8")]
    Env(String),
    /// The command could not be run.
    #[error("the command {0} could not be run: {1}")]
    Start(String, std::io::Error),
    /// The command said no.
    #[error("the command {0} failed ({1}); what it said is on the gate's standard error")]
    Failed(String, std::process::ExitStatus),
    /// The command took too long.
    #[error("the command {0} did not end within 10 seconds and was stopped")]
    TooSlow(String),
    /// There was nothing, or far too much, or bytes that are not text.
    #[error("{0} gave no usable secret: it must be one line of UTF-8 text, under 64 KiB")]
    Unusable(String),
}

impl SecretSource {
    /// Reads `{ file = … }`, `{ env = … }` or `{ command = […] }`.
    pub(super) fn read_value(value: &Value<'_>, base: &Path) -> Option<Self> {
        if value.is_string() {
            value.problem(
                "must say where the secret is, not the secret itself: write { file = \"…\" }, { env = \"…\" } or \
                 { command = [\"…\"] }",
            );
            return None;
        }
        value.table(|section| Self::read_section(section, base))
    }

    fn read_section(section: &Section<'_>, base: &Path) -> Option<Self> {
        section.not_yet("value", "a secret never stands in this file; write file, env or command instead");
        let count = ["file", "env", "command"].iter().filter(|key| section.has(key)).count();
        let file = section.optional_string("file").map(|path| Self::File(resolve(base, &path)));
        let env = section.optional_string("env").map(Self::Env);
        let command = section.get("command").and_then(|value| {
            let mut words = value.strings()?;
            match words.first_mut() {
                // A path is taken from this file's folder like every other; a bare name is looked up in PATH.
                Some(program) if program.contains('/') => {
                    *program = resolve(base, program).display().to_string()
                }
                Some(_) => {}
                None => {
                    value.problem(
                        "must name a program and its arguments, such as [\"vault\", \"read\", \"…\"]",
                    );
                    return None;
                }
            }
            Some(Self::Command(words))
        });
        if count != 1 && !section.has("value") {
            section.problem("a secret comes from exactly one of file, env and command");
            return None;
        }
        file.or(env).or(command)
    }

    /// Reads the secret, without the line break at its end.
    ///
    /// # Errors
    /// Where it can't be had. A file that others may read counts as one that can't.
    pub async fn read(&self) -> Result<Secret, SecretError> {
        let (text, from) = match self {
            Self::File(path) => {
                let fail = |error| SecretError::File(path.clone(), error);
                let file = tokio::fs::File::open(path).await.map_err(fail)?;
                refuse_readable_by_others(path, &file.metadata().await.map_err(fail)?)?;
                let mut bytes = Vec::new();
                file.take(SECRET_MAX + 1).read_to_end(&mut bytes).await.map_err(fail)?;
                (bytes, path.display().to_string())
            }
            Self::Env(name) => {
                let text = std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?;
                (text.into_bytes(), format!("the environment variable {name}"))
            }
            Self::Command(words) => {
                let program = words.first().cloned().unwrap_or_default();
                (run(&program, words.get(1..).unwrap_or_default()).await?, format!("the command {program}"))
            }
        };
        let unusable = || SecretError::Unusable(from.clone());
        if text.len() as u64 > SECRET_MAX {
            return Err(unusable());
        }
        let mut text = String::from_utf8(text).map_err(|_| unusable())?;
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
        if text.is_empty() || text.contains(['\n', '\0']) {
            return Err(unusable());
        }
        Ok(Secret::new(text))
    }
}

async fn run(program: &str, arguments: &[String]) -> Result<Vec<u8>, SecretError> {
    let start = |error| SecretError::Start(program.to_owned(), error);
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(start)?;
    let output = child.stdout.take();
    let finish = async {
        let mut bytes = Vec::new();
        if let Some(output) = output {
            output.take(SECRET_MAX + 1).read_to_end(&mut bytes).await?;
        }
        Ok((bytes, child.wait().await?))
    };
    let (bytes, status) = tokio::time::timeout(COMMAND_TIME, finish)
        .await
        .map_err(|_| SecretError::TooSlow(program.to_owned()))?
        .map_err(start)?;
    if status.success() { Ok(bytes) } else { Err(SecretError::Failed(program.to_owned(), status)) }
}

/// A file with a secret in it must be its owner's alone. Where root owns it and Curfew does not run as root, its group
/// may read it too: so do systemd and Kubernetes hand files over, and so does Postgres judge its own key.
///
/// # Errors
/// Where anyone else may do anything with it. `metadata` is that of the opened file, so that none can be slipped in
/// between.
pub fn refuse_readable_by_others(path: &Path, metadata: &Metadata) -> Result<(), SecretError> {
    let mode = metadata.permissions().mode() & 0o777;
    let handed_over = metadata.uid() == 0 && !rustix::process::geteuid().is_root();
    let others = if handed_over { 0o027 } else { 0o077 };
    if mode & others == 0 { Ok(()) } else { Err(SecretError::Exposed(path.to_owned(), mode)) }
}
