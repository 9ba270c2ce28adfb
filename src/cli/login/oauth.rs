//! The gate as an OAuth authorization server, seen from its own client.
//!
//! Owns the metadata (RFC 8414), PKCE (RFC 7636) and the token answer (RFC 6749, 5.1 and 5.2). A token never leaves
//! [`Secret`].

use aws_lc_rs::digest::{SHA256, digest};
use curfew_adapter::{Secret, random_bytes};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use url::Url;

use crate::cli::CliError;
use crate::cli::client::{Body, Client};
use crate::cli::output::clean;

/// The name of this client at every gate: public, without a secret.
pub const CLIENT_ID: &str = "curfew-cli";

/// Where the gate's endpoints are.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// The gate's own name for itself.
    pub issuer: String,
    /// Where a browser goes.
    pub authorization_endpoint: Url,
    /// Where codes become tokens.
    pub token_endpoint: Url,
    /// Where a machine without a browser begins.
    pub device_authorization_endpoint: Option<Url>,
}

impl Metadata {
    /// Asks the gate, and checks that it speaks of itself only.
    ///
    /// # Errors
    /// Not reached; or it names another issuer (RFC 8414, 3.3) or endpoints elsewhere.
    pub async fn fetch(client: &Client) -> Result<Self, CliError> {
        let url = client.url();
        let answer = client.get_root(&[".well-known", "oauth-authorization-server"]).await?;
        let metadata: Self = answer.read()?;
        if metadata.issuer.trim_end_matches('/') != url.to_string() {
            let itself = clean(&metadata.issuer);
            return Err(CliError::failed(format!("the gate at {url} calls itself {itself}"))
                .hint(format!("type `curfew login {itself}`, if that is the gate you mean")));
        }
        let endpoints = [
            Some(&metadata.authorization_endpoint),
            Some(&metadata.token_endpoint),
            metadata.device_authorization_endpoint.as_ref(),
        ];
        if endpoints.into_iter().flatten().all(|endpoint| url.owns(endpoint)) {
            Ok(metadata)
        } else {
            Err(CliError::failed(format!(
                "the gate at {url} wants the sign-in sent to another host, so it stops here"
            )))
        }
    }
}

/// A proof key: what is shown first, and what is told last.
pub struct Pkce {
    /// Told with the code.
    pub verifier: Secret,
    /// Shown in the address.
    pub challenge: String,
}

impl Pkce {
    /// A fresh one, by S256.
    pub fn random() -> Self {
        Self::of(BASE64URL_NOPAD.encode(&random_bytes::<32>()))
    }

    fn of(verifier: String) -> Self {
        let challenge = BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref());
        Self { verifier: Secret::new(verifier), challenge }
    }
}

/// What the token endpoint said.
#[derive(Debug)]
pub enum Answer {
    /// The token.
    Token(Secret),
    /// The error's code, and what was said with it.
    Error(String, String),
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Asks the token endpoint.
///
/// # Errors
/// Not reached, or not understood.
pub async fn token(
    client: &Client,
    metadata: &Metadata,
    fields: &[(&str, &str)],
) -> Result<Answer, CliError> {
    let (fine, body) = client.form(metadata.token_endpoint.clone(), fields).await?;
    if !fine {
        let refused: Refused = body.read()?;
        return Ok(Answer::Error(refused.error, clean(&refused.error_description)));
    }
    granted(&body).map(Answer::Token)
}

fn granted(body: &Body) -> Result<Secret, CliError> {
    // The parser's own message could quote a part of the token.
    let strange = || CliError::failed("the gate's answer holds no token that this curfew understands");
    let granted: Granted = body.read().map_err(|_| strange())?;
    if granted.token_type.eq_ignore_ascii_case("bearer") {
        Ok(Secret::new(granted.access_token))
    } else {
        Err(strange())
    }
}

/// The sentence for an error of the protocol that nothing can be done about here.
pub fn refusal(code: &str, description: &str) -> CliError {
    let said = match code {
        "access_denied" => "the sign-in was refused",
        "expired_token" | "invalid_grant" => "the sign-in took too long, or was used already",
        _ => "the gate did not accept the sign-in",
    };
    let detail = if description.is_empty() { clean(code) } else { description.to_owned() };
    CliError::failed(format!("{said}: {detail}")).hint("type `curfew login` to begin again")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_the_one_of_the_rfc() {
        let pkce = Pkce::of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(pkce.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
