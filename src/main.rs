//! Parses the command line, runs it, exits. Owns nothing else.

use std::process::ExitCode;

use clap::Parser;
use curfew::cli::{self, Cli};

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(status) => status,
        Err(error) => {
            if let Some(report) = error.report() {
                eprintln!("{report}");
            }
            error.status()
        }
    }
}
