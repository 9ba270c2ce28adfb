//! The `curfew` binary as a running gate, configured by files and known only by what it prints and serves.

mod options;
mod person;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

pub use options::{Contract, GateOptions, SSH_TARGET, TARGET};
pub use person::{Person, address};

use crate::browser::Browser;
use crate::error::{Context, Error, Result};
use crate::port::{ATTEMPTS, free_port};
use crate::process::{self, Logs, Process, Stop};
use crate::provider::Provider;
use crate::psql::{Output, Psql, run};

const LIMIT: Duration = Duration::from_secs(60);

/// How often memory is looked at where its growth is measured.
const LOOKS: Duration = Duration::from_millis(50);

/// The name of the provider's entry in the gate's configuration.
pub const PROVIDER: &str = "example";

/// A running gate; stopped, its files removed, when dropped.
pub struct Gate {
    process: Option<Process>,
    options: GateOptions,
    issuer: String,
    listeners: Listeners,
    // Last: the gate must be gone before its files.
    folder: TempDir,
}

/// Where the gate listens: what it was told, and then what it said.
#[derive(Clone, Copy, Debug)]
struct Listeners {
    http: SocketAddr,
    postgres: SocketAddr,
    ssh: SocketAddr,
    metrics: SocketAddr,
}

impl Gate {
    /// Writes the configuration, starts `curfew serve` and returns when it says that it is ready. The provider is told
    /// the gate's redirect address.
    ///
    /// # Errors
    /// When the gate ends instead; all it wrote is in the error.
    pub async fn start(options: GateOptions, provider: &Provider) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("curfew-gate-").tempdir()?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listeners = Listeners { http: any, postgres: any, ssh: any, metrics: any };
        let issuer = provider.issuer().to_owned();
        let mut gate = Self { process: None, options, issuer, listeners, folder };
        for _ in 0..ATTEMPTS {
            // Only this one must be known beforehand: public_url and the provider's redirect address name it.
            gate.listeners.http.set_port(free_port()?);
            provider.redirect_uris(&[&gate.callback(PROVIDER)]).await?;
            match gate.boot().await {
                Ok(()) => return Ok(gate),
                Err(error) if error.to_string().contains("Address already in use") => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new("five free ports were taken before the gate could bind them"))
    }

    async fn boot(&mut self) -> Result<()> {
        self.options.write(self.folder.path(), &self.issuer, &self.listeners)?;
        if !self.folder.path().join("keys").exists() {
            let folder = self.folder.path().to_string_lossy().into_owned();
            self.curfew(["init", "--keys", &folder]).await?.success().context("curfew init --keys")?;
        }
        let mut command = process::command(&self.options.binary, Stop::Term, None);
        command.arg("serve").arg("--config").arg(self.config());
        command.envs(self.options.environment.iter().cloned());
        let process = Process::spawn("curfew", command, Stop::Kill)?;
        let mut listeners = self.listeners;
        let ready = process.logs().find("readiness", LIMIT, |line| {
            let said: Value = serde_json::from_str(&line.text).ok()?;
            if let Some(protocol) = said.get("listening").and_then(Value::as_str) {
                let address = said.get("address")?.as_str()?.parse().ok()?;
                match protocol {
                    "http" => listeners.http = address,
                    "postgres" => listeners.postgres = address,
                    "ssh" => listeners.ssh = address,
                    "metrics" => listeners.metrics = address,
                    _ => {}
                }
            }
            said.get("ready")?.as_bool()?.then_some(())
        });
        ready.await?;
        self.listeners = listeners;
        self.process = Some(process);
        Ok(())
    }

    fn process(&self) -> Result<&Process> {
        self.process.as_ref().context("this gate is stopped")
    }

