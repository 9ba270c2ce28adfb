//! A person at a desk with drivers on it: signed in, with a grant, and with what `curfew login` has written. Whatever was
//! run there, its sessions are over in the end, and their recordings hold.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use curfew_harness::gate::TARGET;
use curfew_harness::process::{self, Process, Stop};
use curfew_harness::psql::{Output, output};
use curfew_harness::{Person, Psql, repository, until};
use serde_json::{Value, json};

use crate::world::{LIMIT, NOW, World};

/// How long a tour may take, on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(200);

/// Alice at her desk.
pub struct Desk {
    pub world: World,
    pub alice: Person,
    account: &'static str,
}

impl Desk {
    /// With a grant for this account.
    pub async fn of(account: &'static str) -> Self {
        let world = World::secure(|mut options| {
            options.contracts.clear();
            options.contract("orders-now", NOW)
        })
        .await;
        let alice = world.signed_in("alice").await;
        world.grant(&alice, account, "1h").await;
        Self { world, alice, account }
    }

    /// A file that `curfew login` has written.
    pub fn file(&self, name: &str) -> PathBuf {
        self.alice.kept().unwrap().join(name)
    }

    /// What libpq needs to connect. The listener takes nothing but TLS.
    pub fn psql(&self) -> Psql {
        let file = |name| self.file(name).display().to_string();
        Psql::to(self.world.gate.postgres())
            .user(self.account)
            .database(TARGET)
            .param("sslmode", "verify-full")
            .param("sslrootcert", &file("ca.pem"))
            .param("sslcert", &file("client.crt"))
            .param("sslkey", &file("client.key"))
    }

    /// The same for drivers that are no libpq.
    pub fn told(&self) -> Value {
        let address = self.world.gate.postgres();
        json!({
            "host": address.ip().to_string(),
            "port": address.port(),
            "user": self.account,
            "database": TARGET,
            "ca": self.file("ca.pem"),
            "certificate": self.file("client.crt"),
            "key": self.file("client.key"),
        })
    }

    /// What `curfew connect` says to whom a certificate is of no use: with a connection credential.
    pub async fn credential(&self) -> Value {
        self.alice.json(["connect", TARGET, "--as", self.account, "--json"]).await.unwrap()
    }

    /// The same as [`Desk::told`], with a connection credential instead of the certificate.
    pub async fn told_with_credential(&self) -> Value {
        let (mut told, connect) = (self.told(), self.credential().await);
        for name in ["user", "password"] {
            told[name] = connect["credential"][name].clone();
        }
        for name in ["certificate", "key"] {
            told[name] = Value::Null;
        }
        told
    }

    /// Starts a program with an environment that names nothing.
    pub fn start(&self, program: impl AsRef<Path>, args: &[OsString]) -> Process {
        let mut command = process::command(program.as_ref(), Stop::Kill, None);
        command.args(args).env_clear().env("LC_ALL", "C.UTF-8").env("HOME", "/nonexistent");
        command.env("PATH", std::env::var_os("PATH").unwrap());
        let mut program =
            Process::spawn(&program.as_ref().display().to_string(), command, Stop::Kill).unwrap();
        drop(program.take_stdin());
        program
    }

    /// Runs a program to its end, which must be a good one.
    pub async fn run(&self, program: impl AsRef<Path>, args: &[OsString]) -> Output {
        output(&mut self.start(program, args), LONG).await.unwrap().success().unwrap()
    }

    /// Runs one of the scripts to its end, where it says that it is done.
    pub async fn tour(&self, program: impl AsRef<Path>, args: &[OsString]) -> Value {
        let said = self.run(program, args).await;
        let last = said.stdout.lines().last().unwrap_or_default().to_owned();
        let last: Value = serde_json::from_str(&last).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        assert_eq!(last["done"], true, "{said:?}");
        last
    }

    /// All that was run is over and on record, this text too. Gives how many sessions it was.
    pub async fn recorded(&self, text: &str) -> usize {
        let erin = self.world.signed_in("erin").await;
        let over = async || {
            let all = erin.json(["sessions", "--json"]).await.ok()?;
            let items = all["items"].as_array()?.clone();
            let sealed = |session: &Value| session["end_reason"].is_string();
            items.iter().all(sealed).then_some(items)
        };
        let sessions = until("all sessions to be over", LIMIT, over).await.unwrap().0;
        let nobody = format!("select count(*) = 0 from pg_stat_activity where usename = '{}'", self.account);
        self.world.postgres.wait_until(&nobody, LIMIT).await.unwrap();
        let mut found = false;
        for session in &sessions {
            let id = session["id"].as_str().unwrap();
            assert_eq!(session["end_reason"], "client_closed", "{session}");
            let verified = async || erin.curfew(["sessions", "verify", id]).await.ok()?.success().ok();
            let verified = until(&format!("{id} to verify"), LIMIT, verified).await.unwrap().0;
            assert!(verified.stdout.contains("ok"), "{verified:?}");
            let exported = erin.curfew(["sessions", "export", id, "--format", "jsonl"]).await.unwrap();
            found |= exported.success().unwrap().stdout.contains(text);
        }
        assert!(found, "{text} is in none of {} recordings", sessions.len());
        sessions.len()
    }
}

/// A script of tests/fixtures/drivers.
pub fn script(name: &str) -> OsString {
    repository().join("tests/fixtures/drivers").join(name).into()
}
