//! `curfew keys`: the SSH keys that are bound to sign-ins, and the end of such a bond.

use serde::Deserialize;
use serde_json::json;

use crate::cli::CliError;
use crate::cli::client::Client;
use crate::cli::client::wire::BoundKey;
use crate::cli::context::{Common, Context};
use crate::cli::output::{Cell, Table, clean};

/// Arguments of `curfew keys`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<KeysCommand>,
    /// Everybody's, for auditors and admins
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum KeysCommand {
    /// Take a key away from its sign-in: it signs nobody in any more
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// The key; the first characters of its fingerprint are enough
    fingerprint: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Deserialize)]
struct Keys {
    items: Vec<BoundKey>,
}

/// Runs it.
///
/// # Errors
/// Refused, or not reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    if let Some(KeysCommand::Revoke(args)) = args.command {
        return revoke(args, cx).await;
    }
    let scope = if args.all { "all" } else { "mine" };
    let body = cx.client(&args.common)?.get(&["ssh", "keys"], &[("scope", scope)]).await?;
    if args.common.json {
        return cx.out.raw(body.raw());
    }
    let mut table = Table::new(&["fingerprint", "who", "sign-in", "from", "bound", "ends"]);
    for key in body.read::<Keys>()?.items {
        table.row([
            Cell::from(&key.fingerprint),
            Cell::from(&key.email),
            Cell::from(&key.signin),
            Cell::from(key.address.as_deref().unwrap_or_default()),
            Cell::from(cx.out.when(key.created_at)),
            Cell::from(cx.out.when(key.expires_at)),
        ]);
    }
    cx.out.table(&table, "No SSH key is bound to a sign-in.")
}

async fn revoke(args: Revoke, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    let fingerprint = complete(&client, &args.fingerprint).await?;
    client.post(&["ssh", "keys", "revoke"], &json!({ "fingerprint": fingerprint })).await?;
    if args.common.json {
        return cx.out.raw(json!({ "fingerprint": fingerprint }).to_string().as_bytes());
    }
    cx.out.line(format!("Revoked: the key {}. It signs nobody in any more.", clean(&fingerprint)))
}

/// The whole fingerprint that `typed` begins, with or without `SHA256:`. One's own keys come first.
async fn complete(client: &Client, typed: &str) -> Result<String, CliError> {
    let bare = |text: &str| text.strip_prefix("SHA256:").unwrap_or(text).trim_end_matches('=').to_owned();
    let begin = bare(typed.trim());
    for scope in ["mine", "all"] {
        let body = match client.get(&["ssh", "keys"], &[("scope", scope)]).await {
            Ok(body) => body,
            // Not everybody may see everybody's.
            Err(_) if scope == "all" => continue,
            Err(error) => return Err(error),
        };
        let mut found: Vec<_> = body.read::<Keys>()?.items.into_iter().map(|key| key.fingerprint).collect();
        found.retain(|fingerprint| !begin.is_empty() && bare(fingerprint).starts_with(&begin));
        match found.as_slice() {
            [] => {}
            [one] => return Ok(one.clone()),
            several => {
                let shown: Vec<_> = several.iter().take(5).map(|one| clean(one)).collect();
                return Err(CliError::usage(format!(
                    "several keys begin with `{}`; type more of it: {}",
                    clean(typed),
                    shown.join(", ")
                )));
            }
        }
    }
    // A key that is named in full may be one that only the gate knows to be ours.
    if begin.len() == 43 {
        return Ok(format!("SHA256:{begin}"));
    }
    Err(CliError::failed(format!("no key that you can see begins with `{}`", clean(typed)))
        .hint("`curfew keys` lists yours"))
}
