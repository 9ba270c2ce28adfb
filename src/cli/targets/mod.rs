//! `curfew targets`: what one may reach now, or ask for, and under which contract.

mod add_postgres;
mod add_ssh;
mod check;
mod pasted;

use std::time::Duration;

use super::CliError;
use super::client::wire::{Offer, Target};
use super::context::{Common, Context};
use super::output::{Cell, Table, Tone};
use crate::toml_doc::show_duration;

/// Arguments of `curfew targets`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<TargetsCommand>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum TargetsCommand {
    /// What an SSH host's sshd_config and the gate's configuration need, to be pasted; nothing is changed
    AddSsh(add_ssh::Args),
    /// What a Postgres server's pg_hba.conf and the gate's configuration need, to be pasted; nothing is changed
    AddPostgres(add_postgres::Args),
    /// Connect to a target as the gate would, on the gate's machine, and say what is still open
    Check(check::Args),
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    match args.command {
        Some(TargetsCommand::AddSsh(args)) => return add_ssh::run(args, cx).await,
        Some(TargetsCommand::AddPostgres(args)) => return add_postgres::run(&args, cx),
        Some(TargetsCommand::Check(args)) => return check::run(args, cx).await,
        None => {}
    }
    let list = cx.client(&args.common)?.list(&["targets"], &[]).await?;
    if args.common.json {
        return cx.out.raw(&list.json());
    }
    let mut table = Table::new(&["target", "account", "now", "contract", "at most", "ask"]);
    let mut speaks_ssh = false;
    for target in list.read::<Target>()? {
        speaks_ssh |= target.protocol == "ssh";
        for account in &target.accounts {
            let now = match &account.grant {
                Some(_) => Cell::toned("open", Tone::Good),
                None => Cell::toned("ask", Tone::Waiting),
            };
            let begin = [Cell::from(&target.name), Cell::from(&account.name), now];
            if account.contracts.is_empty() {
                table.row(begin.clone());
            }
            for offer in &account.contracts {
                let most = show_duration(Duration::from_secs(offer.max_seconds));
                let end = [Cell::from(&offer.name), Cell::from(most), Cell::from(terms(offer))];
                table.row(begin.clone().into_iter().chain(end));
            }
        }
    }
    let open = !table.is_empty();
    cx.out.table(&table, "No contract lets you reach or ask for any target.")?;
    if open && cx.out.is_terminal() {
        let or_ssh = if speaks_ssh { " or `curfew ssh TARGET`" } else { "" };
        let ask = "Ask with `curfew request TARGET --as ACCOUNT`, connect with `curfew psql TARGET`";
        cx.out.note(format!("\n{ask}{or_ssh}."))?;
    }
    Ok(())
}

fn terms(offer: &Offer) -> String {
    let approval = if offer.needs_approval { "approval" } else { "granted at once" };
    match (offer.reason_required, offer.ticket.is_some()) {
        (false, false) => approval.to_owned(),
        (true, false) => format!("{approval}, with a reason"),
        (false, true) => format!("{approval}, with a ticket"),
        (true, true) => format!("{approval}, with a reason and a ticket"),
    }
}
