//! `curfew audit export`: the whole log, byte for byte, for another verifier or an archive.

use std::path::PathBuf;

use super::pages::Pages;
use crate::cli::CliError;
use crate::cli::context::{Common, Context};
use crate::cli::file::Draft;

/// Arguments of `curfew audit export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write into this file instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The signed checkpoints instead of the log
    #[arg(long)]
    checkpoints: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, not reached, or not written.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    let mut draft = args.output.as_deref().map(Draft::begin).transpose()?;
    let mut count = 0u64;
    let mut write = |line: &[u8]| -> Result<(), CliError> {
        count += 1;
        match &mut draft {
            Some(draft) => draft.write(line).and_then(|()| draft.write(b"\n")),
            None => cx.out.bytes(line).and_then(|()| cx.out.bytes(b"\n")),
        }
    };
    if args.checkpoints {
        let mut lines = client.lines(&["audit", "checkpoints"], &[]).await?;
        while let Some(line) = lines.next().await? {
            write(&line)?;
        }
    } else {
        let mut pages = Pages::after(&client, 0);
        while let Some(line) = pages.next().await? {
            write(&line)?;
        }
    }
    match (draft, &args.output) {
        (Some(draft), Some(file)) => {
            draft.keep()?;
            cx.out.note(format!("{count} lines written to {}.", file.display()))
        }
        _ => Ok(()),
    }
}
