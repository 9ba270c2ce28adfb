//! A real sshd, one process for each connection, as inetd starts it: no port of its own, and nothing of the system's.

use super::keys;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// Where Debian and others put it; it insists on an absolute path.
const SSHD: &str = "/usr/sbin/sshd";

/// A server to which the accounts of this machine may log in with certificates, and with the keys that a test names.
pub struct Sshd {
    pub address: SocketAddr,
    pub home: TempDir,
    accepting: JoinHandle<()>,
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

impl Sshd {
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// With more lines of its configuration, which come first and count before the others.
    pub async fn with(more: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        // The account may be somebody else.
        fs::set_permissions(home.path(), Permissions::from_mode(0o777)).unwrap();
        let at = |name: &str| home.path().join(name);
        write(&at("host"), &keys::pem(keys::TARGET));
        write(&at("host-cert.pub"), &keys::host_certificate(keys::TARGET, &["127.0.0.1"]));
        write(&at("authority.pub"), &keys::line(keys::AUTHORITY));
        fs::write(at("authorized"), "").unwrap();
        let dir = home.path().display();
        // Without it, sshd lets nobody into an account that has no password.
        let pam = if std::env::var("USER").is_ok_and(|user| user != "root") { "no" } else { "yes" };
        let config = format!(
            "{more}\nHostKey {dir}/host\nTrustedUserCAKeys {dir}/authority.pub\nAuthorizedKeysFile {dir}/authorized\n\
             HostCertificate {dir}/host-cert.pub\nPermitRootLogin yes\nStrictModes no\nUsePAM {pam}\nPrintMotd no\n\
             PidFile none\nAcceptEnv LANG CURFEW_*\nSubsystem sftp internal-sftp\nLogLevel VERBOSE\n"
        );
        write(&at("config"), &config);
        // sshd confines itself to this folder before anybody is signed in; packages make it at boot.
        let _ = fs::create_dir_all("/run/sshd");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (config, log) = (at("config"), at("log"));
        let accepting = curfew_adapter::task::supervised("sshd", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stream = stream.into_std().unwrap();
                stream.set_nonblocking(false).unwrap();
                let fd = OwnedFd::from(stream);
                let log = fs::File::options().create(true).append(true).open(&log).unwrap();
                let sshd = Command::new(SSHD)
                    .arg("-i")
                    .arg("-e")
                    .arg("-f")
                    .arg(&config)
                    .stdin(Stdio::from(fd.try_clone().unwrap()))
                    .stdout(Stdio::from(fd))
                    .stderr(Stdio::from(log))
                    .spawn();
                drop(sshd.expect("openssh-server is installed"));
            }
        });
        Self { address, home, accepting }
    }

    /// Lets the holder of a key in as well.
    pub fn authorize(&self, line: &str) {
        fs::write(self.home.path().join("authorized"), line).unwrap();
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.accepting.abort();
        if std::thread::panicking() {
            eprintln!("sshd said:\n{}", self.log());
        }
    }
}
