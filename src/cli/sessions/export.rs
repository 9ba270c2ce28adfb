//! `curfew sessions export`: the events of a session as JSON lines, or its sealed recording.

use std::io::IsTerminal;
use std::path::PathBuf;

use crate::cli::context::{Common, Context};
use crate::cli::file::Draft;
use crate::cli::{CliError, ids};

/// Arguments of `curfew sessions export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The session; the first letters of its id are enough
    id: String,
    /// The sealed recording itself (.curfew), which `curfew sessions verify` checks anywhere
    #[arg(long)]
    sealed: bool,
    /// Write into this file instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, not reached, or not written.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    let id = ids::complete(&client, ids::SESSION, &args.id).await?;
    let part = if args.sealed { "recording" } else { "events" };
    if args.sealed && args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(CliError::usage("a sealed recording is not fit for a terminal")
            .hint(format!("add `--output {id}.curfew`")));
    }
    let path = ["sessions", id.as_str(), part];
    let Some(file) = &args.output else {
        return client.download(&path, |bytes| cx.out.bytes(bytes)).await;
    };
    let mut draft = Draft::begin(file)?;
    client.download(&path, |bytes| draft.write(bytes)).await?;
    draft.keep()?;
    cx.out.note(format!("Written to {}.", file.display()))
}
