//! The service around identities: sign in, look up, and tell who asks.
//!
//! Owns the rules of a sign-in's life. Each change is one transaction with its audit event, and news to the sessions
//! that run under it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use curfew_adapter::{Clock, Identity, SigninId};
use curfew_certs::{Authority, SshKey};
use jiff::{SignedDuration, Timestamp};

use super::role::Roles;
use super::signin::{EndWhy, Method, SigninRecord, Standing, Viewer, Vouched};
use super::token::{Token, TokenKind};
use crate::audit::{Actor, What};
use crate::config;
use crate::store::{Store, StoreError, to_the_microsecond};

/// How often what is over is swept out.
const SWEEP: Duration = Duration::from_secs(5);

/// Identities and their sign-ins.
pub struct Identities {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) authority: Arc<Authority>,
    pub(super) ssh: Arc<SshKey>,
    pub(super) certificate: SignedDuration,
    /// The key of the decoys of credentials that there are not.
    pub(super) decoys: [u8; 32],
    /// Where the browser may be that signs in a client which can't ask for digits.
    pub(super) addresses: config::LinkAddresses,
    lifetime: SignedDuration,
    roles: config::Roles,
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identities")
    }
}

/// Why a token shows nobody.
#[derive(Debug, thiserror::Error)]
pub enum WhoError {
    /// There is no such token, or not here, or its sign-in is over.
    #[error("you are not signed in, or your sign-in is over")]
    Nobody,
    /// The identity is disabled.
    #[error("your identity was disabled")]
    Disabled,
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no sign-in. The texts may be shown.
#[derive(Debug, thiserror::Error)]
pub enum SigninError {
    /// The identity is disabled.
    #[error("your identity was disabled, so you can't sign in: ask an admin of Curfew")]
    Disabled,
    /// The sign-in that this one would come from is over.
    #[error("your sign-in is over: sign in again")]
    Over,
    /// The store does not answer.
    #[error("{}", .0.sentence())]
    Store(#[from] StoreError),
}

impl Identities {
    /// The service over `store`, with the rules of the configuration.
    pub fn new(
        store: Store,
        authority: Arc<Authority>,
        ssh: Arc<SshKey>,
        signin: &config::Signin,
        roles: config::Roles,
    ) -> Self {
        let clock = store.clock().clone();
        let lifetime = signed(signin.lifetime);
        let decoys = super::credential::decoys(&authority.key_pem());
        let (certificate, addresses) = (signed(signin.certificate), signin.link_addresses.clone());
        Self { store, clock, authority, ssh, certificate, decoys, addresses, lifetime, roles }
    }

    /// Who holds this token; it is good for one kind of place only.
    ///
    /// # Errors
    /// Nobody does, or the identity is disabled.
    pub async fn viewer(&self, token: &str, kind: TokenKind) -> Result<Viewer, WhoError> {
        let token = Token::parse(token, kind).ok_or(WhoError::Nobody)?;
        let standing = self.store.token_standing(&token.hashed(), kind).await?.ok_or(WhoError::Nobody)?;
        match standing.over(self.now()) {
            None => Ok(self.view(standing)),
            Some(EndWhy::IdentityDisabled) => Err(WhoError::Disabled),
            Some(_) => Err(WhoError::Nobody),
        }
    }

    /// The sign-in with this id, whether it still stands or not.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn standing(&self, id: &SigninId) -> Result<Option<Standing>, StoreError> {
        self.store.signin_standing(id).await
    }

    /// Signs in whom a provider vouches for, in a browser; answers with the token for its cookie.
    ///
    /// # Errors
    /// The identity is disabled.
    pub async fn welcome(
        &self,
        who: &Vouched,
        address: Option<IpAddr>,
    ) -> Result<(Viewer, Token), SigninError> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        let record = tx.identity_seen(who, &super::person_key(&who.email), now).await?;
        let actor = actor(&record.identity, address);
        if !who.dropped.is_empty() {
            let what = What::ClaimsDropped {
                provider: who.provider.clone(),
                identity: record.identity.id.to_string(),
                dropped: who.dropped.clone(),
            };
            tx.audit(&actor.clone().did(what)).await?;
        }
        if record.disabled_at.is_some() {
            let what = What::SigninRefused {
                method: Method::Browser.as_str().to_owned(),
                why: "the identity is disabled".to_owned(),
            };
            tx.audit(&actor.did(what)).await?;
            tx.commit().await?;
            return Err(SigninError::Disabled);
        }
        let signin = SigninRecord {
            id: SigninId::random(),
            identity: record.identity.id.clone(),
            provider: who.provider.clone(),
            method: Method::Browser,
            parent: None,
            address,
            started_at: now,
            ends_at: now.saturating_add(self.lifetime).unwrap_or(Timestamp::MAX),
            ended_at: None,
            end_why: None,
        };
        tx.signin_started(&signin).await?;
        tx.audit(&actor.did(started(&signin))).await?;
        let token = Token::random(TokenKind::Browser);
        tx.token_made(&token.hashed(), token.kind(), &signin.id, None, now).await?;
        tx.commit().await?;
        Ok((self.view(Standing { identity: record.identity, signin, disabled: false }), token))
    }

