//! One gate with a target for each cell of the table, and a tap of its own on either side of each.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use curfew_harness::{Direction, Gate, GateOptions, Provider, Ssh, Sshd, Tap, until};
use tokio::sync::{Semaphore, watch};

use super::cell::Cell;
use super::witness;
use super::work::{Desk, Work};
use crate::matrix::ending::Ending;
use crate::matrix::hands::Hands;
use crate::matrix::kernel::Running;
use crate::matrix::log::Log;
use crate::matrix::play;
use crate::matrix::stamps::Pace;
use crate::matrix::subject::{Subject, still};
use crate::matrix::table::Cell as _;
use crate::matrix::witness::Findings;
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
    hands: Hands,
    /// Where `curfew login` has put alice's key.
    keys: PathBuf,
    turns: Semaphore,
    connected: AtomicU8,
}

/// A session that does what it is to do, until it is ended.
pub struct Scene {
    pub cell: Cell,
    pub client_side: Tap,
    pub target_side: Tap,
    pub work: Work,
    subject: Subject,
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
        let hands = Hands::of(&gate, "25s").await;
        hands.alice.curfew(["ssh-config"]).await.unwrap().success().unwrap();
        let keys = hands.alice.kept().unwrap();
        Self {
            gate,
            targets: Mutex::new(targets),
            sshd,
            _provider: provider,
            hands,
            keys,
            turns: Semaphore::new(AT_ONCE),
            connected: AtomicU8::new(1),
        }
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
        let (name, account) = (cell.name(), self.sshd.account());
        let grant = self.hands.grant(&name, account, cell.ending).await;
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
        let ends = (self.gate.ssh(), SocketAddr::new(client, 0));
        let subject = Subject::new(name, cell.ending, [grant, session], ends, target_side.address());
        Scene { cell, client_side, target_side, work, subject, _ssh: desk.ssh }
    }

    async fn at_work(&self, scenes: &mut [Scene]) {
        let enough = async || {
            let running = Running::by_mark();
            let enough = |scene: &Scene| {
                let count = running.get(&scene.cell.mark()).map_or(0, Running::count);
                count >= scene.cell.doing.processes()
            };
            scenes.iter().all(enough).then_some(running)
        };
        let mut running = until("all processes at the target", LIMIT, enough).await.unwrap().0;
        for scene in scenes {
            scene.subject.running = running.remove(&scene.cell.mark()).unwrap_or_default();
        }
    }
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

    async fn over(&mut self) {
        self.client_side.resume(Direction::ToClient);
        self.client_side.resume(Direction::ToTarget);
        self.work.over(&self.cell.name()).await;
    }

    fn judge(&self, findings: &mut Findings) {
        witness::judge(self, findings);
    }
}
