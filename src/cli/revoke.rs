//! `curfew revoke`: takes a grant away from its holder, and says why. Its sessions end with it.

use serde_json::json;

use super::act::{Done, act};
use super::client::wire::Grant;
use super::context::{Common, Context};
use super::output::clean;
use super::{CliError, ids};

/// Arguments of `curfew revoke`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The grant; the first letters of its id are enough
    id: String,
    /// Why, for the holder and for the record
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
    let done = act(cx, &args.common, (ids::TO_REVOKE, &args.id), "revoke", &json!({ "reason": args.reason }))
        .await?;
    let Some(Done { body, .. }) = done else { return Ok(()) };
    let grant: Grant = body.read()?;
    let what = format!("{} as {}", clean(&grant.target), clean(&grant.account));
    cx.out.line(format!(
        "Revoked: {} may no longer use {what}; the sessions have ended.",
        clean(grant.holder.shown())
    ))
}
