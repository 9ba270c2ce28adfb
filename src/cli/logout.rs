//! `curfew logout`: ends the sign-in at the gate, and removes it here.
//!
//! Owns the promise that afterwards nothing on this machine signs in any more, whatever the gate says.

use super::context::{Common, Context};
use super::{CliError, Exit, ssh};

/// Arguments of `curfew logout`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
}

/// Runs it.
///
/// # Errors
/// Nobody is signed in; or the gate could not be told, and then what is here is removed all the same.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let saved = cx.saved(&args.common)?;
    let url = saved.url().clone();
    let told = match cx.client(&args.common) {
        Ok(client) => client.post(&["signout"], &serde_json::json!({})).await,
        Err(error) => Err(error),
    };
    ssh::certificate::forget(&saved, cx).await?;
    saved.forget()?;
    match told {
        Ok(body) if args.common.json => cx.out.raw(body.raw()),
        Ok(_) => cx.out.line(format!(
            "Signed out at {url}. The certificates are worthless, and sessions that used them have ended."
        )),
        Err(error) if error.exit() == Exit::NotSignedIn => Err(error),
        Err(error) => {
            let ends = saved.about().and_then(|about| about.signin_ends_at);
            let until =
                ends.map_or_else(String::new, |ends| format!(" It ends {} by itself.", cx.out.when(ends)));
            cx.out.note(format!("The sign-in was removed here, but the gate still knows it.{until}"))?;
            Err(error)
        }
    }
}
