//! `curfew targets`: what one may reach now, or ask for, and under which contract.

use std::time::Duration;

use super::CliError;
use super::client::wire::{Offer, Target};
use super::context::{Common, Context};
use super::output::{Cell, Table, Tone};
use crate::toml_doc::show_duration;

/// Arguments of `curfew targets`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let list = cx.client(&args.common)?.list(&["targets"], &[]).await?;
    if args.common.json {
        return cx.out.raw(&list.json());
    }
    let mut table = Table::new(&["target", "account", "now", "contract", "at most", "ask"]);
    for target in list.read::<Target>()? {
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
        cx.out.note("\nAsk with `curfew request TARGET --as ACCOUNT`, connect with `curfew psql TARGET`.")?;
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
