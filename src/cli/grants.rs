//! `curfew grants`: one's own, or all that one may see; or everything about one.

use super::client::wire::Grant;
use super::context::{Common, Context};
use super::{CliError, ids, view};

/// Arguments of `curfew grants`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show everything about this one; the first letters of its id are enough
    #[arg(conflicts_with = "all")]
    id: Option<String>,
    /// Everybody's that one may see
    #[arg(long)]
    all: bool,
    /// Those of others that one may take away
    #[arg(long, conflicts_with_all = ["all", "id"])]
    to_revoke: bool,
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
        let id = ids::complete(&client, ids::GRANT, id).await?;
        let body = client.get(&["grants", &id], &[]).await?;
        if args.common.json {
            return cx.out.raw(body.raw());
        }
        return view::grant(&body.read()?, &mut cx.out);
    }
    let scope = match (args.all, args.to_revoke) {
        (true, _) => "all",
        (_, true) => "to-revoke",
        _ => "mine",
    };
    let list = client.list(&["grants"], &[("scope", scope)]).await?;
    if args.common.json {
        return cx.out.raw(&list.json());
    }
    let table = view::grants(&list.read::<Grant>()?, &cx.out);
    let none = if args.to_revoke {
        "There is no grant that you may take away."
    } else {
        "There is no grant; `curfew request TARGET` asks for one."
    };
    cx.out.table(&table, none)
}
