//! The gate's core over a real store: admission, and the wait for it.

mod wait;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use curfew_adapter::{
    Ask, Connection, ConnectionId, Core, GuardedSocket, HostKeys, HostPort, Notice, Peer, Progress, Protocol,
    Refusal, Session, SignedIn, StartupClock, Step, TargetRoute, TargetTls, TlsMode,
};
use curfew_certs::SshKey;
use rustls::RootCertStore;
use tokio::net::{TcpListener, TcpStream};

use super::{GateCore, Parts, Reach, Registry, Waiters};
use crate::api::tests::Gate;
use crate::api::tests::world::Somebody;
use crate::metrics::Metrics;
use crate::record::Writer;

/// How long a client waits at the prompt, as the configuration has it where it says nothing.
const PATIENCE: Duration = Duration::from_secs(300);

/// The gate of the API's tests, with what stands behind its adapters.
struct World {
    gate: Gate,
    parts: Arc<Parts>,
    core: Arc<GateCore>,
    /// One end of a connection, and the other one, which the client holds.
    ends: (GuardedSocket, TcpStream),
}

impl World {
    /// At most `waiters` connections wait for people.
    async fn new(waiters: usize) -> Self {
        let gate = Gate::alone().await;
        let app = &gate.app;
        let recordings = Writer::start(app.recordings.clone(), gate.key.clone(), app.clock.clone()).unwrap();
        let route = TargetRoute {
            name: "orders".to_owned(),
            protocol: Protocol::Postgres,
            address: HostPort { host: "127.0.0.1".to_owned(), port: 1 },
            tls: TargetTls::new(TlsMode::Disable, RootCertStore::empty()).unwrap(),
            host_keys: HostKeys::default(),
            postgres: curfew_adapter::PostgresRoute::default(),
        };
        let reach = Reach {
            facts: app.grants.target("orders").unwrap(),
            route,
            database: Some("orders".to_owned()),
            has_databases: true,
            accounts: HashMap::new(),
            certificates: HashMap::new(),
            logins: HashMap::new(),
        };
        let parts = Arc::new(Parts {
            site: app.site.clone(),
            clock: app.clock.clone(),
            store: gate.backend.store.clone(),
            contracts: app.grants.contracts().clone(),
            grants: app.grants.clone(),
            certifier: SshKey::generate().unwrap(),
            identities: app.identities.clone(),
            links: app.links.clone(),
            recordings,
            strict: true,
            metrics: Metrics::new("test").unwrap(),
            registry: Registry::new(app.clock.clone()),
            targets: [("orders".to_owned(), reach)].into(),
            countdown: Vec::new(),
            waiters: Waiters::new(waiters, waiters),
            patience: PATIENCE,
            max_staleness: Duration::from_secs(15),
            runtime: tokio::runtime::Handle::current(),
            drain: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(listener.accept(), TcpStream::connect(listener.local_addr().unwrap()));
        let ends = (GuardedSocket::new(near.unwrap().0), far.unwrap());
        Self { core: GateCore::new(parts.clone()), gate, parts, ends }
    }

    fn connection(&self) -> Connection {
        Connection {
            id: ConnectionId::random(),
            protocol: Protocol::Postgres,
            peer: Peer { address: SocketAddr::from(([192, 0, 2, 9], 4711)) },
            socket: self.ends.0.handle(),
            startup: StartupClock::start(Duration::from_secs(10)),
        }
    }

    /// Somebody asks to be let in as orders_read; `waits` as psql does.
    fn admit(&self, who: &Somebody, waits: bool) -> Progress<Session> {
        let signed_in = SignedIn::new(who.viewer.identity.clone(), who.viewer.signin.id.clone());
        let ask = Ask {
            target: "orders".to_owned(),
            account: "orders_read".to_owned(),
            database: None,
            program: if waits { "psql" } else { "DBeaver" }.to_owned(),
            can_wait: waits,
            can_answer: false,
        };
        self.core.clone().admit(self.connection(), signed_in, ask)
    }
}

/// What comes next of a wait.
async fn shown(progress: &mut Progress<Session>) -> Notice {
    match progress.next().await {
        Step::Show(notice) => notice,
        Step::Refused(refusal) => panic!("refused: {:?}", refusal.notice),
        step => panic!("{step:?}"),
    }
}

async fn refused(progress: &mut Progress<Session>) -> Refusal {
    match progress.next().await {
        Step::Refused(refusal) => refusal,
        step => panic!("{step:?}"),
    }
}
