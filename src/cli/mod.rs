//! The command line: one file for each command.
//!
//! Owns arguments, output and exit statuses. It decides nothing about access: whatever a client command does, it
//! asks the gate to do over the HTTP API.

pub mod contracts;
pub mod error;

use std::process::ExitCode;

pub use error::{CliError, Exit};

/// Access that ends on time: an identity-aware gate in front of Postgres and SSH.
#[derive(Debug, clap::Parser)]
#[command(name = "curfew", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, clap::Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Check contracts.
    Contracts(contracts::Contracts),
}

/// Carries the command out.
///
/// # Errors
/// The sentence to show, with the exit status.
pub fn run(cli: Cli) -> Result<ExitCode, CliError> {
    match cli.command {
        Command::Contracts(contracts) => contracts.run(),
    }
}
