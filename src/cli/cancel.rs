//! `curfew cancel`: takes one's own request back.

use serde_json::json;

use super::act::{Done, act};
use super::context::{Common, Context};
use super::{CliError, ids};

/// Arguments of `curfew cancel`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The request; the first letters of its id are enough
    id: String,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let done = act(cx, &args.common, (ids::REQUEST, &args.id), "cancel", &json!({})).await?;
    let Some(Done { id, .. }) = done else { return Ok(()) };
    cx.out.line(format!("Cancelled: the request {id}."))
}
