//! `curfew requests`: one's own, those to decide, or all; or everything about one.

use super::client::wire::Request;
use super::context::{Common, Context};
use super::{CliError, ids, view};

/// Arguments of `curfew requests`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show everything about this one; the first letters of its id are enough
    #[arg(conflicts_with_all = ["mine", "to_approve", "all"])]
    id: Option<String>,
    /// One's own, which is the default
    #[arg(long, group = "scope")]
    mine: bool,
    /// Those that one may decide
    #[arg(long, group = "scope")]
    to_approve: bool,
    /// Everybody's, for auditors and admins
    #[arg(long, group = "scope")]
    all: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    if let Some(id) = &args.id {
        let id = ids::complete(&client, ids::REQUEST, id).await?;
        let body = client.get(&["requests", &id], &[]).await?;
        if args.common.json {
            return cx.out.raw(body.raw());
        }
        return view::request(&body.read()?, &mut cx.out);
    }
    let (scope, none) = match (args.to_approve, args.all) {
        (true, _) => ("to-approve", "Nothing waits for you to decide."),
        (_, true) => ("all", "There is no request."),
        _ => ("mine", "You have no request; `curfew targets` shows what you can ask for."),
    };
    let list = client.list(&["requests"], &[("scope", scope)]).await?;
    if args.common.json {
        return cx.out.raw(&list.json());
    }
    let table = view::requests(&list.read::<Request>()?, &cx.out);
    cx.out.table(&table, none)
}
