//! Curfew as an authorization server for its own command line: public client `curfew-cli`, codes with PKCE to a
//! loopback address (RFC 6749, 7636, 8252), and the device grant (RFC 8628) with digits that flow back. Postgres clients
//! (libpq 18) have the device grant too, without digits, for tokens that are good for Postgres alone.
//!
//! Owns the rules of the exchanges. Their HTTP is `crate::api`'s.

mod code;
mod device;

pub use code::{CLIENT_ID, Wanted, WantedError};
pub use device::{Agreed, DEVICE_SECONDS, DeviceError, DeviceStart, DeviceView, POLL_SECONDS};

use std::net::IpAddr;

use super::service::{Identities, SigninError};
use super::signin::{EndWhy, Standing};
use super::token::{Token, TokenKind};
use crate::audit::Actor;
use crate::store::{StoreError, Tx};

/// A token for a client, and for how long.
#[derive(Debug)]
pub struct Granted {
    /// The token.
    pub token: Token,
    /// How many seconds its sign-in has left.
    pub seconds: u64,
}

/// Why there is no token: an error code of RFC 6749, 5.2 or RFC 8628, 3.5, and a sentence.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Told to the client as it is.
    #[error("{1}")]
    Told(&'static str, String),
    /// The store does not answer.
    #[error("{}", .0.sentence())]
    Store(#[from] StoreError),
}

impl TokenError {
    fn told(code: &'static str, why: impl Into<String>) -> Self {
        Self::Told(code, why.into())
    }

    fn invalid(why: impl Into<String>) -> Self {
        Self::told("invalid_grant", why)
    }
}

impl From<SigninError> for TokenError {
    fn from(error: SigninError) -> Self {
        match error {
            SigninError::Store(error) => Self::Store(error),
            refused => Self::told("access_denied", refused.to_string()),
        }
    }
}

impl Identities {
    /// Writes the token of a client's new sign-in.
    async fn grant(
        &self,
        tx: &mut Tx,
        standing: &Standing,
        kind: TokenKind,
        elsewhere: Option<IpAddr>,
    ) -> Result<Granted, StoreError> {
        let now = self.now();
        let token = Token::random(kind);
        tx.token_made(&token.hashed(), kind, &standing.signin.id, elsewhere, now).await?;
        let left = standing.signin.ends_at.duration_since(now).as_secs();
        Ok(Granted { token, seconds: u64::try_from(left).unwrap_or(0) })
    }

    /// Takes a client's token back, and its sign-in with it (RFC 7009). A token that is none is no error.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn revoke_token(
        &self,
        token: &str,
        by: impl FnOnce(&Standing) -> Actor,
    ) -> Result<(), StoreError> {
        let kinds = [TokenKind::Api, TokenKind::Postgres];
        let Some(token) = kinds.iter().find_map(|kind| Token::parse(token, *kind)) else { return Ok(()) };
        let Some(standing) = self.store.token_standing(&token.hashed(), token.kind()).await? else {
            return Ok(());
        };
        self.end_signin(&standing.signin.id, EndWhy::Logout, by(&standing)).await.map(drop)
    }
}

#[cfg(test)]
mod tests;
