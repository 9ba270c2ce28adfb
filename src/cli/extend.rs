//! `curfew extend`: asks for more time under a grant. Live sessions carry on meanwhile.

use super::context::{Common, Context};
use super::{CliError, ids, request};

/// Arguments of `curfew extend`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The grant; the first letters of its id are enough
    id: String,
    /// Why, for those who decide and for the record
    #[arg(long)]
    reason: Option<String>,
    /// Wait until it is decided; exit with 0 only when it is granted
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, not reached, or, with `--wait`, not granted.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    let id = ids::complete(&client, ids::GRANT, &args.id).await?;
    let mut ask = serde_json::Map::new();
    ask.extend(args.reason.map(|reason| ("reason".to_owned(), reason.into())));
    let body = client.create(&["grants", &id, "extend"], &ask).await?;
    request::answered(body, args.wait, args.common.json, &client, &mut cx.out).await
}
