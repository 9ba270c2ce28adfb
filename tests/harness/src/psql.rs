//! Unmodified psql, run to its end. It must never read the settings of whoever runs the tests.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::error::{Context, Error, Result};
use crate::process::{self, Process, Stop, Stream};

/// What a program that has ended left behind.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit status; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All it wrote to standard output.
    pub stdout: String,
    /// All it wrote to standard error.
    pub stderr: String,
}

impl Output {
    /// Itself, where the program said that all went well.
    ///
    /// # Errors
    /// Otherwise, with what it wrote.
    pub fn success(self) -> Result<Self> {
        if self.code == Some(0) {
            return Ok(self);
        }
        Err(Error::new(format!("exit status {:?}\n{}{}", self.code, self.stdout, self.stderr)))
    }
}

/// Waits for a program's end and gives what it wrote.
///
/// # Errors
/// When it still runs after `limit`.
pub async fn output(process: &mut Process, limit: Duration) -> Result<Output> {
    let status = process.ended(limit).await?;
    let logs = process.logs();
    Ok(Output { code: status.code(), stdout: logs.text(Stream::Out), stderr: logs.text(Stream::Err) })
}

/// How to call psql: where to, as whom.
#[derive(Clone, Debug)]
pub struct Psql {
    params: Vec<(String, String)>,
    environment: Vec<(OsString, OsString)>,
    program: OsString,
    limit: Duration,
}

impl Psql {
    /// psql towards this address, with `sslmode=require`.
    #[must_use]
    pub fn to(address: SocketAddr) -> Self {
        let psql = Self {
            params: Vec::new(),
            environment: vec![("PAGER".into(), "cat".into()), ("PSQL_HISTORY".into(), "/dev/null".into())],
            program: "psql".into(),
            limit: Duration::from_secs(60),
        };
        psql.param("host", &address.ip().to_string())
            .param("port", &address.port().to_string())
            .param("sslmode", "require")
    }

    /// Sets a parameter of the connection string.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.params.retain(|(known, _)| known != name);
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The login role, which is the account.
    #[must_use]
    pub fn user(self, user: &str) -> Self {
        self.param("user", user)
    }

    /// The database; towards the gate, the target.
    #[must_use]
    pub fn database(self, database: &str) -> Self {
        self.param("dbname", database)
    }

    /// The password, given in the environment.
    #[must_use]
    pub fn password(self, password: &str) -> Self {
        self.env("PGPASSWORD", password)
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// How long [`Psql::run`] waits before it gives up; 60 s if not said.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The connection string.
    #[must_use]
    pub fn conninfo(&self) -> String {
        let quoted = |value: &str| value.replace('\\', "\\\\").replace('\'', "\\'");
        let pairs: Vec<_> =
            self.params.iter().map(|(name, value)| format!("{name}='{}'", quoted(value))).collect();
        pairs.join(" ")
    }

    pub(crate) fn program(&self) -> &OsStr {
        &self.program
    }

    pub(crate) fn arguments<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec!["-X".into(), "-d".into(), self.conninfo().into()];
        all.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        all
    }

    /// The whole environment: nothing is inherited but the way to programs.
    pub fn environment(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let path = std::env::var_os("PATH").map(|path| ("PATH".into(), path));
        let home = ("HOME".into(), "/nonexistent".into());
        let locale = ("LC_ALL".into(), "C.UTF-8".into());
        path.into_iter().chain([home, locale]).chain(self.environment.iter().cloned())
    }

    /// Starts psql and leaves it running.
    ///
    /// # Errors
    /// When psql is not installed.
    pub fn spawn<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<Process> {
        let mut command = process::command(self.program(), Stop::Kill, None);
        command.args(self.arguments(args)).env_clear().envs(self.environment());
        Process::spawn("psql", command, Stop::Kill)
    }

    /// Runs psql to its end, with no input.
    ///
    /// # Errors
    /// When it takes longer than the limit. A failing psql is no error: look at the output.
    pub async fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<Output> {
        self.feed(args, "").await
    }

    /// Runs psql to its end with `input` on its standard input.
    ///
    /// # Errors
    /// As for [`Psql::run`].
    pub async fn feed<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Result<Output> {
        let mut psql = self.spawn(args)?;
        let mut stdin = psql.take_stdin().context("psql has no input")?;
        // psql may have been refused and gone; what it wrote tells more than a broken pipe.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        output(&mut psql, self.limit).await
    }
}

/// Runs any program to its end and gives what it wrote.
///
/// # Errors
/// When it can't be started, or takes longer than `limit`.
pub async fn run(mut command: tokio::process::Command, limit: Duration) -> Result<Output> {
    command.stdin(Stdio::null());
    let mut process = Process::spawn("program", command, Stop::Kill)?;
    drop(process.take_stdin());
    output(&mut process, limit).await
}
