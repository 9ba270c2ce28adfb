//! The command line: one file for each command.
//!
//! Owns arguments, output and exit statuses. It decides nothing about access: whatever a client command does, it
//! asks the gate to do over the HTTP API.

mod act;
mod approve;
mod audit;
mod cancel;
mod certificate;
pub mod check_config;
pub mod client;
mod connect;
pub mod context;
pub mod contracts;
mod credentials;
mod deny;
pub mod error;
mod explain;
mod extend;
mod file;
mod grants;
mod identities;
mod ids;
pub mod init;
mod keys;
mod login;
mod logout;
pub mod output;
mod psql;
mod request;
mod requests;
mod return_grant;
mod revoke;
mod route;
pub mod serve;
mod sessions;
mod signins;
mod ssh;
mod targets;
#[cfg(test)]
mod tests;
pub mod user;
mod verdict;
mod view;
mod whoami;

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
    /// Write a configuration to start from, with fresh keys and a first contract
    Init(init::Init),
    /// Check the configuration, the contracts and the keys as the gate would; nothing is changed
    CheckConfig(check_config::CheckConfig),
    /// Run the gate
    Serve(serve::Serve),
    /// Check contracts, or ask why somebody may or may not reach a target
    Contracts(contracts::Contracts),
    /// What a gate is asked to do
    #[command(flatten)]
    User(user::UserCommand),
}

/// Carries the command out.
///
/// # Errors
/// The sentence to show, with the exit status.
pub fn run(cli: Cli) -> Result<ExitCode, CliError> {
    match cli.command {
        Command::Init(init) => init.run(),
        Command::CheckConfig(check) => check.run(),
        Command::Serve(serve) => serve.run(),
        Command::Contracts(contracts) => contracts.run(),
        Command::User(command) => command.run(),
    }
}
