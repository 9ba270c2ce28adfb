//! `curfew signins`: where one is signed in, and the end of a sign-in.

use serde_json::json;

use super::act::{Done, act};
use super::client::wire::Signin;
use super::context::{Common, Context};
use super::output::{Cell, Table, Tone};
use super::{CliError, ids};

/// Arguments of `curfew signins`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<SigninsCommand>,
    /// Everybody's, for auditors and admins
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum SigninsCommand {
    /// End a sign-in: its token, its certificates and its sessions
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// The sign-in; the first letters of its id are enough
    id: String,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    if let Some(SigninsCommand::Revoke(args)) = args.command {
        return revoke(args, cx).await;
    }
    let scope = if args.all { "all" } else { "mine" };
    let list = cx.client(&args.common)?.list(&["signins"], &[("scope", scope)]).await?;
    if args.common.json {
        return cx.out.raw(&list.json());
    }
    let mut table = Table::new(&["id", "state", "who", "method", "from", "began", "ends"]);
    for signin in list.read::<Signin>()? {
        let ends = signin.ended_at.unwrap_or(signin.expires_at);
        let state = match ends > cx.out.now() {
            true if signin.current => "active, here",
            true => "active",
            false => "ended",
        };
        table.row([
            Cell::from(&signin.id),
            Cell::toned(state, Tone::of_state(state.trim_end_matches(", here"))),
            Cell::from(signin.identity.shown()),
            Cell::from(&signin.method),
            Cell::from(signin.address.as_deref().unwrap_or_default()),
            Cell::from(cx.out.when(signin.created_at)),
            Cell::from(cx.out.when(ends)),
        ]);
    }
    cx.out.table(&table, "There is no sign-in.")
}

async fn revoke(args: Revoke, cx: &mut Context) -> Result<(), CliError> {
    let done = act(cx, &args.common, (ids::SIGNIN, &args.id), "revoke", &json!({})).await?;
    let Some(Done { id, .. }) = done else { return Ok(()) };
    cx.out.line(format!(
        "Revoked: the sign-in {id}. Its certificates are worthless, and its sessions have ended."
    ))
}
