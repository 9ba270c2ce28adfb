//! One gate and one Postgres, which is a target for each cell of the table, with a tap on either side of each.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use curfew_harness::postgres::{DATABASE, Db, PostgresOptions};
use curfew_harness::{Direction, Gate, GateOptions, Postgres, Provider, Tap, Wire, tls, until, wire};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsConnector;

use super::cell::Cell;
use super::notifier::Notifier;
use super::witness;
use super::work::{PREPARED, Work};
use crate::matrix::ending::Ending;
use crate::matrix::hands::Hands;
use crate::matrix::kernel::Running;
use crate::matrix::log::Log;
use crate::matrix::play;
use crate::matrix::subject::Subject;
use crate::matrix::table::Cell as _;
use crate::matrix::witness::Findings;
use crate::world::LIMIT;

const CONTRACT: &str = r#"
[contract]
name = "NAME"
description = "Anything on the orders database, at once"

[who]
groups = ["sre"]

[what]
targets = { protocol = "postgres", labels = { contract = "NAME" } }
accounts = ["orders_write"]

[when]
duration = { default = "30m", max = "4h" }

[end]
END
"#;

/// The login of all of them.
pub const ACCOUNT: &str = "orders_write";

/// How many are opened at the same time: as many as two cores let in well within a startup's deadline.
const AT_ONCE: usize = 8;

/// Dropped from the top: whoever connects goes before whom they connect to.
pub struct Stage {
    gate: Gate,
    targets: Mutex<HashMap<String, Tap>>,
    db: Arc<Db>,
    notifier: Arc<Notifier>,
    _postgres: Postgres,
    _provider: Provider,
    hands: Hands,
    tls: TlsConnector,
    turns: Semaphore,
    connected: AtomicU16,
}

/// A session that does what it is to do, until it is ended.
pub struct Scene {
    pub cell: Cell,
    pub client_side: Tap,
    pub target_side: Tap,
    pub work: Work,
    /// What of it was committed, which must be nothing.
    pub committed: u64,
    pub subject: Subject,
    db: Arc<Db>,
    notifier: Arc<Notifier>,
    backend: String,
    go: watch::Receiver<bool>,
}

impl Stage {
    pub async fn new() -> Self {
        let many = [("max_connections", "200")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let postgres = PostgresOptions { settings: many.to_vec(), ..PostgresOptions::default() };
        let (postgres, provider) =
            tokio::try_join!(Postgres::start_with(postgres), Provider::start(&[])).unwrap();
        postgres.query(PREPARED).await.unwrap();
        let mut options = GateOptions::new(env!("CARGO_BIN_EXE_curfew"));
        options.server = "drain = \"2s\"\n".to_owned();
        options.contracts.clear();
        for (name, end) in [("work", ""), ("idle", "idle = \"20s\"")] {
            options = options.contract(name, &CONTRACT.replace("NAME", name).replace("END", end));
        }
        let mut targets = HashMap::new();
        for cell in Ending::ALL.into_iter().flat_map(Cell::of).filter(|cell| cell.impossible().is_none()) {
            let tap = Tap::with_contents_to_target(postgres.address()).await.unwrap();
            let contract = if cell.ending == Ending::Idle { "idle" } else { "work" };
            options.tables.push_str(&format!(
                "\n[[target]]\nname = \"{}\"\nprotocol = \"postgres\"\naddress = \"{}\"\n\
                 labels = {{ contract = \"{contract}\" }}\ndatabases = [\"{DATABASE}\"]\n\
                 tls = {{ mode = \"disable\" }}\n\
                 accounts = [{{ name = \"{ACCOUNT}\", secret = {{ file = \"secrets/{ACCOUNT}\" }} }}]\n",
                cell.name(),
                tap.address(),
            ));
            targets.insert(cell.name(), tap);
        }
        let gate = Gate::start(options, &provider).await.unwrap();
        let hands = Hands::of(&gate, "40s").await;
        let tls = tls::connector(&hands.alice.kept().unwrap()).unwrap();
        Self {
            gate,
            targets: Mutex::new(targets),
            db: Arc::new(postgres.connect("postgres").await.unwrap()),
            notifier: Arc::new(Notifier::start(&postgres).await),
            _postgres: postgres,
            _provider: provider,
            hands,
            tls,
            turns: Semaphore::new(AT_ONCE),
            connected: AtomicU16::new(0),
        }
    }

    /// A client of its own address, by which the gate's end of its connection is found among those of the others.
    fn address(&self) -> IpAddr {
        let number = self.connected.fetch_add(1, Ordering::Relaxed);
        let [high, low] = (number / 200 * 256 + number % 200 + 1).to_be_bytes();
        IpAddr::from([127, 0, high + 1, low])
    }

    /// Signed in by certificate, over TLS, and ready for its first query; with its process at the target.
    async fn connect(&self, cell: Cell, client_side: &Tap) -> (Wire, String) {
        let wire = Wire::connect(client_side.address()).await.unwrap();
        let mut wire = wire.secured(&self.tls).await.unwrap();
        let ask = [("user", ACCOUNT), ("database", &cell.name()), ("application_name", "a test")];
        wire.send(&wire::startup(&ask)).await.unwrap();
        wire.until(b'Z').await.unwrap();
        wire.query("select pg_backend_pid()").await.unwrap();
        let heard = wire.until(b'Z').await.unwrap();
        let row = heard.iter().find(|message| message.tag == b'D').unwrap().row();
        (wire, row[0].clone().unwrap())
    }
}

impl play::Stage for Stage {
    type Cell = Cell;
    type Scene = Scene;

