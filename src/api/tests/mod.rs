//! The HTTP side as a whole: in memory, or on a port, with a real provider and a browser.

mod base;
mod link;
mod oauth;
mod roles;
mod signin;
mod things;
pub(crate) mod world;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::ConnectInfo;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use curfew_harness::{Browser, Page, Provider};
use tokio::net::TcpListener;

use super::address::PeerAddress;
use super::router;
use super::site::Site;
use super::v1::{GateFacts, ListenerFact, Reads, Searches};
use crate::app::{App, Parts};
use crate::audit::SigningKey;
use crate::config;
use crate::grant::{Grants, StoreDirectory};
use crate::identity::Links;
use crate::identity::oidc::Oidc;
use crate::record::Folders;
use crate::store::tests::{Backend, backends};

/// Where a listener is said to be, which there is none.
fn listener((protocol, port): (&str, u16)) -> ListenerFact {
    ListenerFact { protocol: protocol.to_owned(), address: format!("gate.example:{port}") }
}

/// A gate without listeners for databases.
pub(crate) struct Gate {
    pub(crate) backend: Backend,
    pub(crate) app: App,
    pub(crate) url: String,
    pub(crate) provider: Option<Provider>,
    /// What was killed.
    pub(crate) live: Arc<world::NobodyLives>,
    /// Signs recordings and checkpoints.
    pub(crate) key: Arc<SigningKey>,
}

impl Gate {
    /// In memory, without a provider.
    pub(crate) async fn alone() -> Self {
        let mut backend = backends().await;
        Self::over(backend.remove(0), "https://gate.example".to_owned(), None, &[])
    }

    /// On a port of 127.0.0.1, with the provider of the tests.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, with another entry for the provider.
    pub(crate) async fn start_with(change: impl FnOnce(&mut config::Provider)) -> Self {
        // The provider's clock is the machine's, so ours must be too.
        let backend = Backend::at(curfew_adapter::Clock::system().wall()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let back = format!("{url}/oidc/callback/example");
        let provider = Provider::start(&[&back]).await.unwrap();
        let secret = backend.path().with_file_name("secret");
        std::fs::write(&secret, curfew_harness::provider::CLIENT_SECRET).unwrap();
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut entry = config::Provider {
            name: "example".into(),
            issuer: provider.issuer().to_owned(),
            client_id: "curfew".into(),
            client_secret: Some(config::SecretSource::File(secret)),
            groups_claim: vec!["groups".into()],
            emails: vec!["example.com".into()],
            shared: Vec::new(),
            groups: None,
            scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
            ca: None,
        };
        change(&mut entry);
        let gate = Self::over(backend, url, Some(provider), &[entry]);
        let router = gate.router();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        curfew_adapter::task::supervised("test gate", async move {
            axum::serve(listener, service).await.unwrap();
        });
        gate
    }

    fn over(backend: Backend, url: String, provider: Option<Provider>, entries: &[config::Provider]) -> Self {
        let store = backend.store.clone();
        let oidc = Oidc::new(entries, &url, store.clone()).unwrap();
        let identities = Arc::new(crate::identity::tests::service(&backend));
        let (contracts, targets) = (world::contracts(&backend), world::targets());
        let directory = StoreDirectory::new(store.clone(), &targets);
        let public_url: url::Url = url.parse().unwrap();
        let grants = Grants::new(store.clone(), contracts, Arc::new(directory), public_url.clone());
        let key = Arc::new(SigningKey::generate().unwrap().0);
        let live = Arc::new(world::NobodyLives::default());
        let app = App::new(Parts {
            site: Site::new(public_url, Vec::new()),
            clock: store.clock().clone(),
            links: Links::new(identities.clone(), url.clone(), config::LinkAddresses::Same),
            identities,
            oidc: Arc::new(oidc),
            grants,
            sessions: live.clone(),
            recordings: Folders::new(Arc::new(object_store::memory::InMemory::new())),
            checkpoints: backend.path().with_file_name("checkpoints"),
            gate: GateFacts {
                listeners: [("postgres", 5432), ("ssh", 22)].map(listener).to_vec(),
                authority_pem: "-----BEGIN CERTIFICATE-----\n".to_owned(),
                keys: vec![(key.id().to_owned(), key.public_pem().unwrap())],
                ..GateFacts::default()
            },
            reads: Reads::default(),
            searches: Searches::default(),
        });
        Self { backend, app, url, provider, live, key }
    }

    /// The router, with the peer's address as the listener gives it.
    pub(crate) fn router(&self) -> axum::Router {
        async fn peer(mut request: axum::extract::Request, next: Next) -> Response {
            if let Some(ConnectInfo(address)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied()
            {
                request.extensions_mut().insert(PeerAddress(address));
            }
            next.run(request).await
        }
        let nobody: SocketAddr = "192.0.2.9:9".parse().unwrap();
        router(self.app.clone()).layer(from_fn(peer)).layer(Extension(PeerAddress(nobody)))
    }

    /// The provider.
    pub(crate) fn provider(&self) -> &Provider {
        self.provider.as_ref().unwrap()
    }

    /// The address of a page.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Opens a page as this person.
    pub(crate) async fn open(&self, browser: &Browser, path: &str, name: &str) -> Page {
        browser.sign_in(&self.at(path), name).await.unwrap()
    }

    /// The audit log as text.
    pub(crate) async fn audit(&self) -> String {
        let lines = self.backend.store.audit_lines(0, 1000).await.unwrap();
        lines.into_iter().map(|(_, line)| line + "\n").collect()
    }
}
