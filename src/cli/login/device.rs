//! Sign-in on a machine without a browser: the device grant (RFC 8628), with a proof that flows back.
//!
//! Owns the polling and the six digits: after consent the page shows them, and only whoever sees that page can type
//! them here. So a code that an attacker sent around is of no use to him.

use std::time::Duration;

use curfew_adapter::Secret;
use serde::Deserialize;

use super::oauth::{self, Answer, CLIENT_ID, Metadata};
use crate::cli::CliError;
use crate::cli::client::Client;
use crate::cli::output::{Output, Tone, clean};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 8628, 3.2: where the gate names no interval.
const INTERVAL: u64 = 5;
/// RFC 8628, 3.5: by how much `slow_down` lengthens it.
const SLOWER: u64 = 5;

#[derive(Deserialize)]
struct Device {
    device_code: String,
    user_code: String,
    verification_uri: url::Url,
    #[serde(default)]
    interval: Option<u64>,
}

/// Signs in and gives the token. `ask` reads a line from the person.
///
/// # Errors
/// Refused, not reached, or too late.
pub async fn sign_in(
    client: &Client,
    metadata: &Metadata,
    out: &mut Output,
    ask: impl AsyncFn() -> Result<String, CliError>,
) -> Result<Secret, CliError> {
    let url = client.url();
    let endpoint = metadata.device_authorization_endpoint.clone().ok_or_else(|| {
        CliError::failed(format!("the gate at {url} has no sign-in for machines without a browser"))
            .hint(format!("type `curfew login {url}` where there is one"))
    })?;
    let (fine, body) = client.form(endpoint, &[("client_id", CLIENT_ID)]).await?;
    if !fine {
        return Err(CliError::failed(format!(
            "the gate at {url} did not begin a sign-in; try again in a minute"
        )));
    }
    let device: Device = body.read()?;
    if !url.owns(&device.verification_uri) {
        return Err(CliError::failed(format!(
            "the gate at {url} sends you to another host, so it stops here"
        )));
    }
    out.note(format!(
        "Open {} in a browser on any machine, and type this code there:\n",
        device.verification_uri
    ))?;
    let code = out.paint(Tone::Strong, &clean(&device.user_code));
    out.note(format!("  {code}\n"))?;

    let mut interval = device.interval.unwrap_or(INTERVAL).clamp(1, 60);
    let mut digits: Option<String> = None;
    loop {
        if digits.is_none() {
            tokio::time::sleep(Duration::from_secs(interval)).await;
        }
        let mut fields =
            vec![("grant_type", GRANT), ("client_id", CLIENT_ID), ("device_code", &device.device_code)];
        if let Some(digits) = &digits {
            fields.push(("digits", digits));
        }
        let (code, description) = match oauth::token(client, metadata, &fields).await? {
            Answer::Token(token) => return Ok(token),
            Answer::Error(code, description) => (code, description),
        };
        digits = match code.as_str() {
            "authorization_pending" => None,
            "slow_down" => {
                interval = interval.saturating_add(SLOWER);
                None
            }
            "digits_required" => Some(six_digits(out, &ask).await?),
            "digits_wrong" => {
                out.note("Those are not the digits that the page shows.")?;
                Some(six_digits(out, &ask).await?)
            }
            _ => return Err(oauth::refusal(&code, &description)),
        };
    }
}

async fn six_digits(
    out: &mut Output,
    ask: &impl AsyncFn() -> Result<String, CliError>,
) -> Result<String, CliError> {
    loop {
        out.ask("Type the six digits that the page shows:")?;
        let typed: String = ask().await?.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        if typed.len() == 6 && typed.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(typed);
        }
        out.note("Those are not six digits.")?;
    }
}