    fn gate(&self) -> &Gate {
        &self.gate
    }

    fn gate_mut(&mut self) -> &mut Gate {
        &mut self.gate
    }

    fn hands(&self) -> &Hands {
        &self.hands
    }

    fn cells(&self, ending: Ending) -> Vec<Cell> {
        Cell::of(ending).collect()
    }

    async fn open(&self, log: &Log, cell: Cell, go: watch::Receiver<bool>) -> Scene {
        let _turn = self.turns.acquire().await.unwrap();
        let name = cell.name();
        let grant = self.hands.grant(&name, ACCOUNT, cell.ending).await;
        let client = self.address();
        let client_side = Tap::without_contents(client, self.gate.postgres()).await.unwrap();
        let target_side = self.targets.lock().unwrap().remove(&name).unwrap();
        let (wire, backend) = self.connect(cell, &client_side).await;
        let started = log.event("session.started", "grant", &grant).await;
        let session = started["session"].as_str().unwrap().to_owned();
        let ends = (self.gate.postgres(), SocketAddr::new(client, 0));
        let mut subject = Subject::new(name, cell.ending, [grant, session], ends, target_side.address());
        (subject.running, subject.answers) = (Running::one(&backend), cell.answers);
        Scene {
            cell,
            client_side,
            target_side,
            work: Work::new(cell, wire),
            committed: 0,
            subject,
            db: self.db.clone(),
            notifier: self.notifier.clone(),
            backend,
            go,
        }
    }

    /// Each has looked itself.
    async fn at_work(&self, _: &mut [Scene]) {}
}

impl play::Scene for Scene {
    type Cell = Cell;

    fn cell(&self) -> Cell {
        self.cell
    }

    fn subject(&self) -> &Subject {
        &self.subject
    }

    fn subject_mut(&mut self) -> &mut Subject {
        &mut self.subject
    }

    async fn begin(&mut self) {
        self.go.wait_for(|go| *go).await.unwrap();
        let taps = [&self.client_side, &self.target_side];
        self.work.begin(&self.db, &self.backend, &self.notifier, taps).await;
    }

    async fn over(&mut self) {
        if !self.cell.answers {
            // Nobody could reach it, and it may run on for ten minutes.
            let end = format!("select pg_terminate_backend({})", self.backend);
            self.db.query(&end).await.unwrap();
        }
        let gone = async || (!self.subject.running.are_left()).then_some(());
        until(&format!("the backend of {}", self.subject.name), LIMIT, gone).await.unwrap();
        let mark = self.work.mark();
        let count = format!("select count(*) from marks where strpos(cell, '{mark}') > 0");
        self.committed = self.db.query(&count).await.unwrap()[0].text(0).unwrap().parse().unwrap();
        self.client_side.resume(Direction::ToClient);
        self.target_side.resume(Direction::ToTarget);
        self.work.over().await;
    }

    fn judge(&self, findings: &mut Findings) {
        witness::judge(self, findings);
    }
}
