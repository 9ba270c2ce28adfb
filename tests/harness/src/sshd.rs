//! A real sshd of one's own: its own port, host key and configuration, and nothing of the system's.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::error::{Context, Error, Result};
use crate::port::{ATTEMPTS, free_port};
use crate::process::{self, Logs, Process, Stop};
use crate::psql::run;
use crate::scratch::{is_root, own, scratch};

const LIMIT: Duration = Duration::from_secs(60);
/// Where Debian and others put it; it insists on an absolute path.
const SSHD: &str = "/usr/sbin/sshd";
/// As Debian configures it: a program, which shows in the list of processes as what it is.
const SFTP: &str = "/usr/lib/openssh/sftp-server";

/// Whom root's tests log in as: sshd passes no signals on in root's own sessions. `cargo xtask` makes the account.
pub const ACCOUNT: &str = "deploy";

/// A running sshd, where [`account`] may log in, with certificates of the authority that it was told of.
pub struct Sshd {
    process: Process,
    address: SocketAddr,
    host_key: String,
    account: String,
    // Last: sshd must be gone before its files.
    folder: TempDir,
}

impl Sshd {
    /// Starts it. It trusts nobody until [`Sshd::trust`].
    ///
    /// # Errors
    /// When openssh-server is not installed, or sshd ends at once.
    pub async fn start() -> Result<Self> {
        let account = account().await?;
        let folder = scratch("curfew-sshd-", guest())?;
        let at = |name: &str| folder.path().join(name);
        keygen(&at("host")).await?;
        let host_key = public_line(&at("host.pub"))?;
        public(&at("trusted"), "")?;
        public(&at("authorized"), "")?;
        // sshd confines itself to this folder before anybody is signed in; packages make it at boot.
        if is_root() {
            fs::create_dir_all("/run/sshd")?;
        }
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            let dir = folder.path().display();
            let config = format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {dir}/host\nTrustedUserCAKeys {dir}/trusted\n\
                 AuthorizedKeysFile {dir}/authorized\nPermitRootLogin yes\nStrictModes no\nUsePAM no\nPrintMotd no\n\
                 PasswordAuthentication no\nPidFile none\nAcceptEnv LANG LC_*\nSubsystem sftp {SFTP}\n\
                 MaxStartups 1000\nMaxSessions 1000\n"
            );
            private(&at("config"), &config)?;
            let mut command = process::command(SSHD, Stop::Term, None);
            command.args(["-D", "-e", "-f"]).arg(at("config"));
            let process = Process::spawn("sshd", command, Stop::Kill)?;
            let listening = process
                .logs()
                .find("that it listens", LIMIT, |line| line.text.contains("Server listening").then_some(()));
            match listening.await {
                Ok(()) => {
                    let address = SocketAddr::from(([127, 0, 0, 1], port));
                    return Ok(Self { process, address, host_key, account, folder });
                }
                Err(error) if error.to_string().contains("Address already in use") => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new("five free ports were taken before sshd could bind them"))
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its host key, one line.
    #[must_use]
    pub fn host_key(&self) -> &str {
        &self.host_key
    }

    /// Who may log in.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Its folder, for files that tests let go back and forth: the account's.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of this name into the folder, which the account may change, and says where it is.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, contents)?;
        own(&path, guest())?;
        Ok(path)
    }

    /// Certificates of this authority (one line) are believed from now on.
    ///
    /// # Errors
    /// When its file can't be written.
    pub fn trust(&self, authority: &str) -> Result<()> {
        public(&self.folder.path().join("trusted"), &format!("{}\n", authority.trim()))
    }

    /// The key of this line may log in from now on.
    ///
    /// # Errors
    /// When its file can't be written.
    pub fn authorize(&self, key: &str) -> Result<()> {
        public(&self.folder.path().join("authorized"), &format!("{}\n", key.trim()))
    }

    /// Puts these lines before those of its configuration, as the first value counts, and has it read them.
    ///
    /// # Errors
    /// When sshd does not come back with them.
    pub async fn configure(&self, lines: &str) -> Result<()> {
        let path = self.folder.path().join("config");
        let before = fs::read_to_string(&path)?;
        private(&path, &format!("{lines}\n{before}"))?;
        let listening =
            || self.logs().lines().iter().filter(|line| line.text.contains("Server listening")).count();
        let known = listening();
        self.process.signal(Signal::HUP)?;
        crate::until("sshd with other lines", LIMIT, async || (listening() > known).then_some(()))
            .await
            .map(drop)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process.id()
    }

    /// What it has written.
    #[must_use]
    pub fn logs(&self) -> &Logs {
        self.process.logs()
    }
}

/// Makes an Ed25519 key without a passphrase at `path`, with its public half beside it in `path.pub`.
///
/// # Errors
/// When ssh-keygen is not installed.
pub async fn keygen(path: &Path) -> Result<()> {
    let mut command = process::command("ssh-keygen", Stop::Kill, None);
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(path);
    run(command, LIMIT).await?.success().map(drop).context("ssh-keygen")
}

/// The key in a `.pub` file: algorithm and base64.
///
/// # Errors
/// When it can't be read.
pub fn public_line(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).context("a public key")?;
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// The other account that sessions run as, where we are root.
fn guest() -> Option<&'static str> {
    is_root().then_some(ACCOUNT)
}

/// Who may log in: whoever runs the tests, or, where that is root, [`ACCOUNT`].
async fn account() -> Result<String> {
    let mut id = process::command("id", Stop::Kill, None);
    id.arg("-un").args(guest());
    let said = run(id, LIMIT).await?;
    let missing = format!("there is no account {ACCOUNT} to log in to: `cargo xtask test` makes it");
    Ok(said.success().context(missing)?.stdout.trim().to_owned())
}

/// sshd reads it as the account.
fn public(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).context("writing for sshd")
}

fn private(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(())
}
