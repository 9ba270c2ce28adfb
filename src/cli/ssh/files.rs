//! What SSH needs of a sign-in on disk: a key, its certificate, the gate's known_hosts, and the hosts for ssh_config.
//!
//! Owns the names of these files, in the folder of the gate, and how paths are spelled in ssh_config. Modes and
//! replacing are the folder's.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use curfew_adapter::Secret;
use curfew_certs::SshKey;
use jiff::{SignedDuration, Timestamp};

use crate::cli::CliError;
use crate::cli::client::Saved;

const KEY: &str = "id_curfew";
const PUBLIC: &str = "id_curfew.pub";
/// Where ssh and ssh-add look for the certificate of [`KEY`] by themselves.
const CERTIFICATE: &str = "id_curfew-cert.pub";
const KNOWN_HOSTS: &str = "known_hosts";
const CONFIG: &str = "ssh_config";
const HOSTS: &str = "ssh_hosts";
const LOCK: &str = "ssh.lock";

/// How often somebody who waits for another process looks again.
const LOOK: Duration = Duration::from_millis(50);

/// The files of one gate.
pub struct Files<'s>(&'s Saved);

impl<'s> Files<'s> {
    /// Those in this folder.
    pub const fn of(saved: &'s Saved) -> Self {
        Self(saved)
    }

    /// The private key, for `IdentityFile`.
    pub fn key_path(&self) -> PathBuf {
        self.0.at(KEY)
    }

    /// The certificate, for `CertificateFile`.
    pub fn certificate_path(&self) -> PathBuf {
        self.0.at(CERTIFICATE)
    }

    /// By what the gate is known, for `UserKnownHostsFile`.
    pub fn known_hosts_path(&self) -> PathBuf {
        self.0.at(KNOWN_HOSTS)
    }

    /// What ~/.ssh/config includes.
    pub fn config_path(&self) -> PathBuf {
        self.0.at(CONFIG)
    }

    /// What [`Files::config_path`] includes: one block for each target and account.
    pub fn hosts_path(&self) -> PathBuf {
        self.0.at(HOSTS)
    }

    /// The key, where there is one that can be read.
    pub fn key(&self) -> Option<SshKey> {
        let pem = Secret::new(fs::read_to_string(self.key_path()).ok()?);
        SshKey::load(pem.reveal()).ok()
    }

    /// Whether key, certificate and known_hosts are all there.
    pub fn are_there(&self) -> bool {
        [self.key_path(), self.certificate_path(), self.known_hosts_path()].iter().all(|path| path.is_file())
    }

    /// When the hosts were last written.
    pub fn hosts_written(&self) -> Option<Timestamp> {
        Timestamp::try_from(fs::metadata(self.hosts_path()).ok()?.modified().ok()?).ok()
    }

    /// Saves the key with its certificate, one line.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn save(&self, key: &SshKey, certificate: &str) -> Result<(), CliError> {
        let made = |error: curfew_certs::CertsError| {
            CliError::failed(format!("the SSH key can't be written down: {error}"))
        };
        let pem = Secret::new(key.private_pem().map_err(made)?);
        self.0.put(KEY, pem.reveal().as_bytes())?;
        self.0.put(PUBLIC, format!("{}\n", key.public_line().map_err(made)?).as_bytes())?;
        self.0.put(CERTIFICATE, format!("{}\n", certificate.trim()).as_bytes())
    }

    /// Saves known_hosts.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_known_hosts(&self, line: &str) -> Result<(), CliError> {
        self.0.put(KNOWN_HOSTS, line.as_bytes())
    }

    /// Saves what ~/.ssh/config includes.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn save_config(&self, config: &str, hosts: &str) -> Result<(), CliError> {
        self.0.put(HOSTS, hosts.as_bytes())?;
        self.0.put(CONFIG, config.as_bytes())
    }

    /// Removes key and certificate. known_hosts and the hosts stay: they let nobody in.
    ///
    /// # Errors
    /// A file is there and can't be removed.
    pub fn forget(&self) -> Result<(), CliError> {
        self.0.remove(&[KEY, PUBLIC, CERTIFICATE])
    }

    /// Waits for the right to renew, `limit` at most, so that many that start at once renew once. `None` where another
    /// has it and `content` says that there is nothing to wait for, or where it can't be had.
    pub async fn turn(&self, limit: Duration, content: impl Fn() -> bool) -> Option<Turn> {
        let open =
            || OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(self.0.at(LOCK));
        let file = open().ok()?;
        let waited = tokio::time::timeout(limit, async {
            while file.try_lock().is_err() {
                if content() {
                    return false;
                }
                tokio::time::sleep(LOOK).await;
            }
            true
        });
        waited.await.unwrap_or(false).then_some(Turn(file))
    }
}

/// The right to renew what is on disk; given back when it is dropped.
pub struct Turn(File);

impl Turn {
    /// Whether the last try is no longer ago than `age`.
    pub fn tried_within(&self, age: SignedDuration, now: Timestamp) -> bool {
        let tried = || {
            let about = self.0.metadata().ok()?;
            // An empty file is one that was made for this very turn.
            let at = (about.len() > 0).then(|| about.modified().ok()).flatten()?;
            Timestamp::try_from(at).ok()
        };
        tried().is_some_and(|at| now.duration_since(at).abs() < age)
    }

    /// Notes that now is a try. Where that fails, the next one comes sooner than need be.
    pub fn trying(&self, now: Timestamp) {
        use std::io::Write;
        let _ = self.0.set_len(0).and_then(|()| (&self.0).write_all(b"\n"));
        let _ = self.0.set_modified(now.into());
    }
}

/// A path as a value of ssh_config, quoted.
///
/// # Errors
/// It has characters that ssh would expand or can't read.
pub fn word(path: &Path) -> Result<String, CliError> {
    let text = path.to_str().filter(|text| {
        !text.chars().any(|c| c.is_control() || matches!(c, '"' | '\'' | '\\' | '%' | '$' | '*' | '?' | '['))
    });
    text.map(|text| format!("\"{text}\"")).ok_or_else(|| {
        CliError::failed(format!("the path {} can't be written into ssh_config", path.display()))
            .hint("keep sign-ins in a folder with a plainer name: set CURFEW_HOME, and sign in again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::{GateUrl, Home};

    #[test]
    fn paths_are_quoted_or_refused() {
        assert_eq!(word(Path::new("/home/a b/x")).unwrap(), "\"/home/a b/x\"");
        for path in ["/a\"b", "/a%h", "/${HOME}", "/a\nb", "/a*", "/o'neil"] {
            assert!(word(Path::new(path)).is_err(), "{path}");
        }
    }

    #[tokio::test]
    async fn one_renews_and_the_others_wait_only_where_they_must() {
        let folder = tempfile::tempdir().unwrap();
        let saved = Home::at(folder.path()).gate(&GateUrl::parse("https://gate.example.com").unwrap());
        let files = Files::of(&saved);
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        files.save_known_hosts("x").unwrap();
        let limit = Duration::from_millis(200);
        let turn = files.turn(limit, || false).await.unwrap();
        assert!(!turn.tried_within(SignedDuration::from_hours(1000), now));
        turn.trying(now);
        assert!(turn.tried_within(SignedDuration::from_secs(15), now + SignedDuration::from_secs(14)));
        assert!(!turn.tried_within(SignedDuration::from_secs(15), now + SignedDuration::from_secs(16)));
        assert!(files.turn(limit, || true).await.is_none(), "it does not wait");
        assert!(files.turn(limit, || false).await.is_none(), "it waits in vain");
        drop(turn);
        assert!(files.turn(limit, || false).await.is_some());
    }
}
