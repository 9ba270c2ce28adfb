//! `curfew return`: gives a grant back before its end. Its sessions end with it.

use serde_json::json;

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
    let client = cx.client(&args.common)?;
    let id = ids::complete(&client, ids::GRANT, &args.id).await?;
    let body = client.post(&["grants", &id, "return"], &json!({})).await?;
    if args.common.json {
        return cx.out.raw(body.raw());
    }
    cx.out.line(format!("Returned: the grant {id}. Its sessions have ended."))
}
