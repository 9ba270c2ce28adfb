//! `curfew credentials`: those of one's sign-ins, and the end of one. `curfew connect` makes them.

use serde::Deserialize;
use serde_json::json;

use super::CliError;
use super::client::wire::Credential;
use super::context::{Common, Context};
use super::output::{Cell, Table, clean};

/// Arguments of `curfew credentials`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<CredentialsCommand>,
    /// Everybody's, for auditors and admins
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum CredentialsCommand {
    /// Take a credential away: nobody connects with it any more
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// The credential's user name: c-…
    user: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Deserialize)]
struct Credentials {
    items: Vec<Credential>,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    if let Some(CredentialsCommand::Revoke(args)) = args.command {
        return revoke(args, cx).await;
    }
    let scope = if args.all { "all" } else { "mine" };
    let body = cx.client(&args.common)?.get(&["credentials"], &[("scope", scope)]).await?;
    if args.common.json {
        return cx.out.raw(body.raw());
    }
    let mut table = Table::new(&["user", "who", "target", "account", "from", "made", "ends"]);
    for made in body.read::<Credentials>()?.items {
        table.row([
            Cell::from(&made.user),
            Cell::from(&made.email),
            Cell::from(&made.target),
            Cell::from(&made.account),
            Cell::from(made.address.as_deref().unwrap_or_default()),
            Cell::from(cx.out.when(made.created_at)),
            Cell::from(cx.out.when(made.expires_at)),
        ]);
    }
    cx.out.table(&table, "There is no credential. `curfew connect TARGET` makes one.")
}

async fn revoke(args: Revoke, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    client.post(&["credentials", "revoke"], &json!({ "user": args.user })).await?;
    if args.common.json {
        return cx.out.raw(json!({ "user": args.user }).to_string().as_bytes());
    }
    cx.out.line(format!("Revoked: the credential {}. Nobody connects with it any more.", clean(&args.user)))
}
