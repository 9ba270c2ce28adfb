//! `curfew sessions`: what goes on and what went on, and its recordings.

mod export;
mod kill;
mod play;
mod player;
mod search;
mod show;
mod verify;

use super::CliError;
use super::client::wire::Session;
use super::context::{Common, Context};
use super::output::{Cell, Table, Tone, span};

/// Arguments of `curfew sessions`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<SessionsCommand>,
    /// Only those that run now
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum SessionsCommand {
    /// Everything about one session
    Show(show::Args),
    /// Play a recording: a terminal as it looked, anything else line by line
    Play(play::Play),
    /// Watch a session while it runs
    Watch(play::Watch),
    /// Where a text was, in all recordings
    Search(search::Args),
    /// What happened in a session, one JSON event a line; its SQL as a script; a terminal as asciicast; or its sealed recording
    Export(export::Args),
    /// Check, on this machine, that a recording is whole and unchanged
    Verify(verify::Args),
    /// End a session, and keep its person from that target and account for a minute
    Kill(kill::Args),
}

/// Runs it.
///
/// # Errors
/// Refused, not reached, or, for `verify`, not as it was sealed.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    match args.command {
        Some(SessionsCommand::Show(args)) => return show::run(args, cx).await,
        Some(SessionsCommand::Play(args)) => return play::play(args, cx).await,
        Some(SessionsCommand::Watch(args)) => return play::watch(args, cx).await,
        Some(SessionsCommand::Search(args)) => return search::run(args, cx).await,
        Some(SessionsCommand::Export(args)) => return export::run(args, cx).await,
        Some(SessionsCommand::Verify(args)) => return verify::run(args, cx).await,
        Some(SessionsCommand::Kill(args)) => return kill::run(args, cx).await,
        None => {}
    }
    let query = [("live", "true")];
    let query = if args.live { &query[..] } else { &[][..] };
    let list = cx.client(&args.common)?.list(&["sessions"], query).await?;
    if args.common.json {
        return cx.out.raw(&list.json());
    }
    let mut table = Table::new(&["id", "state", "who", "target", "account", "from", "began", "lasted"]);
    for session in list.read::<Session>()? {
        let until = session.ended_at.unwrap_or_else(|| cx.out.now());
        table.row([
            Cell::from(&session.id),
            state(&session),
            Cell::from(session.identity.shown()),
            Cell::from(&session.target),
            Cell::from(&session.account),
            Cell::from(session.client_address.as_deref().unwrap_or_default()),
            Cell::from(cx.out.when(session.started_at)),
            Cell::from(span(until.duration_since(session.started_at))),
        ]);
    }
    cx.out.table(&table, if args.live { "No session runs." } else { "There is no session." })
}

/// `live`, or the reason of its end.
fn state(session: &Session) -> Cell {
    match session.end_reason.as_deref() {
        None if session.live => Cell::state("live"),
        None => Cell::state("ended"),
        Some(reason) => Cell::toned(reason, tone(reason)),
    }
}

/// A session that Curfew cut stands out from one that its peers closed.
fn tone(reason: &str) -> Tone {
    match reason {
        "client_closed" | "target_closed" => Tone::Dim,
        "expired" | "returned" | "idle" | "drained" => Tone::Waiting,
        _ => Tone::Bad,
    }
}
