//! `curfew sessions kill`: ends one session now.

use serde_json::json;

use crate::cli::act::{Done, act};
use crate::cli::context::{Common, Context};
use crate::cli::{CliError, ids};

/// Arguments of `curfew sessions kill`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The session; the first letters of its id are enough
    id: String,
    /// Why, for its person and for the record
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let mut ask = serde_json::Map::new();
    ask.extend(args.reason.map(|reason| ("reason".to_owned(), json!(reason))));
    let done = act(cx, &args.common, (ids::SESSION, &args.id), "kill", &ask).await?;
    let Some(Done { id, .. }) = done else { return Ok(()) };
    cx.out.line(format!("Killed: the session {id}. Its grant stays; `curfew revoke` takes that away too."))
}
