//! One gate with a target for each cell of the table, and a tap of its own on either side of each.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use curfew_harness::{Direction, Gate, GateOptions, Person, Provider, Ssh, Sshd, Tap};
use tokio::sync::{Semaphore, watch};

use super::cell::{Cell, Ending};
use super::kernel::{ANY_PORT, Connections, Running};
use super::log::Log;
use super::stamps::Pace;
use super::work::{Desk, Work, still};
use crate::world::LIMIT;

const CONTRACT: &str = r#"
[contract]
name = "NAME"
description = "Everything that SSH can do, at once"

[who]
groups = ["sre"]

[what]
targets = { protocol = "ssh", labels = { contract = "NAME" } }
accounts = ["ACCOUNT"]
allow = ["shell", "exec", "sftp", "forward:localhost:*", "reverse:*"]

[when]
duration = { default = "30m", max = "4h" }

[end]
END
"#;

/// How many sign in at the same time: as many as two cores let in long before anybody's patience ends.
const AT_ONCE: usize = 6;

/// Dropped from the top: whoever connects goes before whom they connect to.
pub struct Stage {
    pub gate: Gate,
    targets: Mutex<HashMap<String, Tap>>,
    pub sshd: Sshd,
    _provider: Provider,
    pub alice: Person,
    pub dave: Person,
    /// Where `curfew login` has put alice's key.
    keys: PathBuf,
    turns: Semaphore,
    /// A few at a time end sessions.
    ends: Semaphore,
    connected: AtomicU8,
}

/// A session that does what it is to do, until it is ended.
pub struct Scene {
    pub cell: Cell,
    pub grant: String,
    pub session: String,
    pub sockets: [String; 2],
    pub running: Running,
    pub client_side: Tap,
    pub target_side: Tap,
    pub work: Work,
    client: SocketAddr,
    gate: SocketAddr,
    _ssh: Ssh,
}

impl Stage {
    pub async fn new() -> Self {
        let (sshd, provider) = tokio::try_join!(Sshd::start(), Provider::start(&[])).unwrap();
        // A forwarded port of both families is one of ::1 alone where somebody else has it of 127.0.0.1.
        sshd.configure("AddressFamily inet").await.unwrap();
        let mut options = GateOptions::new(env!("CARGO_BIN_EXE_curfew"));
        options.server = "drain = \"2s\"\n".to_owned();
        options.contracts.clear();
        for (name, end) in [("work", ""), ("idle", "idle = \"20s\"")] {
            let contract = CONTRACT.replace("NAME", name).replace("ACCOUNT", sshd.account());
            options = options.contract(name, &contract.replace("END", end));
        }
        let mut targets = HashMap::new();
        for cell in Ending::ALL.into_iter().flat_map(Cell::of).filter(|cell| cell.impossible().is_none()) {
            let tap = Tap::without_contents(Ipv4Addr::LOCALHOST.into(), sshd.address()).await.unwrap();
            let contract = if cell.ending == Ending::Idle { "idle" } else { "work" };
            options.tables.push_str(&format!(
                "\n[[target]]\nname = \"{}\"\nprotocol = \"ssh\"\naddress = \"{}\"\n\
                 labels = {{ contract = \"{contract}\" }}\nhost_keys = {{ pinned = [\"{}\"] }}\n\
                 accounts = [{{ name = \"{}\", certificate = true }}]\n",
                cell.name(),
                tap.address(),
                sshd.host_key(),
                sshd.account()
            ));
            targets.insert(cell.name(), tap);
        }
        let gate = Gate::start(options, &provider).await.unwrap();
        sshd.trust(&gate.public_key("ssh-sessions").unwrap()).unwrap();
        let (alice, dave) = (gate.person("alice").unwrap(), gate.person("dave").unwrap());
        tokio::try_join!(alice.login(), dave.login()).unwrap();
        alice.curfew(["ssh-config"]).await.unwrap().success().unwrap();
        let keys = alice.kept().unwrap();
        Self {
            gate,
            targets: Mutex::new(targets),
            sshd,
            _provider: provider,
            alice,
            dave,
            keys,
            turns: Semaphore::new(AT_ONCE),
            ends: Semaphore::new(4),
            connected: AtomicU8::new(1),
        }
    }

