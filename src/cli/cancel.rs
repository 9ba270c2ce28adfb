//! `curfew cancel`: takes one's own request back.

use serde_json::json;

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
    let client = cx.client(&args.common)?;
    let id = ids::complete(&client, ids::REQUEST, &args.id).await?;
    let body = client.post(&["requests", &id, "cancel"], &json!({})).await?;
    if args.common.json {
        return cx.out.raw(body.raw());
    }
    cx.out.line(format!("Cancelled: the request {id}."))
}
