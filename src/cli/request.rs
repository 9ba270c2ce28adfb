//! `curfew request`: asks for access to a target, and waits for the answer if told to.
//!
//! Owns the wait: it ends with the decision, or with Ctrl-C, which leaves the request as it is.

use std::time::Duration;

use serde::Serialize;

use super::client::wire::Request;
use super::client::{Body, Client};
use super::context::{Common, Context};
use super::output::{Output, clean, parse_at};
use super::{CliError, Exit, view};
use crate::toml_doc::parse_duration;

/// How often a waiting client looks.
const LOOK: Duration = Duration::from_secs(2);
/// How many looks in a row may fail to reach the gate: a restart takes no longer.
const LOOKS_LOST: u32 = 30;

/// Arguments of `curfew request`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The target, as `curfew targets` lists it
    target: String,
    /// The account on the target; needed where several are offered
    #[arg(long = "as", value_name = "ACCOUNT")]
    account: Option<String>,
    /// For how long, such as 90m or 1h30m; left out, the contract's default
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// From when, such as 14:00 or 2026-11-22T09:00+01:00; left out, from the approval on
    #[arg(long = "at", value_name = "TIME")]
    starts_at: Option<String>,
    /// Why, for those who decide and for the record
    #[arg(long)]
    reason: Option<String>,
    /// The ticket that it is about, where the contract wants one
    #[arg(long)]
    ticket: Option<String>,
    /// The contract to ask under; needed where several fit
    #[arg(long)]
    contract: Option<String>,
    /// Wait until it is decided; exit with 0 only when it is granted
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
struct Ask {
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<jiff::Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
}

/// Runs it.
///
/// # Errors
/// Refused, not reached, or, with `--wait`, not granted.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let starts_at = match args.starts_at.as_deref() {
        Some(text) => Some(
            parse_at(text, cx.out.now(), cx.out.zone())
                .map_err(|phrase| CliError::usage(format!("--at {phrase}")))?,
        ),
        None => None,
    };
    let client = cx.client(&args.common)?;
    let ask = Ask {
        target: args.target,
        account: args.account,
        contract: args.contract,
        duration_seconds: args.duration.map(|duration| duration.as_secs()),
        starts_at,
        reason: args.reason,
        ticket: args.ticket,
    };
    let body = client.create(&["requests"], &ask).await?;
    answered(body, args.wait, args.common.json, &client, &mut cx.out).await
}

/// Shows what became of a new request, or waits until something did. `curfew extend` ends here too.
pub(super) async fn answered(
    body: Body,
    wait: bool,
    json: bool,
    client: &Client,
    out: &mut Output,
) -> Result<(), CliError> {
    let asked: Request = body.read()?;
    if !(wait && asked.state == "pending") {
        return if json { out.raw(body.raw()) } else { tell(&asked, out) };
    }
    let id = asked.id.clone();
    let stopped = || {
        CliError::failed(format!("stopped waiting; the request {id} is still pending"))
            .hint(format!("type `curfew cancel {id}` to take it back"))
    };
    let body = tokio::select! {
        decided = decision(asked, client, out) => decided?,
        _ = tokio::signal::ctrl_c() => return Err(stopped()),
    };
    let decided: Request = body.read()?;
    if json {
        out.raw(body.raw())?;
    }
    if decided.state == "approved" {
        return if json { Ok(()) } else { tell(&decided, out) };
    }
    Err(not_granted(&decided))
}

/// Looks until the request is no longer pending. What it waits for is told when it changes.
async fn decision(asked: Request, client: &Client, out: &mut Output) -> Result<Body, CliError> {
    let since = out.when(asked.created_at);
    out.note(format!("Asked as {} {since}; the page is {}", clean(&asked.id), clean(&asked.url)))?;
    let mut told = view::waits_for(&asked, out);
    let mut known = (asked.approvals, asked.approvers);
    out.note(format!("Waiting {told}"))?;
    let mut lost = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        let body = match client.get(&["requests", &asked.id], &[]).await {
            Ok(body) => body,
            Err(error) if error.exit() == Exit::Unreachable && lost < LOOKS_LOST => {
                if lost == 0 {
                    out.note("The gate can't be reached just now; still waiting")?;
                }
                lost += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        lost = 0;
        let request: Request = body.read()?;
        if request.state != "pending" {
            return Ok(body);
        }
        let waits = view::waits_for(&request, out);
        let now = (request.approvals, request.approvers);
        if now != known {
            told = waits;
            known = now;
            out.note(format!("Waiting {told}"))?;
        }
    }
}

/// What became of a request, and what to type next.
fn tell(request: &Request, out: &mut Output) -> Result<(), CliError> {
    view::request(request, out)?;
    let (target, account) = (clean(&request.target), clean(&request.account));
    match request.state.as_str() {
        "approved" if request.kind == "extension" => Ok(()),
        "approved" => {
            let command = if request.protocol == "ssh" { "ssh" } else { "psql" };
            out.fact("next", format!("type `curfew {command} {target} --as {account}`"))
        }
        "pending" => out.fact("next", format!("type `curfew cancel {}` to take it back", clean(&request.id))),
        _ => Ok(()),
    }
}

fn not_granted(request: &Request) -> CliError {
    let id = clean(&request.id);
    let last = request.votes.iter().rev().find(|vote| vote.verdict.starts_with("den"));
    let by = last
        .and_then(|vote| vote.email.as_deref())
        .map_or_else(String::new, |by| format!(" by {}", clean(by)));
    let why = last
        .and_then(|vote| vote.note.as_deref())
        .map_or_else(String::new, |why| format!(": {}", clean(why)));
    CliError::failed(match request.state.as_str() {
        "denied" => format!("the request {id} was denied{by}{why}"),
        "expired" => format!("nobody decided the request {id} in time"),
        "cancelled" => format!("the request {id} was cancelled"),
        other => format!("the request {id} is {}", clean(other)),
    })
    .hint(format!("`curfew requests {id}` shows all of it"))
}