    /// A grant, a session under it, and what it is to do, but for its beginning.
    pub async fn open(&self, log: &Log, cell: Cell, go: watch::Receiver<bool>) -> Scene {
        let _turn = self.turns.acquire().await.unwrap();
        let (name, account) = (cell.name(), self.sshd.account());
        let duration = cell.ending.duration();
        let asked = ["request", &name, "--as", account, "--reason", "a test", "--for", duration, "--json"];
        let request = self.alice.json(asked).await.unwrap();
        let grant = request["grant_id"].as_str().unwrap_or_else(|| panic!("no grant at once: {request}"));
        let grant = grant.to_owned();

        // By its address the gate's end of the connection is found among those of the others.
        let number = self.connected.fetch_add(1, Ordering::Relaxed);
        let client = IpAddr::from([127, 0, 1, number]);
        let client_side = Tap::without_contents(client, self.gate.ssh()).await.unwrap();
        let target_side = self.targets.lock().unwrap().remove(&name).unwrap();
        let ssh = Ssh::to(client_side.address(), &self.gate.public_key("ssh-authority").unwrap()).unwrap();
        ssh.take(&self.keys).unwrap();
        let pace = if cell.reads { Pace::Calm } else { Pace::Full };
        let (user, mark) = (format!("{account}%{name}"), cell.mark());
        let desk = Desk { ssh, user, mark, sshd: &self.sshd, pace, go };
        let opening = tokio::time::timeout(LIMIT, Work::open(&desk, cell.doing));
        let work = opening.await.unwrap_or_else(|_| panic!("{name} does not open"));
        let started = log.event("session.started", "grant", &grant).await;
        let session = started["session"].as_str().unwrap().to_owned();
        Scene {
            cell,
            grant,
            session,
            sockets: Default::default(),
            running: Running::default(),
            client_side,
            target_side,
            work,
            client: (client, 0).into(),
            gate: self.gate.ssh(),
            _ssh: desk.ssh,
        }
    }

    /// Ends a session, where that is somebody's doing.
    pub async fn end(&self, scene: &Scene) {
        let _turn = self.ends.acquire().await.unwrap();
        let (grant, session) = (scene.grant.as_str(), scene.session.as_str());
        let said = match scene.cell.ending {
            Ending::Revoke => self.dave.curfew(["revoke", grant, "--reason", "a test"]).await,
            Ending::Return => self.alice.curfew(["return", grant]).await,
            Ending::Kill => self.dave.curfew(["sessions", "kill", session, "--reason", "a test"]).await,
            Ending::Expiry | Ending::Idle | Ending::Drain => return,
        };
        said.unwrap().success().unwrap();
    }
}

impl Scene {
    /// Brings it to where it is to be ended: what moves moves, and who stops reading has stopped.
    pub async fn begin(&mut self) {
        let name = self.cell.name();
        self.work.moving(&name).await;
        self.work.rekey(&self.client_side, self.cell.reads).await;
        if !self.cell.reads {
            self.client_side.stall(Direction::ToClient);
            if self.cell.doing.moves() {
                let full =
                    [(&self.target_side, Direction::ToClient), (&self.client_side, Direction::ToTarget)];
                still(&full).await;
            }
        }
    }

    /// The gate's socket to the client, and to the target.
    pub fn find_sockets(&mut self, all: &Connections) {
        let ends = [(self.gate, self.client), (ANY_PORT, self.target_side.address())];
        let found = ends.map(|(from, to)| all.socket(from, to).map(str::to_owned));
        self.sockets =
            found.map(|socket| socket.unwrap_or_else(|| panic!("{} is over too early", self.cell.name())));
    }

    /// Lets everybody read what is left.
    pub fn resume(&self) {
        self.client_side.resume(Direction::ToClient);
        self.client_side.resume(Direction::ToTarget);
    }
}
