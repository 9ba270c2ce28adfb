//! What the demo is made of: the same fixtures as the tests, with a tap on either side of the gate.

use std::time::Duration;

use curfew_harness::gate::SSH_TARGET;
use curfew_harness::postgres::Postgres;
use curfew_harness::{Gate, GateOptions, Provider, Psql, Result, Ssh, Sshd, Tap, repository};

/// How quickly time runs out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// For people: minutes.
    Calm,
    /// For the tour: seconds.
    Brisk,
}

impl Pace {
    fn duration(self) -> &'static str {
        match self {
            Self::Calm => "3m",
            Self::Brisk => "20s",
        }
    }

    fn countdown(self) -> &'static str {
        match self {
            Self::Calm => r#"["2m", "1m", "30s", "10s"]"#,
            Self::Brisk => r#"["10s"]"#,
        }
    }
}

/// How long the tour's grant lasts.
pub const BRISK: Duration = Duration::from_secs(20);

/// Everything that runs. Dropped from the top: whoever connects goes before whom they connect to.
pub struct Parts {
    /// Between psql and the gate.
    pub client_side: Tap,
    /// Curfew.
    pub gate: Gate,
    /// Between the gate and Postgres.
    pub target_side: Tap,
    /// The people.
    pub provider: Provider,
    /// The rows.
    pub postgres: Postgres,
    /// The shells.
    pub sshd: Sshd,
}

impl Parts {
    /// Starts everything.
    pub async fn start(pace: Pace) -> Result<Self> {
        let (postgres, provider, sshd) =
            tokio::try_join!(Postgres::start(), Provider::start(&[]), Sshd::start())?;
        let target_side = Tap::start(postgres.address()).await?;
        let binary = repository().join("target/debug/curfew");
        let mut options = GateOptions::new(binary)
            .target_at("orders", target_side.address(), &postgres)
            .contract("orders-debug", &contract(pace))
            .contract("orders-fix", FIX)
            .ssh_target(&sshd, "");
        options.record = "checkpoint = { file = \"data/checkpoints.jsonl\", every = \"5s\" }\n".to_owned();
        options.tables.push_str(&format!("\n[session]\ncountdown = {}\n", pace.countdown()));
        let gate = Gate::start(options, &provider).await?;
        sshd.trust(&gate.public_key("ssh-sessions")?)?;
        let client_side = Tap::start(gate.postgres()).await?;
        Ok(Self { client_side, gate, target_side, provider, postgres, sshd })
    }

    /// ssh and its kin towards the gate, and the user that they name.
    pub fn ssh(&self) -> Result<(Ssh, String)> {
        let ssh = Ssh::to(self.gate.ssh(), &self.gate.public_key("ssh-authority")?)?;
        Ok((ssh, format!("{}%{SSH_TARGET}", self.sshd.account())))
    }

    /// psql towards the gate, through the tap.
    pub fn psql(&self) -> Psql {
        Psql::to(self.client_side.address()).user("orders_read").database("orders")
    }
}

/// Reading, for engineers and contractors, with an approval.
fn contract(pace: Pace) -> String {
    let duration = pace.duration();
    format!(
        r#"[contract]
name = "orders-debug"
description = "Read the orders database while debugging an incident"

[who]
groups = ["sre", "contractors"]

[what]
targets = {{ protocol = "postgres", labels = {{ env = "demo", app = "orders" }} }}
accounts = ["orders_read"]

[when]
duration = {{ default = "{duration}", max = "1h" }}

[ask]
reason = "required"
expires = "1h"

[[approve]]
from = {{ groups = ["sre-leads"] }}
count = 1

[end]
extend = {{ max = 2, by = "{duration}", approval = "again" }}

[record]
parameters = "full"
mask = ['(?i)iban']
"#
    )
}

/// Writing, for engineers only, with a ticket.
const FIX: &str = r#"[contract]
name = "orders-fix"
description = "Correct rows of the orders database under a ticket"

[who]
groups = ["sre"]

[what]
targets = { names = ["orders"] }
accounts = ["orders_write"]

[when]
duration = { default = "5m", max = "20m" }

[ask]
reason = "required"
ticket = '^(INC|OPS)-[0-9]+$'

[[approve]]
from = { groups = ["sre-leads"] }
count = 1
"#;
