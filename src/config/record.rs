//! `[session]`, `[record]` and `[log]`: what happens around and after a session.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use url::Url;

use super::resolve;
use crate::toml_doc::{Section, Value};

/// `[session]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    /// Remaining times at which the client is told that the end is near, longest first.
    pub countdown: Vec<Duration>,
    /// A node that has not heard from its store for so long ends its sessions.
    pub max_staleness: Duration,
}

impl Default for SessionSettings {
    fn default() -> Self {
        let countdown = [600, 300, 60, 10].map(Duration::from_secs).to_vec();
        Self { countdown, max_staleness: Duration::from_secs(15) }
    }
}

impl SessionSettings {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let otherwise = Self::default();
        let countdown = section.get("countdown").map_or(Some(otherwise.countdown), |value| {
            value.list_of(|element| element.duration(Duration::from_secs(1)..=Duration::from_secs(86_400)))
        });
        let range = Duration::from_secs(2)..=Duration::from_secs(300);
        let max_staleness =
            section.optional_duration("max_staleness", range).unwrap_or(otherwise.max_staleness);
        let mut countdown = countdown?;
        countdown.sort_unstable_by(|a, b| b.cmp(a));
        countdown.dedup();
        Some(Self { countdown, max_staleness })
    }
}

/// `[record]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The folder of the recordings.
    pub store: PathBuf,
    /// What happens to a session whose recording fails.
    pub mode: RecordMode,
    /// Where the audit log's signed checkpoints go.
    pub checkpoint: Checkpoint,
}

/// What happens to a session whose recording fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordMode {
    /// It ends.
    Strict,
    /// It goes on, and the failure is counted.
    BestEffort,
}

/// `[record] checkpoint`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The file that checkpoints are appended to; best on another host.
    pub file: PathBuf,
    /// How often.
    pub every: Duration,
}

const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

impl Record {
    /// The defaults: everything under the data folder, strict.
    pub(super) fn in_data_dir(data_dir: &Path) -> Self {
        Self {
            store: data_dir.join("recordings"),
            mode: RecordMode::Strict,
            checkpoint: Checkpoint { file: data_dir.join("checkpoints.jsonl"), every: CHECKPOINT_EVERY },
        }
    }

    pub(super) fn read(section: &Section<'_>, base: &Path, data_dir: &Path) -> Option<Self> {
        let otherwise = Self::in_data_dir(data_dir);
        let store = section.get("store").map_or(Some(otherwise.store), |value| folder(&value, base));
        let modes = [("strict", RecordMode::Strict), ("best-effort", RecordMode::BestEffort)];
        let mode = section.optional_one_of("mode", &modes).unwrap_or(otherwise.mode);
        let checkpoint = match section.get("checkpoint") {
            Some(value) => value.table(|inner| {
                let file = inner.string("file", "\"/mnt/elsewhere/curfew-checkpoints.jsonl\"");
                let range = Duration::from_secs(1)..=Duration::from_secs(3600);
                let every = inner.optional_duration("every", range).unwrap_or(CHECKPOINT_EVERY);
                Some(Checkpoint { file: resolve(base, &file?), every })
            }),
            None => Some(otherwise.checkpoint),
        };
        section.not_yet("retention", "recordings stay until you delete them; remove the key");
        Some(Self { store: store?, mode, checkpoint: checkpoint? })
    }
}

/// A `file://` URL, or a path.
fn folder(value: &Value<'_>, base: &Path) -> Option<PathBuf> {
    let text = value.string()?;
    if !text.contains("://") {
        return Some(resolve(base, &text));
    }
    let path =
        Url::parse(&text).ok().filter(|url| url.scheme() == "file").and_then(|url| url.to_file_path().ok());
    value.check(path.ok_or_else(|| {
        format!("must be a folder, such as \"file:///var/lib/curfew/recordings\"; this version knows no other store, not \"{text}\"")
    }))
}

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// For machines or for people.
    pub format: LogFormat,
    /// The least important level that is written: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: tracing::Level,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Plain lines.
    Text,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: tracing::Level::INFO }
    }
}

impl Log {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        use tracing::Level;
        let otherwise = Self::default();
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let levels = [
            ("error", Level::ERROR),
            ("warn", Level::WARN),
            ("info", Level::INFO),
            ("debug", Level::DEBUG),
            ("trace", Level::TRACE),
        ];
        Some(Self {
            format: section.optional_one_of("format", &formats).unwrap_or(otherwise.format),
            level: section.optional_one_of("level", &levels).unwrap_or(otherwise.level),
        })
    }
}
