//! `curfew serve`: runs the gate.

use super::CliError;
use crate::audit::Digest;
use crate::config::{Config, LogFormat};
use crate::logging;
use std::path::PathBuf;
use std::process::ExitCode;

/// Run the gate.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "curfew.toml", env = "CURFEW_CONFIG")]
    config: PathBuf,
}

impl Serve {
    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn run(self) -> Result<ExitCode, CliError> {
        let config = Config::load(&self.config).map_err(|problems| CliError::failed(problems.to_string()))?;
        let text = std::fs::read(&self.config).map_err(|error| CliError::failed(error.to_string()))?;
        let format = match config.log.format {
            LogFormat::Json => logging::Format::Json,
            LogFormat::Text => logging::Format::Text,
        };
        logging::start(format, config.log.level.as_str()).map_err(CliError::failed)?;
        // The core's own runtime; connections live on the workers' (docs/adr/0002).
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| CliError::failed(error.to_string()))?;
        runtime.block_on(crate::serve::run(config, Digest::of(&text))).map_err(CliError::failed)?;
        Ok(ExitCode::SUCCESS)
    }
}
