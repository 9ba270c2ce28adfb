//! Bearer tokens that a Postgres client signs in with (RFC 7628).
//!
//! Two kinds are taken: those that were made for it, which are good nowhere else, and those of the command line, whose
//! holder could have a certificate made and come in by that. A browser's is not: it belongs into a cookie.

use curfew_adapter::SignedIn;

use super::service::{Identities, WhoError};
use super::token::{Token, TokenKind};
use crate::store::with_causes;

impl Identities {
    /// Judges the token that a client brought.
    ///
    /// # Errors
    /// A sentence for the client: none of ours, of another kind, its sign-in over, its identity disabled.
    pub async fn judge_bearer(&self, token: &str) -> Result<SignedIn, String> {
        match self.bearer(token).await {
            Ok(who) => Ok(who),
            Err(WhoError::Nobody) => {
                Err("the token is none that Postgres clients sign in with, or its sign-in is over".to_owned())
            }
            Err(why @ WhoError::Disabled) => Err(why.to_string()),
            Err(WhoError::Store(error)) => {
                tracing::error!(cause = with_causes(&error), "a client's token could not be judged");
                Err(error.sentence().to_owned())
            }
        }
    }

    async fn bearer(&self, token: &str) -> Result<SignedIn, WhoError> {
        let kind = if Token::parse(token, TokenKind::Postgres).is_some() {
            TokenKind::Postgres
        } else {
            TokenKind::Api
        };
        let viewer = self.viewer(token, kind).await?;
        // Of the command line's, digits said that browser and client are in one person's hands.
        let elsewhere = match Token::parse(token, TokenKind::Postgres) {
            Some(token) => self.store.token_elsewhere(&token.hashed()).await?,
            None => None,
        };
        Ok(SignedIn { identity: viewer.identity, signin: viewer.signin.id, elsewhere, only: None })
    }
}