    /// Its address for people, `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.listeners.http)
    }

    /// An address of it, as in `gate.page("/requests")`.
    #[must_use]
    pub fn page(&self, path: &str) -> String {
        format!("{}{path}", self.url())
    }

    /// Where the provider sends browsers back to.
    #[must_use]
    pub fn callback(&self, provider: &str) -> String {
        self.page(&format!("/oidc/callback/{provider}"))
    }

    /// The Postgres listener.
    #[must_use]
    pub fn postgres(&self) -> SocketAddr {
        self.listeners.postgres
    }

    /// The SSH listener.
    #[must_use]
    pub fn ssh(&self) -> SocketAddr {
        self.listeners.ssh
    }

    /// A public key of the gate: `ssh-authority`, which clients trust, or `ssh-sessions`, which targets do.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn public_key(&self, name: &str) -> Result<String> {
        crate::sshd::public_line(&self.folder.path().join("keys").join(format!("{name}.pub")))
    }

    /// The listener of /metrics.
    #[must_use]
    pub fn metrics(&self) -> SocketAddr {
        self.listeners.metrics
    }

    /// The folder of its configuration: curfew.toml, contracts/, secrets/, data/.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("curfew.toml")
    }

    /// The data folder, with the store, the recordings and the audit log.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it has written.
    ///
    /// # Errors
    /// While it is stopped.
    pub fn logs(&self) -> Result<&Logs> {
        Ok(self.process()?.logs())
    }

    /// Its process id.
    ///
    /// # Errors
    /// While it is stopped.
    pub fn pid(&self) -> Result<i32> {
        Ok(self.process()?.id())
    }

    /// KiB of memory that it has in RAM now (`VmRSS`, proc(5)).
    ///
    /// # Errors
    /// While it is stopped.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        line.trim().trim_end_matches(" kB").parse().context("VmRSS")
    }

    /// Does this, and says by how many KiB the gate's memory had grown at the worst moment of it.
    ///
    /// # Errors
    /// While it is stopped.
    pub async fn growth<T>(&self, work: impl Future<Output = T>) -> Result<(T, u64)> {
        let before = self.resident_kib()?;
        let (mut work, mut most) = (std::pin::pin!(work), before);
        let mut looks = tokio::time::interval(LOOKS);
        loop {
            tokio::select! {
                done = &mut work => return Ok((done, most.max(self.resident_kib()?) - before)),
                _ = looks.tick() => most = most.max(self.resident_kib()?),
            }
        }
    }

    /// psql towards the sample target as this account.
    #[must_use]
    pub fn psql(&self, account: &str) -> Psql {
        Psql::to(self.postgres()).user(account).database(TARGET)
    }

    /// A person with a browser and a home folder of their own.
    ///
    /// # Errors
    /// When there is no place for the home folder.
    pub fn person(&self, name: &str) -> Result<Person> {
        Person::new(self, name, Browser::new()?)
    }

    /// The same, whose browser and commands connect from another address, such as 127.0.0.2.
    ///
    /// # Errors
    /// When there is no place for the home folder.
    pub fn person_from(&self, name: &str, address: &str) -> Result<Person> {
        Person::new(self, name, Browser::from(address)?)
    }

    /// Runs `curfew` with these arguments on the gate's own machine, such as `check-config`.
    ///
    /// # Errors
    /// When it does not end within a minute.
    pub async fn curfew<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<Output> {
        let mut command = process::command(&self.options.binary, Stop::Kill, None);
        command.args(args).current_dir(self.folder.path());
        command.envs(self.options.environment.iter().cloned());
        run(command, LIMIT).await
    }

    /// Replaces the contract of this name, or adds it, and has the gate read its contracts anew.
    ///
    /// # Errors
    /// While it is stopped.
    pub fn contract(&mut self, contract: Contract) -> Result<()> {
        contract.write(self.folder.path())?;
        self.options.put(contract);
        self.hup()
    }

    /// SIGHUP: read the configuration anew.
    ///
    /// # Errors
    /// While it is stopped.
    pub fn hup(&self) -> Result<()> {
        self.process()?.signal(Signal::HUP)
    }

    /// SIGTERM: drain and end; [`Gate::ended`] waits for that.
    ///
    /// # Errors
    /// While it is stopped.
    pub fn term(&self) -> Result<()> {
        self.process()?.signal(Signal::TERM)
    }

    /// Stops its clock of events: when this returns, none of its threads runs until [`Gate::thaw`], as on a suspended
    /// machine.
    ///
    /// # Errors
    /// While it is stopped.
    pub async fn freeze(&self) -> Result<()> {
        self.process()?.signal(Signal::STOP)?;
        // The signal reaches one thread, which stops the others: for a moment they still run.
        let tasks = PathBuf::from(format!("/proc/{}/task", self.pid()?));
        let still = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            // The state stands behind the name, which is in brackets (proc(5)).
            stat.rsplit_once(") ")?.1.starts_with('T').then_some(())
        };
        let all = async || std::fs::read_dir(&tasks).ok()?.map(still).collect::<Option<()>>();
        crate::until("every thread of the gate to stand still", LIMIT, all).await.map(drop)
    }

    /// Ends [`Gate::freeze`].
    ///
    /// # Errors
    /// While it is stopped.
    pub fn thaw(&self) -> Result<()> {
        self.process()?.signal(Signal::CONT)
    }

    /// `kill -9`, as a crash; the files stay.
    ///
    /// # Errors
    /// While it is stopped.
    pub async fn kill9(&mut self) -> Result<()> {
        self.process.take().context("this gate is stopped")?.kill().await
    }

    /// Waits until it has ended by itself, and gives its exit status and everything it wrote.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Result<Output> {
        let mut process = self.process.take().context("this gate is stopped")?;
        crate::psql::output(&mut process, limit).await
    }

    /// Starts it again over the same files and on the same addresses.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&mut self) -> Result<()> {
        self.process = None;
        self.boot().await
    }
}
