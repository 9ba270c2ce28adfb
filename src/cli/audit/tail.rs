//! `curfew audit tail`: the last events, readable; and those that follow.

use std::time::Duration;

use serde_json::{Map, Value};

use super::pages::Pages;
use crate::cli::client::Client;
use crate::cli::context::{Common, Context};
use crate::cli::output::{Output, Tone, absolute, clean};
use crate::cli::{CliError, Exit};

/// How long to wait before asking a gate again that could not be reached.
const AGAIN: Duration = Duration::from_secs(2);
/// The frame of a line, and what is shown in a place of its own.
const FRAME: [&str; 7] = ["v", "node", "seq", "prev", "at", "kind", "actor"];

/// Arguments of `curfew audit tail`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many events to begin with
    #[arg(short = 'n', long, default_value_t = 20, value_name = "COUNT")]
    lines: u64,
    /// Go on with those that follow, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    let last = Pages::last(&client).await?;
    let mut pages = Pages::after(&client, last.saturating_sub(args.lines));
    let json = args.common.json;
    while let Some(line) = pages.next().await? {
        show(&line, json, &mut cx.out)?;
    }
    if args.follow { follow(&mut pages, &client, json, &mut cx.out).await } else { Ok(()) }
}

async fn follow(
    pages: &mut Pages<'_>,
    client: &Client,
    json: bool,
    out: &mut Output,
) -> Result<(), CliError> {
    let mut lost = false;
    loop {
        match pages.wait().await {
            Ok(lines) => {
                lost = false;
                for line in lines {
                    show(&line, json, out)?;
                }
            }
            Err(error) if error.exit() == Exit::Unreachable => {
                if !lost {
                    out.note(format!(
                        "The gate at {} can't be reached just now; still trying",
                        client.url()
                    ))?;
                }
                lost = true;
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn show(line: &[u8], json: bool, out: &mut Output) -> Result<(), CliError> {
    if json {
        return out.raw(line);
    }
    let text = match serde_json::from_slice::<Map<String, Value>>(line) {
        Ok(event) => readable(&event, out),
        Err(_) => clean(&String::from_utf8_lossy(line)),
    };
    out.line(text)
}

/// `14:22 UTC  session.ended  alice@example.com  reason=expired target=orders`
fn readable(event: &Map<String, Value>, out: &Output) -> String {
    let text = |name| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let at = text("at").parse().map_or_else(|_| clean(text("at")), |at| absolute(at, out.now(), out.zone()));
    let kind = clean(text("kind"));
    let rest: Vec<_> = event
        .iter()
        .filter(|(name, value)| !FRAME.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| format!("{}={}", clean(name), flat(value)))
        .collect();
    let at = out.paint(Tone::Dim, &at);
    let actor = event.get("actor").map(by).unwrap_or_default();
    format!("{at}  {}  {actor}  {}", out.paint(tone(&kind), &format!("{kind:<20}")), rest.join(" "))
        .trim_end()
        .to_owned()
}

fn by(actor: &Value) -> String {
    let text = |name| actor.get(name).and_then(Value::as_str);
    let who = text("email").or_else(|| text("user")).or_else(|| text("identity")).or_else(|| text("is"));
    clean(who.unwrap_or_default())
}

fn flat(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains(char::is_whitespace) || text.is_empty() => {
            format!("\"{}\"", clean(text))
        }
        Value::String(text) => clean(text),
        other => clean(&other.to_string()),
    }
}

fn tone(kind: &str) -> Tone {
    let (_, verb) = kind.rsplit_once('.').unwrap_or_default();
    match verb {
        "refused" | "denied" | "revoked" | "killed" | "failed" | "disabled" => Tone::Bad,
        "approved" | "started" => Tone::Good,
        _ => Tone::Plain,
    }
}
