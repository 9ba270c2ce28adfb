//! `curfew approve`: says yes to somebody's request, perhaps for a shorter time.

use std::time::Duration;

use serde_json::json;

use super::act::{Done, act};
use super::client::wire::Request;
use super::context::{Common, Context};
use super::output::clean;
use super::{CliError, ids, view};
use crate::toml_doc::parse_duration;

/// Arguments of `curfew approve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The request; the first letters of its id are enough
    id: String,
    /// For no longer than this, such as 30m
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// A word to the requester and for the record
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let mut ask = serde_json::Map::new();
    ask.extend(args.duration.map(|duration| ("duration_seconds".to_owned(), json!(duration.as_secs()))));
    ask.extend(args.note.map(|note| ("note".to_owned(), json!(note))));
    let done = act(cx, &args.common, (ids::TO_DECIDE, &args.id), "approve", &ask).await?;
    let Some(Done { body, .. }) = done else { return Ok(()) };
    let request: Request = body.read()?;
    let who = clean(request.requester.shown());
    let what = format!("{} as {}", clean(&request.target), clean(&request.account));
    if request.state == "pending" {
        let waits = view::waits_for(&request, &cx.out);
        let counts = if request.counted_before {
            "Your approval had been counted already: it counts once, as you gave it last."
        } else {
            "Your approval counts."
        };
        return cx.out.line(format!("{counts} {who} still waits {waits}."));
    }
    cx.out.line(format!("Approved: {who} may use {what} for {}.", view::length(request.duration_seconds)))?;
    match &request.grant_id {
        Some(grant) => {
            cx.out.fact("take back", format!("type `curfew revoke {} --reason WHY`", clean(grant)))
        }
        None => Ok(()),
    }
}
