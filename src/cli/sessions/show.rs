//! `curfew sessions show`: everything about one session.

use crate::cli::client::wire::Session;
use crate::cli::context::{Common, Context};
use crate::cli::output::clean;
use crate::cli::{CliError, ids};

/// Arguments of `curfew sessions show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The session; the first letters of its id are enough
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
    let id = ids::complete(&client, ids::SESSION, &args.id).await?;
    let body = client.get(&["sessions", &id], &[]).await?;
    if args.common.json {
        return cx.out.raw(body.raw());
    }
    let session: Session = body.read()?;
    let out = &mut cx.out;
    let reason = session.end_reason.as_deref().unwrap_or(if session.live { "live" } else { "ended" });
    let state = out.paint(if session.live { super::Tone::Good } else { super::tone(reason) }, &clean(reason));
    out.line(format!("{}  {state}", clean(&session.id)))?;
    let some = |text: &Option<String>| clean(text.as_deref().unwrap_or_default());
    out.fact("who", clean(session.identity.shown()))?;
    out.fact(
        "what",
        format!("{} as {} ({})", clean(&session.target), clean(&session.account), clean(&session.protocol)),
    )?;
    out.fact("database", some(&session.database))?;
    out.fact("from", some(&session.client_address))?;
    out.fact("program", some(&session.program))?;
    let began = out.when(session.started_at);
    out.fact("began", began)?;
    let ended = session.ended_at.map(|at| out.when(at)).unwrap_or_default();
    out.fact("ended", ended)?;
    out.fact("because", some(&session.end_detail))?;
    if let Some(cut) = &session.cut {
        let latency = |us: u64| format!("{}.{:03} ms after the end", us / 1_000, us % 1_000);
        out.fact("cut", cut.latency_us.map_or_else(String::new, latency))?;
        out.fact("no goodbye", some(&cut.no_goodbye))?;
        out.fact("was doing", some(&cut.outstanding))?;
        out.fact("target", some(&cut.target_work))?;
    }
    out.fact("bytes", format!("{} in, {} out", session.bytes_in, session.bytes_out))?;
    if let Some(recording) = &session.recording {
        let sealed = if recording.sealed { "sealed" } else { "not sealed yet" };
        let (chunks, events) = (recording.chunks, recording.events);
        out.fact("recording", format!("{chunks} chunks, {events} events, {sealed}"))?;
    }
    out.fact("contract", some(&session.contract))?;
    out.fact("grant", some(&session.grant))?;
    out.fact("request", some(&session.request))
}
