//! Unmodified OpenSSH clients, with a home folder of their own. They never read the settings of whoever runs the tests.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::error::{Context, Result};
use crate::process::{self, Process, Stop};
use crate::psql::{Output, run};
use crate::pty::Terminal;

/// A person's `~/.ssh`, and how they call ssh, scp, sftp and the like.
pub struct Ssh {
    port: u16,
    host: String,
    home: TempDir,
    limit: Duration,
}

impl Ssh {
    /// Clients of the SSH server at this address, known by the authority that signs its host key, and by nothing else.
    ///
    /// # Errors
    /// When there is no place for the home folder.
    pub fn to(address: SocketAddr, authority: &str) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("curfew-ssh-").tempdir()?;
        let (host, port) = (address.ip().to_string(), address.port());
        std::fs::write(home.path().join("known_hosts"), format!("@cert-authority * {authority}\n"))?;
        Ok(Self { port, host, home, limit: Duration::from_secs(60) })
    }

    /// Lets what is run to its end take this long, instead of a minute.
    #[must_use]
    pub const fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The folder with its files.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The file of this name in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Takes the key and the certificate that `curfew login` has left in this folder as its own.
    ///
    /// # Errors
    /// When they are not there.
    pub fn take(&self, folder: &Path) -> Result<()> {
        for (from, to) in [("id_curfew", "id"), ("id_curfew-cert.pub", "id-cert.pub")] {
            std::fs::copy(folder.join(from), self.path(to)).context(from)?;
        }
        Ok(())
    }

    /// The options that every program of the family takes. There is no agent and no configuration, and the only key is
    /// `id` in the home folder, where that is.
    #[must_use]
    pub fn options(&self) -> Vec<OsString> {
        let home = self.home.path().display();
        let mut options: Vec<OsString> = vec!["-F".into(), "none".into()];
        for option in [
            format!("UserKnownHostsFile={home}/known_hosts"),
            "GlobalKnownHostsFile=none".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            format!("IdentityFile={home}/id"),
            "NumberOfPasswordPrompts=1".to_owned(),
        ] {
            options.extend(["-o".into(), option.into()]);
        }
        options
    }

    /// ssh on a terminal, as USER at the gate.
    ///
    /// # Errors
    /// When ssh is not installed.
    pub fn terminal<'a>(&self, user: &str, args: impl AsRef<[&'a str]>) -> Result<Terminal> {
        Terminal::start("ssh".as_ref(), self.arguments(user, args), environment(&self.home))
    }

    /// Runs ssh without a terminal to its end.
    ///
    /// # Errors
    /// When it does not end in time. A failing command is no error: look at the output.
    pub async fn run<'a>(&self, user: &str, args: impl AsRef<[&'a str]>) -> Result<Output> {
        run(self.command("ssh", self.arguments(user, args)), self.limit).await
    }

    /// Starts ssh without a terminal and leaves it running, its input open.
    ///
    /// # Errors
    /// When ssh is not installed.
    pub fn spawn<'a>(&self, user: &str, args: impl AsRef<[&'a str]>) -> Result<Process> {
        Process::spawn("ssh", self.command("ssh", self.arguments(user, args)), Stop::Kill)
    }

    /// Runs another program of the family to its end: scp, sftp, rsync, git. What the gate is called in `args` is the
    /// caller's to say; `-P` or `-p` too.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn program(&self, program: &str, args: impl IntoIterator<Item = OsString>) -> Result<Output> {
        run(self.command(program, args), self.limit).await
    }

    /// Starts another program with this home folder, and leaves it running, its input open.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn start(&self, program: &str, args: impl IntoIterator<Item = OsString>) -> Result<Process> {
        Process::spawn(program, self.command(program, args), Stop::Kill)
    }

    /// Starts ssh without a terminal, its input and output in the caller's hands; dropping the child kills it.
    ///
    /// # Errors
    /// When ssh is not installed.
    pub fn piped<'a>(&self, user: &str, args: impl AsRef<[&'a str]>) -> Result<Child> {
        let mut command = self.command("ssh", self.arguments(user, args));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        command.spawn().context("starting ssh")
    }

    fn arguments<'a>(&self, user: &str, args: impl AsRef<[&'a str]>) -> Vec<OsString> {
        let mut all = self.options();
        all.extend(["-p".into(), self.port.to_string().into(), "-l".into(), user.into()]);
        let args = args.as_ref();
        let (options, command): (Vec<&str>, Vec<&str>) = match args.iter().position(|arg| *arg == "--") {
            Some(at) => {
                (args.iter().take(at).copied().collect(), args.iter().skip(at + 1).copied().collect())
            }
            None => (Vec::new(), args.to_vec()),
        };
        all.extend(options.into_iter().map(OsString::from));
        all.push(self.host.clone().into());
        all.extend(command.into_iter().map(OsString::from));
        all
    }

    fn command(&self, program: &str, args: impl IntoIterator<Item = OsString>) -> Command {
        let mut command = process::command(program, Stop::Kill, None);
        command.env_clear().envs(environment(&self.home)).args(args);
        command
    }

    /// The gate's port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The gate's host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

fn environment(home: &TempDir) -> Vec<(OsString, OsString)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    vec![("PATH".into(), path), ("HOME".into(), home.path().into()), ("LC_ALL".into(), "C.UTF-8".into())]
}
