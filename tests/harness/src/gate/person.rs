//! Somebody who uses the gate: a browser, and a home folder for what `curfew login` keeps.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::Gate;
use crate::browser::{Browser, Page};
use crate::error::{Context, Result};
use crate::process::{self, Process, Stop};
use crate::psql::{Output, run};

const LIMIT: Duration = Duration::from_secs(60);

/// A person at the gate.
pub struct Person {
    name: String,
    gate: String,
    binary: PathBuf,
    home: TempDir,
    environment: Vec<(String, OsString)>,
    /// The person's browser.
    pub browser: Browser,
}

impl Person {
    pub(super) fn new(gate: &Gate, name: &str, browser: Browser) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("curfew-home-").tempdir()?;
        Ok(Self {
            name: name.to_owned(),
            gate: gate.url(),
            binary: gate.options.binary.clone(),
            home,
            environment: Vec::new(),
            browser,
        })
    }

    /// The name at the provider.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// With a variable in the environment of their commands.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// The folder where `curfew` keeps what it knows.
    #[must_use]
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// The folder of the gate in there: what `curfew login` has left.
    ///
    /// # Errors
    /// Before they have signed in.
    pub fn kept(&self) -> Result<PathBuf> {
        let folder = self.home.path().join(".config/curfew");
        let entries = std::fs::read_dir(&folder).context("what curfew login kept")?;
        let mut folders = entries.flatten().map(|entry| entry.path());
        folders.find(|path| path.join("token").exists()).context("nothing was kept of a sign-in")
    }

    fn command<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = process::command(&self.binary, Stop::Kill, None);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("LC_ALL", "C.UTF-8").env("RUST_BACKTRACE", "1");
        command.env("HOME", self.home.path()).env("XDG_CONFIG_HOME", self.home.path().join(".config"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(args);
        command
    }

    /// Runs `curfew` with these arguments.
    ///
    /// # Errors
    /// When it does not end within a minute. A failing command is no error: look at the output.
    pub async fn curfew<const N: usize>(&self, args: [&str; N]) -> Result<Output> {
        run(self.command(args), LIMIT).await
    }

    /// Starts `curfew` with these arguments and leaves it running, its input open.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn<const N: usize>(&self, args: [&str; N]) -> Result<Process> {
        Process::spawn("curfew", self.command(args), Stop::Kill)
    }

    /// The fingerprint of the gate's authority, as whoever runs the gate would tell it.
    ///
    /// # Errors
    /// When the gate does not answer.
    pub async fn fingerprint(&self) -> Result<String> {
        let answer = self.browser.request(Method::GET, &format!("{}/api/v1/ca", self.gate))?.send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        Ok(answer.get("fingerprint").and_then(Value::as_str).context("no fingerprint")?.to_owned())
    }

    /// `curfew login`: opens the address that it prints in the person's browser and signs in there.
    ///
    /// # Errors
    /// When any step of it fails.
    pub async fn login(&self) -> Result<Output> {
        let fingerprint = self.fingerprint().await?;
        let mut login =
            self.spawn(["login", &self.gate, "--no-browser", "--ca-fingerprint", &fingerprint])?;
        let gate = format!("{}/", self.gate);
        let url = login.logs().find("the address to open", LIMIT, |line| address(&line.text, &gate)).await?;
        let page = self.open(&url).await?;
        let page = self.browser.act(&page, "yes", &[]).await?;
        crate::psql::output(&mut login, LIMIT).await.and_then(Output::success).context(format!(
            "after {} ({}): {}",
            page.url,
            page.status,
            page.text()
        ))
    }

    /// Opens a sign-in link and says that the connection is one's own. Gives the page that comes after.
    ///
    /// # Errors
    /// When the page asks nothing of the kind.
    pub async fn consent(&self, link: &str) -> Result<Page> {
        let page = self.open(link).await?;
        self.browser.act(&page, "yes", &[]).await
    }

    /// Runs `curfew` with these arguments, which must go well, and reads what it says as JSON.
    ///
    /// # Errors
    /// When it fails, or says something else.
    pub async fn json<const N: usize>(&self, args: [&str; N]) -> Result<Value> {
        let said = self.curfew(args).await?.success().context(args.join(" "))?.stdout;
        serde_json::from_str(&said).context(said)
    }

    /// Opens a page of the gate in the browser, signing in at the provider where that is asked.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn open(&self, url: &str) -> Result<Page> {
        let page =
            self.browser.sign_in(url, &self.name).await.context(format!("{} opens {url}", self.name))?;
        Ok(page)
    }
}

/// The first address in a text that begins like this; it ends before white space or a closing mark.
#[must_use]
pub fn address(text: &str, begins: &str) -> Option<String> {
    let start = text.find(begins)?;
    let rest = text.get(start..)?;
    let end = rest.find(|c: char| c.is_whitespace() || "\"'<>)".contains(c)).unwrap_or(rest.len());
    rest.get(..end).map(str::to_owned)
}
