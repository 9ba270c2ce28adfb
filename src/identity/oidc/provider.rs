//! One provider: what it says about itself, fetched when first needed, kept for an hour, and fetched again when it
//! signs with a key that is not known.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use curfew_adapter::{BootTime, Clock};
use openidconnect::IssuerUrl;
use openidconnect::core::CoreProviderMetadata;
use tokio::sync::Mutex;
use url::Url;

use super::fetch::Fetch;
use crate::config;

/// How long what a provider says about itself is good.
const FRESH: Duration = Duration::from_secs(3600);
/// How soon after a failure the next attempt may be made; those who come in between share its outcome.
const PAUSE: Duration = Duration::from_secs(2);
/// How often unknown keys may make us ask again: forged tokens must not turn us on the provider.
const REFETCH: Duration = Duration::from_secs(5);
/// A provider that is restarting gets a second chance at once.
const ATTEMPTS: u32 = 2;
const BETWEEN: Duration = Duration::from_millis(300);

pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// A provider of the configuration.
pub(super) struct Provider {
    pub(super) settings: config::Provider,
    pub(super) back: String,
    pub(super) fetch: Fetch,
    pub(super) clock: Clock,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    metadata: Option<(Arc<CoreProviderMetadata>, BootTime)>,
    failed: Option<(String, BootTime)>,
    refetched: Option<BootTime>,
}

/// A provider, with what it says about itself.
pub(super) struct Client<'a> {
    pub(super) provider: &'a Provider,
    pub(super) metadata: Arc<CoreProviderMetadata>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Provider").field(&self.settings.name).finish()
    }
}

impl Provider {
    /// `back` is where it sends browsers.
    pub(super) fn new(settings: config::Provider, back: String, clock: Clock) -> Result<Self, Cause> {
        IssuerUrl::new(settings.issuer.clone())?;
        let fetch = Fetch::new(settings.ca.as_deref())?;
        Ok(Self { settings, back, fetch, clock, known: Mutex::default() })
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(super) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// The provider, as it describes itself.
    pub(super) async fn client(&self) -> Result<Client<'_>, Cause> {
        let mut known = self.known.lock().await;
        let now = self.clock.boot();
        if let Some((metadata, at)) = &known.metadata
            && now.since(*at) < FRESH
        {
            return Ok(Client { provider: self, metadata: Arc::clone(metadata) });
        }
        self.discover(&mut known).await
    }

    /// The same, asked again: it signed with a key that was not known. `None` where it was asked just now.
    pub(super) async fn client_anew(&self) -> Option<Result<Client<'_>, Cause>> {
        let mut known = self.known.lock().await;
        let now = self.clock.boot();
        if known.refetched.is_some_and(|at| now.since(at) < REFETCH) {
            return None;
        }
        known.refetched = Some(now);
        Some(self.discover(&mut known).await)
    }

    async fn discover(&self, known: &mut Known) -> Result<Client<'_>, Cause> {
        if let Some((why, at)) = &known.failed
            && self.clock.boot().since(*at) < PAUSE
        {
            return Err(why.clone().into());
        }
        let mut attempt = 1;
        let found = loop {
            match self.ask().await {
                Err(_) if attempt < ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(BETWEEN).await;
                }
                outcome => break outcome,
            }
        };
        match found {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                known.failed = None;
                known.metadata = Some((Arc::clone(&metadata), self.clock.boot()));
                Ok(Client { provider: self, metadata })
            }
            Err(cause) => {
                known.failed = Some((crate::store::with_causes(&*cause), self.clock.boot()));
                Err(cause)
            }
        }
    }

    async fn ask(&self) -> Result<CoreProviderMetadata, Cause> {
        let issuer = IssuerUrl::new(self.settings.issuer.clone())?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &self.fetch).await?;
        // What must not be seen on the way in must not leave for a plain address either.
        if self.settings.issuer.starts_with("https:") {
            let token = metadata.token_endpoint().map(|endpoint| endpoint.url());
            let userinfo = metadata.userinfo_endpoint().map(|endpoint| endpoint.url());
            let urls: [Option<&Url>; 4] = [
                Some(metadata.authorization_endpoint().url()),
                token,
                userinfo,
                Some(metadata.jwks_uri().url()),
            ];
            if let Some(plain) = urls.into_iter().flatten().find(|url| url.scheme() != "https") {
                return Err(format!("its endpoint {plain} is not https").into());
            }
        }
        Ok(metadata)
    }
}
