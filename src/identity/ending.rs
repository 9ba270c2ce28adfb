//! How sign-ins end, and what ends with them.
//!
//! Signing out of a browser ends what its links signed in; clients that were signed in with `curfew login` stay.
//! Revoking a sign-in ends everything that came from it.

use curfew_adapter::{IdentityId, SigninId};

use super::service::Identities;
use super::signin::{EndWhy, Method};
use crate::audit::{Actor, What};
use crate::store::{StoreError, Tx};

impl Identities {
    /// Ends a sign-in and what came from it; its sessions are told. `false` where it had ended before.
    ///
    /// # Errors
    /// The store can't be written: nothing ended.
    pub async fn end_signin(&self, id: &SigninId, why: EndWhy, by: Actor) -> Result<bool, StoreError> {
        let mut tx = self.store.begin().await?;
        let ended = self.end(&mut tx, id, why, &by).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Disables an identity and ends all its sign-ins. `false` where there is none, or it is disabled already.
    ///
    /// # Errors
    /// The store can't be written: nothing changed.
    pub async fn disable(&self, id: &IdentityId, why: Option<&str>, by: Actor) -> Result<bool, StoreError> {
        let mut tx = self.store.begin().await?;
        if !tx.identity_disabled(id, why, self.now()).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        let what = What::IdentityDisabled { identity: id.to_string(), why: why.map(str::to_owned) };
        tx.audit(&by.clone().did(what)).await?;
        for signin in tx.signins_of(id).await? {
            self.end(&mut tx, &signin, EndWhy::IdentityDisabled, &by).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Lets a disabled identity sign in again. `false` where there is none, or it is not disabled.
    ///
    /// # Errors
    /// The store can't be written: nothing changed.
    pub async fn enable(&self, id: &IdentityId, why: Option<&str>, by: Actor) -> Result<bool, StoreError> {
        let mut tx = self.store.begin().await?;
        if !tx.identity_enabled(id).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        let what = What::IdentityEnabled { identity: id.to_string(), why: why.map(str::to_owned) };
        tx.audit(&by.did(what)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends what lapsed, and forgets what is no longer needed.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn sweep_once(&self) -> Result<(), StoreError> {
        let now = self.now();
        let lapsed = self.store.lapsed_signins(now).await?;
        let forget = self.store.anything_lapsed(now).await?;
        if lapsed.is_empty() && !forget {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        for id in lapsed {
            self.end(&mut tx, &id, EndWhy::Expired, &Actor::Curfew).await?;
        }
        tx.forget_lapsed(now).await?;
        tx.commit().await
    }

    pub(super) async fn end(
        &self,
        tx: &mut Tx,
        id: &SigninId,
        why: EndWhy,
        by: &Actor,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let mut due = vec![id.clone()];
        let mut ended = false;
        while let Some(next) = due.pop() {
            let done = tx.signin_ended(&next, why, now).await?;
            ended |= done && next == *id;
            if done {
                let what = What::SigninEnded { signin: next.to_string(), why: why.as_str().to_owned() };
                tx.audit(&by.clone().did(what)).await?;
            }
            // One that ended before may have left others running that this reason does not spare.
            due.extend(tx.signins_under(&next).await?.into_iter().filter_map(|(child, method)| {
                let spared = why == EndWhy::Logout && method != Method::Link;
                (!spared).then_some(child)
            }));
        }
        Ok(ended)
    }
}
