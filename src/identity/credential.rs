//! Connection credentials: a name and a secret for GUI clients and drivers, which know no other way of signing in.
//!
//! A credential belongs to a sign-in and ends with it; it is good for one account on one target, and says nothing about
//! a grant, which is looked for at each connect. The secret is seen once, by whoever asked for it: what is kept can
//! check it, and not be used as it.

use std::net::IpAddr;

use curfew_adapter::{
    CREDENTIAL, Identity, IdentityId, Only, ScramVerifier, Secret, SignedIn, SigninId, random_bytes,
    scram_mac,
};
use data_encoding::BASE32_NOPAD;
use jiff::Timestamp;

use super::certificate::is_over;
use super::service::{Identities, SigninError, actor};
use super::signin::Viewer;
use super::token::random_text;
use crate::audit::{Actor, What};
use crate::store::{StoreError, with_causes};

/// How many a sign-in may have: more than anybody's programs, and few enough to read through.
const MOST: i64 = 100;

/// A credential, as it is kept: without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialRecord {
    /// The user name that it is given as: `c-` and 16 characters.
    pub name: String,
    /// What it is good for.
    pub target: String,
    /// As whom.
    pub account: String,
    /// The sign-in that it stands for.
    pub signin: SigninId,
    /// Whose it is.
    pub identity: IdentityId,
    /// Their email.
    pub email: String,
    /// Where whoever asked for it was.
    pub address: Option<IpAddr>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When its sign-in ends, and it with that.
    pub ends_at: Timestamp,
}

/// Why there is no credential. The texts may be shown.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The sign-in has many.
    #[error("your sign-in has {MOST} credentials already: revoke some with `curfew credentials revoke`")]
    TooMany,
    /// The sign-in is over, or the store does not answer.
    #[error(transparent)]
    Signin(#[from] SigninError),
}

impl From<StoreError> for CredentialError {
    fn from(error: StoreError) -> Self {
        Self::Signin(error.into())
    }
}

impl Identities {
    /// Makes a credential for an account on a target, and its secret, which is nowhere else.
    ///
    /// # Errors
    /// The sign-in is over, or has very many.
    pub async fn make_credential(
        &self,
        viewer: &Viewer,
        only: &Only,
        address: Option<IpAddr>,
    ) -> Result<(CredentialRecord, Secret), CredentialError> {
        let now = self.now();
        let secret = Secret::new(random_text());
        let verifier = ScramVerifier::of(&secret);
        let name: [u8; 10] = random_bytes();
        let mut tx = self.store.begin().await?;
        let mine = tx.signin_standing(&viewer.signin.id).await?;
        let mine = mine.filter(|standing| standing.over(now).is_none()).ok_or(SigninError::Over)?;
        let made = CredentialRecord {
            name: format!("{CREDENTIAL}{}", BASE32_NOPAD.encode(&name).to_ascii_lowercase()),
            target: only.target.clone(),
            account: only.account.clone(),
            signin: viewer.signin.id.clone(),
            identity: viewer.identity.id.clone(),
            email: viewer.identity.email.clone(),
            address,
            made_at: now,
            ends_at: mine.signin.ends_at,
        };
        if !tx.credential_made(&made, &verifier, MOST).await? {
            return Err(CredentialError::TooMany);
        }
        let what = What::CredentialMade {
            signin: made.signin.to_string(),
            credential: made.name.clone(),
            target: made.target.clone(),
            account: made.account.clone(),
            until: made.ends_at,
        };
        tx.audit(&actor(&viewer.identity, address).did(what)).await?;
        tx.commit().await?;
        Ok((made, secret))
    }

    /// What proofs of the credential of this name are checked with; a decoy where there is none.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn scram_verifier(&self, name: &str) -> Result<ScramVerifier, StoreError> {
        let decoy = ScramVerifier::decoy(&self.decoys, name);
        Ok(self.store.credential_verifier(name).await?.unwrap_or(decoy))
    }

    /// Who has proved to know the secret of this credential, and what it is good for.
    ///
    /// # Errors
    /// A sentence for the client: its sign-in is over, its identity disabled.
    pub async fn judge_credential(&self, name: &str) -> Result<SignedIn, String> {
        let found = self.store.credential(name).await.map_err(|error| {
            tracing::error!(cause = with_causes(&error), "a credential could not be judged");
            error.sentence().to_owned()
        })?;
        // Taken away since its verifier was read.
        let (made, standing) = found.ok_or("this credential was revoked")?;
        match standing.over(self.now()) {
            None => Ok(SignedIn {
                only: Some(Only { target: made.target, account: made.account }),
                ..SignedIn::new(standing.identity, standing.signin.id)
            }),
            Some(why) => Err(is_over("the sign-in that this credential belongs to", why)),
        }
    }

    /// The credentials whose sign-in stands; those of one identity, or all.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn credentials(&self, of: Option<&Identity>) -> Result<Vec<CredentialRecord>, StoreError> {
        self.store.credentials(of.map(|identity| &identity.id), self.now()).await
    }

    /// Takes a credential away: nobody connects with it any more. `false` where there is none, or not of `of`.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn remove_credential(
        &self,
        name: &str,
        of: Option<&Identity>,
        by: Actor,
    ) -> Result<bool, StoreError> {
        let Some((made, _)) = self.store.credential(name).await? else { return Ok(false) };
        if of.is_some_and(|of| of.id != made.identity) {
            return Ok(false);
        }
        let mut tx = self.store.begin().await?;
        if !tx.credential_removed(name, &made.signin).await? {
            return Ok(false);
        }
        let what = What::CredentialRemoved {
            signin: made.signin.to_string(),
            identity: made.identity.to_string(),
            credential: made.name,
        };
        tx.audit(&by.did(what)).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// The key of the decoys: of the authority's key, so that it is the same after a restart and on every node.
pub(super) fn decoys(authority_key: &str) -> [u8; 32] {
    scram_mac(authority_key.as_bytes(), b"curfew: decoys of credentials")
}
