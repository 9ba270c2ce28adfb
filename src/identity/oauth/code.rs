//! Authorization codes: asked for with a challenge, sent to loopback, good for a minute, used once.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::{Granted, TokenError};
use crate::audit::Actor;
use crate::identity::service::Identities;
use crate::identity::signin::{EndWhy, Method, Viewer};
use crate::identity::token::{Hashed, TokenKind, random_text};
use crate::store::{CodeRow, CodeUse, StoreError};

/// The only client that gets codes: public, without a secret.
pub const CLIENT_ID: &str = "curfew-cli";
/// How long a code is good.
const LIFETIME: SignedDuration = SignedDuration::from_secs(60);
/// The longest redirect address and state, in bytes.
const TEXT_MAX: usize = 512;

/// An authorization request, as it comes in the query (RFC 6749, 4.1.1).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Wanted {
    /// Must be `code`.
    #[serde(default)]
    pub response_type: String,
    /// Must be [`CLIENT_ID`].
    #[serde(default)]
    pub client_id: String,
    /// An address on loopback, of any port.
    #[serde(default)]
    pub redirect_uri: String,
    /// The S256 of the verifier.
    #[serde(default)]
    pub code_challenge: String,
    /// Must be `S256`.
    #[serde(default)]
    pub code_challenge_method: String,
    /// Given back as it is.
    #[serde(default)]
    pub state: String,
}

/// What is wrong with an authorization request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// The client or the address is not to be trusted: the person is told, and nothing is sent there.
    #[error("{0}")]
    Here(&'static str),
    /// The client is told, at its address.
    #[error("{1}")]
    Back(&'static str, &'static str),
}

impl Wanted {
    /// Checks it; gives the address to send the browser back to.
    ///
    /// # Errors
    /// The client is not ours, its address is not on loopback (RFC 8252, 7.3), or there is no S256 challenge.
    pub fn check(&self) -> Result<Url, WantedError> {
        if self.client_id != CLIENT_ID {
            return Err(WantedError::Here("the program that sent you here is not one that Curfew knows"));
        }
        let back = self.loopback().ok_or(WantedError::Here(
            "the program that sent you here wants the answer elsewhere than on your own machine",
        ))?;
        if self.state.len() > TEXT_MAX {
            return Err(WantedError::Here("the program that sent you here sent a state that is too long"));
        }
        if self.response_type != "code" {
            return Err(WantedError::Back("unsupported_response_type", "only codes are given"));
        }
        let challenge = BASE64URL_NOPAD.decode(self.code_challenge.as_bytes());
        if self.code_challenge_method != "S256" || challenge.map_or(0, |bytes| bytes.len()) != 32 {
            return Err(WantedError::Back("invalid_request", "an S256 code_challenge is needed"));
        }
        Ok(back)
    }

    /// The address on loopback by number: `localhost` may resolve to elsewhere (RFC 8252, 8.3).
    fn loopback(&self) -> Option<Url> {
        let url =
            (self.redirect_uri.len() <= TEXT_MAX).then(|| Url::parse(&self.redirect_uri).ok()).flatten()?;
        let here = match url.host()? {
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
            Host::Domain(_) => false,
        };
        let plain = url.scheme() == "http" && url.username().is_empty() && url.password().is_none();
        (here && plain && url.port().is_some() && url.fragment().is_none()).then_some(url)
    }

    /// Where the browser goes with an answer; `issuer` is the gate's own (RFC 9207).
    pub fn answer(&self, mut back: Url, issuer: &str, name: &str, value: &str) -> Url {
        back.query_pairs_mut().append_pair(name, value).append_pair("iss", issuer);
        if !self.state.is_empty() {
            back.query_pairs_mut().append_pair("state", &self.state);
        }
        back
    }
}

impl Identities {
    /// The person consented: a code for the client.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn give_code(&self, browser: &Viewer, wanted: &Wanted) -> Result<String, StoreError> {
        let code = random_text();
        let row = CodeRow {
            parent: browser.signin.id.clone(),
            redirect_uri: wanted.redirect_uri.clone(),
            challenge: wanted.code_challenge.clone(),
            ends_at: self.now().saturating_add(LIFETIME).unwrap_or(Timestamp::MAX),
        };
        let mut tx = self.store.begin().await?;
        tx.code_made(&Hashed::of(&code), &row).await?;
        tx.commit().await?;
        Ok(code)
    }

    /// The client brings its code and the verifier: a sign-in of its own, once. A code that comes twice was stolen
    /// from one of the two, and ends the sign-in that it made (RFC 6749, 4.1.2).
    ///
    /// # Errors
    /// The code is not good, or not this client's.
    pub async fn redeem_code(
        &self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        client: IpAddr,
    ) -> Result<Granted, TokenError> {
        let code = Hashed::of(code);
        let mut tx = self.store.begin().await?;
        let row = match tx.code(&code).await? {
            CodeUse::First(row) => row,
            CodeUse::Again(signin) => {
                self.end(&mut tx, &signin, EndWhy::Revoked, &Actor::Stranger { address: Some(client) })
                    .await?;
                tx.commit().await?;
                return Err(TokenError::invalid("the code was used before, so what it gave was taken back"));
            }
            CodeUse::Unknown => {
                return Err(TokenError::invalid("there is no such code, or its time is over"));
            }
        };
        let challenge = BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref());
        if row.ends_at <= self.now() {
            return Err(TokenError::invalid("the code's time is over"));
        }
        if row.redirect_uri != redirect_uri || row.challenge != challenge {
            return Err(TokenError::invalid("the code was given to another client"));
        }
        let standing = self.descend(&mut tx, &row.parent, Method::Loopback, Some(client)).await?;
        if !tx.code_used(&code, &standing.signin.id).await? {
            return Err(TokenError::invalid("the code was used before"));
        }
        let granted = self.grant(&mut tx, &standing, TokenKind::Api, None).await?;
        tx.commit().await?;
        Ok(granted)
    }
}
