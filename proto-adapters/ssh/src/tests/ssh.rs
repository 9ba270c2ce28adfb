//! The real clients of OpenSSH, with nothing of the user's own.

use super::{PATIENCE, keys};
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Clients that know the gate by its authority, with Alice's key.
pub struct Ssh {
    pub home: TempDir,
    config: PathBuf,
}

/// What a client came to.
#[derive(Debug)]
pub struct Done {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The account at the target: whoever runs the tests, or, for root, to whom sshd passes no signals on, somebody else
/// with a shell.
pub fn account() -> String {
    let me = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    if me != "root" {
        return me;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let with_shell = |line: &&str| line.ends_with("/bash") && !line.starts_with("root:");
    let found = accounts.lines().rfind(with_shell).and_then(|line| line.split(':').next());
    found.unwrap_or("root").to_owned()
}

impl Ssh {
    pub fn new(gate: SocketAddr) -> Self {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::write(at("key"), keys::pem(keys::ALICE)).unwrap();
        fs::set_permissions(at("key"), Permissions::from_mode(0o600)).unwrap();
        fs::write(at("known"), format!("@cert-authority * {}\n", keys::line(keys::AUTHORITY))).unwrap();
        let (dir, account) = (home.path().display(), account());
        let config = format!(
            "Host web-1\n HostName {}\n Port {}\n User {account}%web-1\n HostKeyAlias gate\n\
             Host *\n IdentityFile {dir}/key\n IdentitiesOnly yes\n UserKnownHostsFile {dir}/known\n\
             GlobalKnownHostsFile none\n StrictHostKeyChecking yes\n ControlPath none\n",
            gate.ip(),
            gate.port(),
        );
        fs::write(at("config"), config).unwrap();
        let config = at("config");
        Self { home, config }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `ssh`, `scp` or `sftp` with these arguments.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.arg("-F").arg(&self.config).args(arguments);
        command.env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a client to its end.
    pub async fn run(&self, program: &str, arguments: &[&str]) -> Done {
        let mut command = self.command(program, arguments);
        let output = timeout(PATIENCE, command.output()).await;
        output.unwrap_or_else(|_| panic!("{program} {arguments:?} does not end")).unwrap().into()
    }

    /// Starts a client.
    pub fn start(&self, program: &str, arguments: &[&str]) -> Child {
        self.command(program, arguments).stdin(Stdio::piped()).spawn().unwrap()
    }

    /// A script that answers the questions of ssh with `answer`.
    pub fn askpass(&self, answer: &str) -> PathBuf {
        let path = self.path("askpass");
        let log = self.path("asked");
        fs::write(&path, format!("#!/bin/sh\necho \"$1\" >> {}\necho {answer}\n", log.display())).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        path
    }
}

pub fn text(path: &Path) -> String {
    path.display().to_string()
}
