//! What every client command starts from: where it prints, which gate it means, and the sign-in there.
//!
//! Owns the choice of the gate: `--gate`, else `CURFEW_GATE`, else that of the last login.

use std::path::PathBuf;

use curfew_adapter::Clock;

use super::CliError;
use super::client::{Client, GateUrl, Home, Saved};
use super::output::Output;

/// The options that every client command has.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Common {
    /// Print the gate's answer as JSON, as it came
    #[arg(long)]
    pub json: bool,
    /// The gate, when it is not that of the last login
    #[arg(long, value_name = "URL", env = "CURFEW_GATE", hide_env_values = true)]
    pub gate: Option<String>,
}

/// Where a command runs.
pub struct Context {
    /// The saved sign-ins.
    pub home: Home,
    /// Where it prints.
    pub out: Output,
    /// The SSH agent's socket, where there is one.
    pub agent: Option<PathBuf>,
}

impl Context {
    /// Of this process.
    ///
    /// # Errors
    /// There is no folder for sign-ins.
    pub fn of_process() -> Result<Self, CliError> {
        let home = Home::find(|name| std::env::var_os(name).map(Into::into))?;
        let agent = std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty());
        Ok(Self { home, out: Output::standard(Clock::system()), agent: agent.map(PathBuf::from) })
    }

    /// What is saved about the gate that is meant.
    ///
    /// # Errors
    /// None is named and nobody ever signed in.
    pub fn saved(&self, common: &Common) -> Result<Saved, CliError> {
        let url = match common.gate.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => GateUrl::parse(text)?,
            None => self.home.last()?,
        };
        Ok(self.home.gate(&url))
    }

    /// The gate that is meant, with the sign-in there.
    ///
    /// # Errors
    /// Nobody is signed in there.
    pub fn client(&self, common: &Common) -> Result<Client, CliError> {
        Client::signed_in(&self.saved(common)?)
    }
}
