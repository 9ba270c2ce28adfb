//! `curfew deny`: says no to somebody's request, and why.

use serde_json::json;

use super::act::{Done, act};
use super::client::wire::Request;
use super::context::{Common, Context};
use super::output::clean;
use super::{CliError, ids};

/// Arguments of `curfew deny`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The request; the first letters of its id are enough
    id: String,
    /// Why, for the requester and for the record
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let done =
        act(cx, &args.common, (ids::TO_DECIDE, &args.id), "deny", &json!({ "reason": args.reason })).await?;
    let Some(Done { body, .. }) = done else { return Ok(()) };
    let request: Request = body.read()?;
    cx.out.line(format!("Denied: {}'s request {}.", clean(request.requester.shown()), clean(&request.id)))
}
