//! A Postgres, a gate as it is shipped in front of it, and an engineer who is signed in there by client certificate.

use curfew_harness::gate::{Contract, TARGET};
use curfew_harness::{Context, Gate, GateOptions, Person, Postgres, Provider, Psql, Result, process};
use serde_json::Value;
use tokio::process::Command;

use super::super::crowd::{self, Size};
use super::super::light::Light;
use super::super::{pgbench, release};

/// The account of every load.
pub const ACCOUNT: &str = "orders_read";

/// The target with thousands of light sessions: pg-target of curfew-benches.
pub const CROWD: &str = "crowd";

/// As many sessions as the benches want, and all that can be recorded of them but the results.
const MORE: &str = "[end]\nsessions = 10000\n[record]\nparameters = \"full\"";

/// All of it. Dropped from the top.
pub struct Scene {
    /// The gate.
    pub gate: Gate,
    /// Alice, who is signed in.
    pub alice: Person,
    _provider: Provider,
    /// The stand-in.
    pub light: Light,
    /// The target, which the gate reaches in plaintext, as all peers that it is compared with.
    pub postgres: Postgres,
}

impl Scene {
    /// Starts all of it, and signs alice in.
    pub async fn start() -> Result<Self> {
        let binary = release("curfew", "curfew")?;
        let (postgres, provider) = tokio::try_join!(pgbench::postgres(), Provider::start(&[]))?;
        let light = Light::start("pg-target", &[]).await?;
        let plain = "mode = \"disable\"";
        let mut options = GateOptions::new(binary)
            .target_with(TARGET, postgres.address(), plain)
            .target_with(CROWD, light.address, plain)
            .only(Contract::at_once("bench", &[TARGET, CROWD], ACCOUNT, MORE));
        options.listen = "limits = { connections = 20000 }\n".to_owned();
        let gate = Gate::start(options, &provider).await?;
        let alice = gate.person("alice")?;
        alice.login().await?;
        Ok(Self { gate, alice, _provider: provider, light, postgres })
    }

    /// Gives alice access to a target; the grant's id.
    pub async fn grant(&self, target: &str) -> Result<String> {
        let asked = ["request", target, "--as", ACCOUNT, "--reason", "bench", "--for", "4h", "--json"];
        let request = self.alice.json(asked).await?;
        let grant = request.get("grant_id").and_then(Value::as_str);
        Ok(grant.context(format!("no grant at once: {request}"))?.to_owned())
    }

    /// How alice connects: plain libpq with her certificate.
    pub fn client(&self) -> Result<Psql> {
        let [certificate, key] = self.certificate()?;
        Ok(self.gate.psql(ACCOUNT).param("sslcert", &certificate).param("sslkey", &key))
    }

    /// Her certificate and its key.
    fn certificate(&self) -> Result<[String; 2]> {
        let folder = self.alice.kept()?;
        Ok(["client.crt", "client.key"].map(|name| folder.join(name).to_string_lossy().into_owned()))
    }

    /// Many sessions of hers from one process.
    pub fn crowd(&self, target: &str, size: Size) -> Result<Command> {
        let [certificate, key] = self.certificate()?;
        let mut command = process::command(release("curfew-benches", "pg-crowd")?, process::Stop::Kill, None);
        let address = self.gate.postgres().to_string();
        command.args(["--address", &address, "--user", ACCOUNT, "--database", target]);
        command.args(["--certificate", &certificate, "--key", &key]);
        let every = size.every.as_secs_f64();
        command.arg("--query").arg(match target {
            CROWD => format!("stream {}", size.every.as_millis()),
            // Postgres keeps rows back until they fill its buffer of 8 KiB.
            _ => format!("select repeat('x', 8192), pg_sleep({every}) from generate_series(1, 1000000)"),
        });
        crowd::sized(&mut command, size);
        Ok(command)
    }
}
