//! `curfew whoami`: who is signed in, with which roles, until when.

use super::CliError;
use super::client::wire::Whoami;
use super::context::{Common, Context};
use super::output::{Tone, clean};

/// Arguments of `curfew whoami`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Nobody is signed in, or the gate can't be reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let client = cx.client(&args.common)?;
    let body = client.get(&["whoami"], &[]).await?;
    if args.common.json {
        return cx.out.raw(body.raw());
    }
    let me: Whoami = body.read()?;
    let out = &mut cx.out;
    let who = out.paint(Tone::Strong, &clean(me.identity.shown()));
    let name = me.identity.name.as_deref().filter(|name| *name != me.identity.shown());
    out.line(match name {
        Some(name) => format!("{who} ({})", clean(name)),
        None => who,
    })?;
    out.fact("gate", client.url().to_string())?;
    out.fact("roles", clean(&me.roles.join(", ")))?;
    let ends = out.when(me.signin.expires_at);
    out.fact("signed in", format!("by {}, ends {ends}", clean(&me.signin.method)))?;
    out.fact("sign-in", clean(&me.signin.id))
}
