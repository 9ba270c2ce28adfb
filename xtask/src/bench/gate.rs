//! A gate as it is shipped, and an engineer who is signed in there by client certificate and has a grant.

use std::path::{Path, PathBuf};

use curfew_harness::gate::TARGET;
use curfew_harness::{Context, Gate, GateOptions, Person, Postgres, Provider, Psql, Result};

/// Granted at once; as many sessions as the benches want.
const CONTRACT: &str = r#"
[contract]
name = "bench"
description = "Everything is recorded, and nobody has to be asked"

[who]
groups = ["sre"]

[what]
targets = { names = ["orders"] }
accounts = ["orders_read"]

[when]
duration = { default = "2h", max = "4h" }

[end]
sessions = 1000

[record]
parameters = "full"
"#;

/// A gate in front of a Postgres, and whoever uses it. Dropped from the top.
pub struct Bench {
    /// The gate.
    pub gate: Gate,
    alice: Person,
    _provider: Provider,
    /// The target, which the gate reaches in plaintext, as all peers that it is compared with.
    pub postgres: Postgres,
}

impl Bench {
    /// Starts all of it, signs alice in and gives her access.
    pub async fn start(binary: &Path, postgres: Postgres) -> Result<Self> {
        let provider = Provider::start(&[]).await?;
        let mut options =
            GateOptions::new(binary).target_with(TARGET, postgres.address(), "mode = \"disable\"");
        options.contracts.clear();
        let gate = Gate::start(options.contract("bench", CONTRACT), &provider).await?;
        let alice = gate.person("alice")?;
        alice.login().await?;
        let asked = ["request", TARGET, "--as", "orders_read", "--reason", "bench", "--wait"];
        alice.curfew(asked).await?.success().context("asking for access")?;
        Ok(Self { gate, alice, _provider: provider, postgres })
    }

    /// How alice connects: plain libpq with her certificate.
    pub fn client(&self) -> Result<Psql> {
        let folder = kept(&self.alice)?;
        let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
        Ok(self
            .gate
            .psql("orders_read")
            .param("sslcert", &file("client.crt"))
            .param("sslkey", &file("client.key")))
    }
}

/// The folder in which `curfew login` left a person's certificates.
pub fn kept(person: &Person) -> Result<PathBuf> {
    let folder = person.home().join(".config/curfew");
    let entries = std::fs::read_dir(&folder).context("what curfew login kept")?;
    let mut folders = entries.flatten().map(|entry| entry.path());
    folders.find(|path| path.join("client.crt").exists()).context("no client certificate was kept")
}
