//! `curfew login`: makes sure of the gate, signs in, and fetches certificates for psql and ssh.
//!
//! Owns the order: nothing is saved about a gate that nobody vouched for, no token is asked for before that, and none
//! is ever printed.

mod authority;
pub(super) mod device;
mod loopback;
mod oauth;

use std::io::{self, IsTerminal};

pub(super) use oauth::Metadata;

use super::client::{About, Client, GateUrl, Trust, trust, wire};
use super::context::Context;
use super::output::{Output, Tone, answer, clean};
use super::{CliError, certificate, ssh};

/// Arguments of `curfew login`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address of the gate, such as https://gate.example.com; left out, that of the last login
    #[arg(env = "CURFEW_GATE", hide_env_values = true)]
    url: Option<String>,
    /// Sign in on another machine's browser, with a code to type there and digits to type here
    #[arg(long)]
    device: bool,
    /// The fingerprint (SHA256:…) that the gate's authority must have, as whoever runs it told you
    #[arg(long, value_name = "FINGERPRINT")]
    ca_fingerprint: Option<String>,
    /// Print the address to open, and open no browser
    #[arg(long, conflicts_with = "device")]
    no_browser: bool,
    /// Print who is signed in as JSON
    #[arg(long)]
    json: bool,
}

/// Runs it.
///
/// # Errors
/// The gate is not believed, refuses, or can't be reached.
pub async fn run(args: Args, cx: &mut Context) -> Result<(), CliError> {
    let url = match args.url.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => GateUrl::parse(text)?,
        None => cx.home.last()?,
    };
    let saved = cx.home.gate(&url);
    let first = saved.authority().is_none();
    let out = &mut cx.out;
    let given = args.ca_fingerprint.as_deref();
    let confirmed = authority::confirm(&url, &saved, given, |found| vouch(out, &url, found)).await?;
    if first {
        cx.out.note(format!("The authority of {url}: {}", confirmed.fingerprint))?;
    }
    let before = saved.about();
    let about = About {
        url: url.to_string(),
        fingerprint: confirmed.fingerprint,
        trust: confirmed.trust,
        email: before.as_ref().and_then(|about| about.email.clone()),
        signin_ends_at: before.as_ref().and_then(|about| about.signin_ends_at),
        certificate_ends_at: before.as_ref().and_then(|about| about.certificate_ends_at),
        ssh: before.and_then(|about| about.ssh),
    };
    saved.save_gate(&confirmed.pem, &about)?;

    let tls = match about.trust {
        Trust::Authority => trust::authority(&confirmed.pem)?,
        Trust::System => trust::system()?,
    };
    let stranger = Client::believing(&url, tls)?;
    let metadata = Metadata::fetch(&stranger).await?;
    let token = if args.device {
        device::sign_in(&stranger, &metadata, &mut cx.out, typed).await?
    } else {
        loopback::sign_in(&stranger, &metadata, &mut cx.out, !args.no_browser).await?
    };
    saved.save_token(&token)?;
    cx.home.remember(&url)?;

    let client = Client::signed_in(&saved)?;
    let body = client.get(&["whoami"], &[]).await?;
    let me: wire::Whoami = body.read()?;
    saved.save_about(&About {
        email: me.identity.email.clone(),
        signin_ends_at: Some(me.signin.expires_at),
        certificate_ends_at: None,
        ssh: None,
        ..about
    })?;
    let until = certificate::begin(&client, &saved).await?;
    // Whoever came for psql is not kept out by what went wrong with ssh.
    let ssh = ssh::certificate::begin(&client, &saved, cx).await;
    if args.json {
        return cx.out.raw(body.raw());
    }
    let out = &mut cx.out;
    let ssh = match ssh {
        Ok(held) => held,
        Err(error) => {
            out.note(format!("There is no certificate for ssh: {error}"))?;
            None
        }
    };
    let who = out.paint(Tone::Strong, &clean(me.identity.shown()));
    out.line(format!("Signed in at {url} as {who}"))?;
    let ends = out.when(me.signin.expires_at);
    out.fact("until", ends)?;
    let ends = out.when(until);
    out.fact("psql", format!("signs in silently; its certificate ends {ends}, and `curfew psql` renews it"))?;
    if let Some(held) = ssh {
        let ends = out.when(held.ends);
        out.fact(
            "ssh",
            format!("signs in silently through `curfew ssh-config`; its certificate ends {ends}"),
        )?;
        match held.agent {
            ssh::Agent::Absent => {}
            ssh::Agent::Holds => {
                out.fact("agent", "holds the key for ssh, as long as its certificate is good")?
            }
            ssh::Agent::Refused(why) => {
                out.note(format!("The SSH agent did not take the key ({why}); ssh reads it from its file."))?;
            }
        }
    }
    out.fact("next", "type `curfew targets` to see what you can reach or ask for")
}

/// Asks a person at a terminal whether this is the gate's authority.
fn vouch(out: &mut Output, url: &GateUrl, found: &str) -> Result<bool, CliError> {
    out.note(format!(
        "This is the first login at {url} from here. Its authority has the fingerprint\n\n  {found}\n"
    ))?;
    if !io::stdin().is_terminal() {
        return Err(CliError::usage("nobody is at the terminal to confirm the gate's authority")
            .hint(format!("compare the fingerprint, then add `--ca-fingerprint {found}`")));
    }
    out.ask("Is that what whoever runs the gate told you? Type yes to save it:")?;
    Ok(answer()? == "yes")
}

/// A line from standard input, while the rest goes on.
async fn typed() -> Result<String, CliError> {
    tokio::task::spawn_blocking(answer)
        .await
        .unwrap_or_else(|_| Err(CliError::failed("standard input can't be read")))
}
