//! `curfew contracts`: contracts before they are in force, and what those in force mean for somebody.
//!
//! Owns the output of the check, which reads files only, so that it can run wherever the contracts are kept, without a
//! gate and without signing in. To explain is up to the gate.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::CliError;
use crate::contract::ContractSet;

/// `curfew contracts …`
#[derive(Debug, clap::Args)]
pub struct Contracts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check contract files as the gate would before it takes them up; nothing is changed.
    Check {
        /// Contract files, and folders of them; checked together, as one set.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Which contracts let somebody reach a target, which don't and why, and who could approve now
    Explain(super::explain::Args),
}

impl Contracts {
    /// Carries it out.
    ///
    /// # Errors
    /// Every error in every file.
    pub fn run(self) -> Result<ExitCode, CliError> {
        match self.command {
            Command::Check { files } => check(&files, &mut std::io::stdout().lock()),
            Command::Explain(args) => {
                let mut cx = super::context::Context::of_process()?;
                super::user::block_on(super::explain::run(args, &mut cx))?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn check(files: &[PathBuf], out: &mut impl Write) -> Result<ExitCode, CliError> {
    let set = ContractSet::of_paths(files).map_err(|problems| {
        let count = problems.len();
        let errors = if count == 1 { "1 error".to_owned() } else { format!("{count} errors") };
        CliError::failed(
            format!("{errors}; the gate would keep the contracts that it has\n{problems}").trim_end(),
        )
    })?;
    if set.is_empty() {
        return Err(CliError::failed("there is no *.toml file in these folders: no contract was checked"));
    }
    let width = set.iter().map(|contract| contract.name.len()).max().unwrap_or_default();
    for contract in set.iter() {
        writeln!(out, "ok  {:<width$}  {}", contract.name, contract.hash().short())?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::fixtures::{AT_ONCE, ORDERS_DEBUG};

    fn checked(files: &[(&str, &str)]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let paths = files.iter().map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        });
        let mut out = Vec::new();
        let said = check(&paths.collect::<Vec<_>>(), &mut out).map_err(|error| error.to_string());
        let shown = |text: String| text.replace(&folder.path().display().to_string(), "DIR");
        said.map(|_| shown(String::from_utf8(out).unwrap())).map_err(shown)
    }

    #[test]
    fn good_contracts_are_listed_with_their_versions() {
        insta::assert_snapshot!(checked(&[("a.toml", ORDERS_DEBUG), ("b.toml", AT_ONCE)]).unwrap(), @r"
        ok  at-once       f79d7c4d32fe
        ok  orders-debug  908f8b3b495d
        ");
    }

    #[test]
    fn every_error_of_every_file_is_told() {
        let wrong = ORDERS_DEBUG.replace("count = 1", "count = 'one'");
        let said = checked(&[("a.toml", &wrong), ("b.toml", AT_ONCE), ("c.toml", AT_ONCE)]).unwrap_err();
        insta::assert_snapshot!(said, @r"
        2 errors; the gate would keep the contracts that it has
        DIR/a.toml:26:9: `count` must be a whole number from 1 to 20, not a string
        DIR/c.toml:3:8: `name` is taken by DIR/b.toml: names are unique, choose another
        ");
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        let out = &mut Vec::new();
        let said = check(&["none.toml".into()], out).unwrap_err().to_string();
        assert!(said.contains("none.toml:1:1: can't be read"), "{said}");
    }
}
