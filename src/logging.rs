//! The operator's log: tracing, as text or as JSON lines on standard error.
//!
//! It is not the audit log: that is a chain in the store. The ids in both are the same.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging at `level` (`info`, or a filter such as `curfew=debug,info`); `RUST_LOG` wins.
///
/// # Errors
/// Where the filter makes no sense, or logging was started before.
pub fn start(format: Format, level: &str) -> Result<(), String> {
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(level))
        .map_err(|error| format!("the log level {level:?} makes no sense: {error}"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_span_events(FmtSpan::NONE);
    let started = match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
    };
    started.map_err(|error| format!("logging could not be started: {error}"))
}
