//! The relying party of OpenID Connect (Core 1.0): authorization code, PKCE, `state`, `nonce`.
//!
//! Owns the way to a provider and back. What comes out is a [`Vouched`]; signing somebody in with it is the service's.

mod claims;
mod fetch;
mod provider;
mod sealed;
mod verify;

use jiff::{SignedDuration, Timestamp};

use super::signin::Vouched;
use super::token::{Hashed, random_text};
use crate::api::next::Next;
use crate::config;
use crate::store::{LoginRow, Store, StoreError, to_the_microsecond, with_causes};
use provider::{Client, Provider};

pub use fetch::FetchError;

/// How long a browser may stay at its provider.
const AWAY: SignedDuration = SignedDuration::from_mins(10);
/// How many browsers may be away at once; beyond it somebody is only filling the store.
const AWAY_MAX: u64 = 10_000;
/// The longest code or state that is looked at, in bytes.
const PARAMETER_MAX: usize = 4096;

/// Why a sign-in at a provider came to nothing. `Display` is a sentence for the person.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// No provider of that name.
    #[error("there is no provider of that name")]
    NoProvider,
    /// The provider does not answer, or not as it should.
    #[error("the provider {0} does not answer as it should, so nobody can sign in through it now")]
    Down(String),
    /// `state` is absent, another browser's, used, or too old.
    #[error(
        "this sign-in can't be finished here: it was begun in another browser, or is finished already, or took longer \
         than ten minutes"
    )]
    NotBegunHere,
    /// The provider, or the person there, said no.
    #[error("the provider {provider} did not sign you in ({error})")]
    Declined {
        /// The provider's name.
        provider: String,
        /// Its error code (RFC 6749, 4.1.2.1), cleaned.
        error: String,
    },
    /// What came back can't be trusted.
    #[error("the answer of the provider {0} can't be trusted, so you were not signed in")]
    Untrusted(String),
    /// No verified email that the provider may assert.
    #[error("{0}")]
    NoEmail(String),
    /// Too many browsers are away.
    #[error("too many people are signing in at once: try again in a few minutes")]
    Busy,
    /// The store does not answer.
    #[error("{}", .0.sentence())]
    Store(#[from] StoreError),
}

/// A browser that leaves.
#[derive(Debug)]
pub struct Away {
    /// Where to.
    pub url: String,
    /// The value of the cookie that binds it.
    pub browser: String,
    /// How long the cookie lives, in seconds.
    pub seconds: u64,
}

/// What a browser brings back.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub struct Back {
    /// The authorization code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The state that we sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The provider's error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The issuer (RFC 9207).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
}

/// All providers.
#[derive(Debug)]
pub struct Oidc {
    providers: Vec<Provider>,
    store: Store,
}

impl Oidc {
    /// The relying party towards these providers. `origin` is the gate's own, which they send browsers back to.
    ///
    /// # Errors
    /// A provider's entry can't be used: a sentence for the operator.
    pub fn new(providers: &[config::Provider], origin: &str, store: Store) -> Result<Self, String> {
        let make = |settings: &config::Provider| {
            let back = format!("{origin}/oidc/callback/{}", settings.name);
            Provider::new(settings.clone(), back, store.clock().clone())
                .map_err(|error| format!("the provider {} can't be used: {error}", settings.name))
        };
        Ok(Self { providers: providers.iter().map(make).collect::<Result<_, _>>()?, store })
    }

    /// The names of the providers, in the order of the configuration.
    pub fn names(&self) -> Vec<&str> {
        self.providers.iter().map(Provider::name).collect()
    }

    /// Sends a browser to its provider. `browser` is the cookie that it has from a sign-in begun before, so that two
    /// of them can be under way in one browser.
    ///
    /// # Errors
    /// The provider is down.
    pub async fn begin(&self, provider: &str, browser: Option<&str>, next: &Next) -> Result<Away, OidcError> {
        let provider = self.find(provider)?;
        let now = self.now();
        if self.store.logins_away(now).await? >= AWAY_MAX {
            return Err(OidcError::Busy);
        }
        let client = self.client(provider).await?;
        let (state, nonce) = (random_text(), random_text());
        let (url, verifier) = client.authorize(&state, &nonce).map_err(|cause| down(provider, &cause))?;
        let browser =
            browser.filter(|cookie| cookie.len() == state.len()).map_or_else(random_text, str::to_owned);
        let login = LoginRow {
            provider: provider.name().to_owned(),
            nonce,
            verifier,
            next: sealed::seal(&state, next.as_str()).unwrap_or_default(),
            ends_at: now.saturating_add(AWAY).unwrap_or(Timestamp::MAX),
        };
        let mut tx = self.store.begin().await?;
        tx.login_begun(&Hashed::of(&state), &Hashed::of(&browser), &login).await?;
        tx.commit().await?;
        Ok(Away { url: url.into(), browser, seconds: AWAY.as_secs().unsigned_abs() })
    }

    /// A browser is back. Its state counts once, whatever comes of it.
    ///
    /// # Errors
    /// Nobody was signed in.
    pub async fn finish(
        &self,
        provider: &str,
        browser: Option<&str>,
        back: &Back,
    ) -> Result<(Vouched, Next), OidcError> {
        let provider = self.find(provider)?;
        let short = |text: &&String| !text.is_empty() && text.len() <= PARAMETER_MAX;
        let (Some(state), Some(browser)) = (back.state.as_ref().filter(short), browser) else {
            return Err(OidcError::NotBegunHere);
        };
        let mut tx = self.store.begin().await?;
        let login =
            tx.login_taken(&Hashed::of(state), &Hashed::of(browser), provider.name(), self.now()).await?;
        tx.commit().await?;
        let login = login.ok_or(OidcError::NotBegunHere)?;

        if back.iss.as_ref().is_some_and(|issuer| issuer != provider.issuer()) {
            tracing::warn!(provider = provider.name(), "a browser came back from another issuer");
            return Err(OidcError::Untrusted(provider.name().to_owned()));
        }
        if let Some(error) = &back.error {
            return Err(OidcError::Declined { provider: provider.name().to_owned(), error: clean(error) });
        }
        let code = back.code.as_ref().filter(short).ok_or(OidcError::NotBegunHere)?;
        let client = self.client(provider).await?;
        let vouched = client.redeem(code, &login.verifier, &login.nonce, self.now()).await?;
        Ok((vouched, Next::or_home(sealed::open(state, &login.next).as_deref())))
    }

    fn find(&self, name: &str) -> Result<&Provider, OidcError> {
        self.providers.iter().find(|provider| provider.name() == name).ok_or(OidcError::NoProvider)
    }

    async fn client<'a>(&self, provider: &'a Provider) -> Result<Client<'a>, OidcError> {
        provider.client().await.map_err(|cause| down(provider, &*cause))
    }

    fn now(&self) -> Timestamp {
        to_the_microsecond(self.store.clock().wall())
    }
}

fn down(provider: &Provider, cause: &dyn std::error::Error) -> OidcError {
    tracing::warn!(provider = provider.name(), cause = with_causes(cause), "a provider does not answer");
    OidcError::Down(provider.name().to_owned())
}

/// An error code as RFC 6749 allows it, and short.
fn clean(error: &str) -> String {
    error.chars().filter(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).take(64).collect()
}
