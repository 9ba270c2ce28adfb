//! `curfew return`: gives a grant back before its end. Its sessions end with it.

use serde_json::json;

use super::act::{Done, act};
use super::context::{Common, Context};
use super::{CliError, ids};

/// Arguments of `curfew return`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The grant; the first letters of its id are enough
    id: String,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let done = act(cx, &args.common, (ids::GRANT, &args.id), "return", &json!({})).await?;
    let Some(Done { id, .. }) = done else { return Ok(()) };
    cx.out.line(format!("Returned: the grant {id}. Its sessions have ended."))
}
