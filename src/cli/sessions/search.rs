//! `curfew sessions search`: where a text was, in all recordings.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::cli::CliError;
use crate::cli::context::{Common, Context};
use crate::cli::output::{Output, Tone, clean, parse_at};
use crate::toml_doc::parse_duration;

/// Arguments of `curfew sessions search`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to look for, whatever its case: in terminals as they looked, statements, commands, paths
    text: String,
    /// Only what happened since then: `7d` (that long ago), 14:00, 2026-11-20T09:00
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only sessions that started before then
    #[arg(long, value_name = "WHEN")]
    before: Option<String>,
    /// Only sessions to this target
    #[arg(long)]
    target: Option<String>,
    /// Only sessions of the person with this email
    #[arg(long, value_name = "EMAIL")]
    who: Option<String>,
    /// The most lines to give, 1000 at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: Option<u16>,
    #[command(flatten)]
    common: Common,
}

#[derive(Deserialize)]
struct Found {
    session: String,
    who: String,
    target: String,
    account: String,
    at: Timestamp,
    place: String,
    #[serde(default)]
    channel: Option<u32>,
    line: String,
}

#[derive(Deserialize)]
struct Done {
    sessions: u64,
    #[serde(default)]
    unreadable: u64,
    complete: bool,
    #[serde(default)]
    before: Option<Timestamp>,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    let when = |text: &Option<String>| text.as_deref().map(|text| past(text, &cx.out)).transpose();
    let (since, before) = (when(&args.since)?, when(&args.before)?);
    let limit = args.limit.map(|limit| limit.to_string());
    let query: Vec<(&str, &str)> = [
        ("text", Some(&args.text)),
        ("since", since.as_ref()),
        ("before", before.as_ref()),
        ("target", args.target.as_ref()),
        ("who", args.who.as_ref()),
        ("limit", limit.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?.as_str())))
    .collect();
    let mut lines = client.lines(&["search"], &query).await?;
    let mut shown = Shown::default();
    while let Some(line) = lines.next().await? {
        if line.is_empty() {
            continue;
        }
        let value: Value = serde_json::from_slice(&line).map_err(|error| not_understood(&error))?;
        let done = value.get("done").is_some();
        if args.common.json {
            cx.out.raw(&line)?;
        } else if done {
            shown
                .end(&serde_json::from_value(value).map_err(|error| not_understood(&error))?, &mut cx.out)?;
        } else {
            shown
                .line(&serde_json::from_value(value).map_err(|error| not_understood(&error))?, &mut cx.out)?;
        }
        if done {
            return Ok(());
        }
    }
    Err(CliError::failed("the search broke off").hint("try again; `--since` makes it shorter"))
}

/// A moment in the past, as RFC 3339.
fn past(text: &str, out: &Output) -> Result<String, CliError> {
    let now = out.now();
    let at = match parse_duration(text) {
        Ok(ago) => now.checked_sub(ago).map_err(|_| CliError::usage(format!("`{text}` is too long ago")))?,
        Err(_) => {
            let at = parse_at(text, now, out.zone()).map_err(|wrong| {
                CliError::usage(format!("a time {wrong}")).hint("or how long ago, such as `7d`")
            })?;
            // A time of the day is the last one, not the next.
            let of_day = at > now && !text.contains('-');
            if of_day { at.checked_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(at) } else { at }
        }
    };
    Ok(at.to_string())
}

fn not_understood(error: &serde_json::Error) -> CliError {
    CliError::failed(format!("the gate's answer is not understood: {error}"))
        .hint("is this curfew as new as the gate? `curfew --version` tells")
}

#[derive(Default)]
struct Shown {
    sessions: HashSet<String>,
}

impl Shown {
    fn line(&mut self, found: &Found, out: &mut Output) -> Result<(), CliError> {
        if self.sessions.insert(found.session.clone()) {
            let id = out.paint(Tone::Strong, &clean(&found.session));
            let what = format!("{} on {} as {}", found.who, found.target, found.account);
            out.line(format!("{id}  {}", clean(&what)))?;
        }
        let at = found.at.to_zoned(out.zone().clone()).strftime("%F %T %Z").to_string();
        let at = out.paint(Tone::Dim, &at);
        let channel = found.channel.map_or_else(String::new, |channel| format!(" {channel}"));
        let place = clean(&format!("{}{channel}", found.place));
        out.line(format!("  {at}  {place:<11}  {}", clean(found.line.trim())))
    }

    fn end(&self, done: &Done, out: &mut Output) -> Result<(), CliError> {
        let count = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        if self.sessions.is_empty() {
            out.note(format!("Not found in {}.", count(done.sessions, "recording")))?;
        }
        if done.unreadable > 0 {
            let these = count(done.unreadable, "recording");
            out.note(format!("{these} could not be read to the end; `curfew sessions verify` says why."))?;
        }
        match done.before {
            Some(before) if !done.complete => {
                out.note(format!("There is more: add `--before {before}` to go on from here."))
            }
            _ => Ok(()),
        }
    }
}
