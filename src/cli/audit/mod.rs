//! `curfew audit`: the chained log of everything that was asked, decided and done.

mod export;
mod pages;
mod tail;
mod verify;

use super::CliError;
use super::context::Context;

/// Arguments of `curfew audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// The last events, and with -f those that follow
    Tail(tail::Args),
    /// Check, on this machine, that the log is whole and unchanged
    Verify(verify::Args),
    /// The whole log, each line as it was chained
    Export(export::Args),
}

/// Runs it.
///
/// # Errors
/// Refused, not reached, or, for `verify`, not as it was written.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    match args.command {
        AuditCommand::Tail(args) => tail::run(args, cx).await,
        AuditCommand::Verify(args) => verify::run(args, cx).await,
        AuditCommand::Export(args) => export::run(args, cx).await,
    }
}
