//! `curfew identities`: who ever signed in, and shutting one out or letting it in again.

use serde_json::json;

use super::client::Client;
use super::client::wire::Identity;
use super::context::{Common, Context};
use super::output::{Cell, Table, Tone, clean};
use super::{CliError, ids};

/// Arguments of `curfew identities`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<IdentitiesCommand>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum IdentitiesCommand {
    /// Shut an identity out: its sign-ins and sessions end, and it can't sign in
    Disable(Change),
    /// Let an identity sign in again
    Enable(Change),
}

#[derive(Debug, clap::Args)]
struct Change {
    /// The email, or the first letters of the id
    #[arg(value_name = "EMAIL|ID")]
    who: String,
    /// Why, for the record
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    match args.command {
        Some(IdentitiesCommand::Disable(args)) => return change(args, "disable", cx).await,
        Some(IdentitiesCommand::Enable(args)) => return change(args, "enable", cx).await,
        None => {}
    }
    let list = cx.client(&args.common)?.list(&["identities"], &[]).await?;
    if args.common.json {
        return cx.out.raw(&list.json());
    }
    let mut table = Table::new(&["id", "state", "email", "name", "kind", "last signed in", "groups"]);
    for identity in list.read::<Identity>()? {
        table.row([
            Cell::from(&identity.id),
            if identity.disabled { Cell::toned("disabled", Tone::Bad) } else { Cell::state("active") },
            Cell::from(identity.email.as_deref().unwrap_or_default()),
            Cell::from(identity.name.as_deref().unwrap_or_default()),
            Cell::from(&identity.kind),
            Cell::from(identity.last_signin_at.map(|at| cx.out.when(at)).unwrap_or_default()),
            Cell::from(identity.groups.join(", ")),
        ]);
    }
    cx.out.table(&table, "Nobody ever signed in.")
}

async fn change(args: Change, verb: &str, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    let id = find(&client, &args.who).await?;
    let mut ask = serde_json::Map::new();
    ask.extend(args.reason.map(|reason| ("reason".to_owned(), json!(reason))));
    let body = client.post(&["identities", &id, verb], &ask).await?;
    if args.common.json {
        return cx.out.raw(body.raw());
    }
    let (who, id) = (clean(&args.who), clean(&id));
    cx.out.line(match verb {
        "disable" => format!("Disabled: {who} ({id}). Its sign-ins and sessions have ended."),
        _ => format!("Enabled: {who} ({id}) may sign in again."),
    })
}

/// By email where there is an `@`, else by id.
async fn find(client: &Client, who: &str) -> Result<String, CliError> {
    if !who.contains('@') {
        return ids::complete(client, ids::IDENTITY, who).await;
    }
    let all: Vec<Identity> = client.list(&["identities"], &[]).await?.read()?;
    let same =
        |identity: &Identity| identity.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(who));
    let found: Vec<_> = all.into_iter().filter(same).map(|identity| identity.id).collect();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(CliError::failed(format!("nobody with the email {} ever signed in", clean(who)))
            .hint("`curfew identities` lists them")),
        several => Err(CliError::usage(format!("{} has several identities", clean(who)))
            .hint(format!("name one by its id: {}", clean(&several.join(", "))))),
    }
}
