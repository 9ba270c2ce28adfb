//! SSH keys and SSH certificates: bound to a sign-in or made for one, and judged when one is presented.
//!
//! Either proves which sign-in its holder has. Whether that sign-in still stands, the store says each time.

use std::net::IpAddr;

use curfew_adapter::{Identity, IdentityId, ProvedKey, SignedIn, SigninId, random_bytes};
use jiff::Timestamp;

use super::certificate::{Certified, CertifyError};
use super::service::{Identities, SigninError, actor};
use super::signin::{Standing, Viewer};
use crate::audit::{Actor, What};
use crate::store::{Once, StoreError, with_causes};

/// A key that is bound to a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// `SHA256:…`: its name.
    pub fingerprint: String,
    /// Algorithm and base64.
    pub line: String,
    /// The sign-in that it stands for.
    pub signin: SigninId,
    /// Whose it is.
    pub identity: IdentityId,
    /// Their email.
    pub email: String,
    /// Where the client that proved it was.
    pub address: Option<IpAddr>,
    /// When it was bound.
    pub made_at: Timestamp,
    /// When its sign-in ends, and it with that.
    pub ends_at: Timestamp,
}

/// Why a key was not bound. The texts may be shown.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else's sign-in has it.
    #[error("this key is bound to somebody else's sign-in, and one key stands for one identity")]
    Taken,
    /// The sign-in is over, or the store does not answer.
    #[error(transparent)]
    Signin(#[from] SigninError),
}

impl From<StoreError> for BindError {
    fn from(error: StoreError) -> Self {
        Self::Signin(error.into())
    }
}

impl Identities {
    /// Who has proved to hold the key with this fingerprint.
    ///
    /// # Errors
    /// A sentence for the client: nobody, or nobody any more.
    pub async fn judge_key(&self, fingerprint: &str) -> Result<SignedIn, String> {
        let standing = self.store.key_standing(fingerprint).await.map_err(|error| unjudged(&error))?;
        let standing = standing.ok_or("this key is not bound to a sign-in")?;
        self.standing_in("the sign-in that this key was bound to", standing)
    }

    /// Who has proved to hold the key of this SSH certificate.
    ///
    /// # Errors
    /// A sentence for the client: foreign, expired, its sign-in over, its identity disabled.
    pub async fn judge_user_certificate(&self, line: &str) -> Result<SignedIn, String> {
        let presented = self.ssh.judge_client(line, self.now()).map_err(|why| why.to_string())?;
        let foreign = || "the SSH certificate belongs to no sign-in of this gate".to_owned();
        let signin = SigninId::parse(&presented.signin).ok_or_else(foreign)?;
        let standing = self.store.certificate_standing(&serial(&presented.serial), &signin).await;
        let standing = standing.map_err(|error| unjudged(&error))?.ok_or_else(foreign)?;
        self.standing_in("the sign-in that the SSH certificate belongs to", standing)
    }

    /// Makes an SSH user certificate for the key of somebody who is signed in, who sent it over HTTPS with their token.
    ///
    /// # Errors
    /// The key can't be certified.
    pub async fn certify_key(
        &self,
        viewer: &Viewer,
        key: &str,
        once: Option<Once>,
    ) -> Result<Certified, CertifyError> {
        self.made_once(viewer, once, |now, ends_at| {
            let number = u64::from_be_bytes(random_bytes());
            let signin = viewer.signin.id.as_str();
            let text = self.ssh.certify_client(key, signin, number, now, ends_at)?;
            Ok((serial(&format!("{number:016x}")), text))
        })
        .await
    }

    /// Binds a key to a sign-in, whose client has proved to hold it.
    ///
    /// # Errors
    /// It is somebody else's, or the sign-in is over.
    pub async fn bind_key(
        &self,
        who: &SignedIn,
        key: &ProvedKey,
        address: IpAddr,
    ) -> Result<KeyRecord, BindError> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let mine = tx.signin_standing(&who.signin).await?.filter(|standing| standing.over(now).is_none());
        let mine = mine.ok_or(SigninError::Over)?;
        let held = tx.key_standing(&key.fingerprint).await?.filter(|standing| standing.over(now).is_none());
        if held.is_some_and(|held| held.identity.id != who.identity.id) {
            return Err(BindError::Taken);
        }
        let record = KeyRecord {
            fingerprint: key.fingerprint.clone(),
            line: key.line.clone(),
            signin: who.signin.clone(),
            identity: who.identity.id.clone(),
            email: who.identity.email.clone(),
            address: Some(address),
            made_at: now,
            ends_at: mine.signin.ends_at,
        };
        tx.key_bound(&record).await?;
        let what = What::KeyBound {
            signin: who.signin.to_string(),
            fingerprint: key.fingerprint.clone(),
            until: record.ends_at,
        };
        tx.audit(&actor(&who.identity, Some(address)).did(what)).await?;
        tx.commit().await?;
        Ok(record)
    }

    /// The keys whose sign-in stands; those of one identity, or all.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn keys(&self, of: Option<&Identity>) -> Result<Vec<KeyRecord>, StoreError> {
        self.store.bound_keys(of.map(|identity| &identity.id), self.now()).await
    }

    /// Takes a key away from its sign-in; `false` where it is bound to none, or not to one of `of`.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn remove_key(
        &self,
        fingerprint: &str,
        of: Option<&Identity>,
        by: Actor,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin().await?;
        let Some(held) = tx.key_standing(fingerprint).await? else { return Ok(false) };
        if of.is_some_and(|of| of.id != held.identity.id) {
            return Ok(false);
        }
        let gone = tx.key_removed(fingerprint, &held.signin.id).await?;
        let what = What::KeyRemoved {
            signin: held.signin.id.to_string(),
            identity: held.identity.id.to_string(),
            fingerprint: fingerprint.to_owned(),
        };
        tx.audit(&by.did(what)).await?;
        tx.commit().await?;
        Ok(gone)
    }

    fn standing_in(&self, what: &str, standing: Standing) -> Result<SignedIn, String> {
        match standing.over(self.now()) {
            None => Ok(SignedIn::new(standing.identity, standing.signin.id)),
            Some(why) => Err(super::certificate::is_over(what, why)),
        }
    }
}

/// The serial number under which an SSH certificate is kept: X.509 ones have 32 digits and no prefix.
fn serial(digits: &str) -> String {
    format!("ssh-{digits}")
}

fn unjudged(error: &StoreError) -> String {
    tracing::error!(cause = with_causes(error), "a key could not be judged");
    error.sentence().to_owned()
}
