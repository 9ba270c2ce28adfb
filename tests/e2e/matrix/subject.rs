//! A session of a table, as it is seen from outside.

use std::net::SocketAddr;
use std::time::Duration;

use curfew_harness::{Direction, Tap};
use tokio::time::MissedTickBehavior;

use super::ending::Ending;
use super::kernel::{ANY_PORT, Connections, Running};
use crate::world::LIMIT;

/// A session: what it is called, what it runs under, and what shows that it still lives.
pub struct Subject {
    pub name: String,
    pub ending: Ending,
    pub grant: String,
    pub session: String,
    /// What works for it at the target.
    pub running: Running,
    /// Whether the target can be told to stop that.
    pub answers: bool,
    /// The gate's socket to the client, and to the target.
    pub sockets: [String; 2],
    between: [(SocketAddr, SocketAddr); 2],
}

impl Subject {
    /// A session of a client that connects to `gate` from the address of `client` alone, to a target of its own.
    pub fn new(
        name: String,
        ending: Ending,
        [grant, session]: [String; 2],
        (gate, client): (SocketAddr, SocketAddr),
        target: SocketAddr,
    ) -> Self {
        Self {
            name,
            ending,
            grant,
            session,
            running: Running::default(),
            answers: true,
            sockets: Default::default(),
            between: [(gate, client), (ANY_PORT, target)],
        }
    }

    pub fn find_sockets(&mut self, all: &Connections) {
        let found = self.between.map(|(from, to)| all.socket(from, to).map(str::to_owned));
        self.sockets =
            found.map(|socket| socket.unwrap_or_else(|| panic!("{} is over too early", self.name)));
    }
}

/// Returns once next to nothing passes any more. A gate that holds much of a peer goes on reading it in small steps.
pub async fn still(ways: &[(&Tap, Direction)]) {
    const STEP: Duration = Duration::from_millis(100);
    const NOTHING: usize = 4096;
    let passed = || ways.iter().map(|(tap, direction)| tap.passed(*direction)).sum::<usize>();
    let (mut before, mut quiet) = (passed(), 0);
    let mut looks = tokio::time::interval(STEP);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stilling = async {
        while quiet < 4 {
            looks.tick().await;
            let now = passed();
            quiet = if now < before + NOTHING { quiet + 1 } else { 0 };
            before = now;
        }
    };
    tokio::time::timeout(LIMIT, stilling).await.expect("it goes on and on");
}