    /// Writes a sign-in that the browser's sign-in `parent` consented to, for a client at `address`. It ends when
    /// the browser's would, for nobody has signed in at the provider since.
    ///
    /// # Errors
    /// The browser's sign-in is over.
    pub(super) async fn descend(
        &self,
        tx: &mut crate::store::Tx,
        parent: &SigninId,
        method: Method,
        address: Option<IpAddr>,
    ) -> Result<Standing, SigninError> {
        let now = self.now();
        let standing = tx.signin_standing(parent).await?.ok_or(SigninError::Over)?;
        match standing.over(now) {
            None => {}
            Some(EndWhy::IdentityDisabled) => return Err(SigninError::Disabled),
            Some(_) => return Err(SigninError::Over),
        }
        let signin = SigninRecord {
            id: SigninId::random(),
            identity: standing.identity.id.clone(),
            provider: standing.signin.provider,
            method,
            parent: Some(parent.clone()),
            address,
            started_at: now,
            ends_at: standing.signin.ends_at,
            ended_at: None,
            end_why: None,
        };
        tx.signin_started(&signin).await?;
        tx.audit(&actor(&standing.identity, address).did(started(&signin))).await?;
        Ok(Standing { identity: standing.identity, signin, disabled: false })
    }

    /// A sign-in for the client that showed a link.
    ///
    /// # Errors
    /// The browser's sign-in is over.
    pub async fn by_link(&self, browser: &Viewer, client: IpAddr) -> Result<Standing, SigninError> {
        let mut tx = self.store.begin().await?;
        let standing = self.descend(&mut tx, &browser.signin.id, Method::Link, Some(client)).await?;
        tx.commit().await?;
        Ok(standing)
    }

    /// Writes that somebody was refused, and why.
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn refused(&self, who: Actor, method: Method, why: &str) -> Result<(), StoreError> {
        let what = What::SigninRefused { method: method.as_str().to_owned(), why: why.to_owned() };
        self.store.audit([who.did(what)]).await
    }

    /// Whether more than half of the sign-in's life is over: a client that is signed in from it should have the
    /// person sign in at the provider first.
    pub fn stale(&self, signin: &SigninRecord) -> bool {
        let left = signin.ends_at.duration_since(self.now());
        left < self.lifetime / 2
    }

    /// Ends what lapsed and forgets what is no longer needed, again and again. Runs until it is dropped.
    pub async fn sweep(&self) {
        let mut ticks = tokio::time::interval(SWEEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.sweep_once().await {
                tracing::warn!(cause = crate::store::with_causes(&error), "lapsed sign-ins were not swept");
            }
        }
    }

    pub(super) fn view(&self, standing: Standing) -> Viewer {
        let roles = Roles::of(&standing.identity, &self.roles);
        Viewer { identity: standing.identity, signin: standing.signin, roles }
    }

    /// The store that it works on.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// How long a browser's sign-in lasts, in seconds: for its cookie.
    pub fn lifetime_seconds(&self) -> u64 {
        self.lifetime.as_secs().unsigned_abs()
    }

    pub(super) fn now(&self) -> Timestamp {
        to_the_microsecond(self.clock.wall())
    }
}

impl Viewer {
    /// This viewer, at `address`, as the one who does something.
    pub fn actor(&self, address: Option<IpAddr>) -> Actor {
        actor(&self.identity, address)
    }
}

/// An identity as the one who does something.
pub(crate) fn actor(who: &Identity, address: Option<IpAddr>) -> Actor {
    Actor::Identity { identity: who.id.to_string(), email: Some(who.email.clone()), address }
}

fn started(signin: &SigninRecord) -> What {
    What::SigninStarted {
        signin: signin.id.to_string(),
        provider: signin.provider.clone(),
        method: signin.method.as_str().to_owned(),
        until: signin.ends_at,
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
