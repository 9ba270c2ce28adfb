//! `curfew contracts explain`: why somebody may or may not reach a target, contract by contract.

use super::CliError;
use super::context::{Common, Context};
use super::output::{clean, parse_at};
use crate::contract::Explanation;

/// Arguments of `curfew contracts explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose access, by email
    #[arg(long, value_name = "EMAIL")]
    who: String,
    /// To which target
    #[arg(long)]
    target: String,
    /// As which account; left out, any
    #[arg(long = "as", value_name = "ACCOUNT")]
    account: Option<String>,
    /// At which time, such as 14:00 or 2026-11-22T09:00+01:00; left out, now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let at = match args.at.as_deref() {
        Some(text) => Some(
            parse_at(text, cx.out.now(), cx.out.zone())
                .map_err(|phrase| CliError::usage(format!("--at {phrase}")))?
                .to_string(),
        ),
        None => None,
    };
    let mut query = vec![("who", args.who.as_str()), ("target", args.target.as_str())];
    query.extend(args.account.as_deref().map(|account| ("account", account)));
    query.extend(at.as_deref().map(|at| ("at", at)));
    let body = cx.client(&args.common)?.get(&["contracts", "explain"], &query).await?;
    if args.common.json {
        return cx.out.raw(body.raw());
    }
    let explanation: Explanation = body.read()?;
    for line in explanation.to_string().lines() {
        cx.out.line(clean(line))?;
    }
    Ok(())
}
