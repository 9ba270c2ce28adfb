//! The gate's own keys: those of its certificate authorities, the one that signs recordings and checkpoints, and the
//! SSH host key.
//!
//! Owns their files and the mode of these: a private key is its owner's alone (0600), or it is refused. It never
//! replaces a key that is there: clients pin the authority, and a recording is worth its signature.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use curfew_certs::{Authority, CertsError, SshKey};
use jiff::Timestamp;

use crate::audit::{KeyError, SigningKey};
use crate::config::{SecretError, refuse_readable_by_others};

/// The authority's certificate: what clients pin. Anybody may read it.
pub const AUTHORITY_CERTIFICATE: &str = "authority.pem";
/// The authority's private key, PKCS #8.
pub const AUTHORITY_KEY: &str = "authority.key";
/// The private Ed25519 key of seals and checkpoints, PKCS #8.
pub const SIGNING_KEY: &str = "signing.key";
/// Its public half: what a verifier is given. Anybody may read it.
pub const SIGNING_PUBLIC: &str = "signing.pub";
/// The private Ed25519 key that signs the gate's SSH host certificate and the SSH certificates of clients.
pub const SSH_AUTHORITY_KEY: &str = "ssh-authority.key";
/// Its public half: the one `@cert-authority` line of clients. Anybody may read it.
pub const SSH_AUTHORITY_PUBLIC: &str = "ssh-authority.pub";
/// The private Ed25519 key that signs the certificates of sessions at targets. It is another one than that of clients, so
/// that no client's certificate could ever open a target.
pub const SSH_SESSIONS_KEY: &str = "ssh-sessions.key";
/// Its public half: the `TrustedUserCAKeys` of targets. Anybody may read it.
pub const SSH_SESSIONS_PUBLIC: &str = "ssh-sessions.pub";
/// The private Ed25519 host key of the SSH port.
pub const SSH_HOST_KEY: &str = "ssh-host.key";

/// Those that every protocol needs.
const FIRST: [&str; 4] = [AUTHORITY_KEY, AUTHORITY_CERTIFICATE, SIGNING_KEY, SIGNING_PUBLIC];

/// Those that SSH needs besides.
const SSH: [&str; 5] =
    [SSH_AUTHORITY_KEY, SSH_AUTHORITY_PUBLIC, SSH_SESSIONS_KEY, SSH_SESSIONS_PUBLIC, SSH_HOST_KEY];

/// Far more than any key or certificate takes.
const FILE_MAX: u64 = 64 * 1024;

/// All of them, ready for use.
#[derive(Debug)]
pub struct Keys {
    /// Signs server and client certificates.
    pub authority: Authority,
    /// Signs recordings and checkpoints.
    pub signing: SigningKey,
    /// For SSH.
    pub ssh: SshKeys,
}

/// The keys that SSH needs.
#[derive(Debug)]
pub struct SshKeys {
    /// Signs the host certificate and those of clients.
    pub authority: SshKey,
    /// Signs those of sessions at targets.
    pub sessions: SshKey,
    /// The gate's host key.
    pub host: SshKey,
}

/// Why there are no keys. Never holds key material.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// One is there already.
    #[error("{0} is there already, and a key is never replaced; move it away if that is meant")]
    There(PathBuf),
    /// One is missing.
    #[error(
        "the key file {0} is missing; make fresh keys with `curfew init --keys`, or put back the ones you had"
    )]
    Missing(PathBuf),
    /// One can't be read or written.
    #[error("the key file {0} can't be used: {1}")]
    Io(PathBuf, io::Error),
    /// Others may read it.
    #[error(transparent)]
    Exposed(#[from] SecretError),
    /// The authority's files are no authority.
    #[error("the authority in {0} can't be used: {1}")]
    Authority(PathBuf, CertsError),
    /// The signing key is none.
    #[error("the signing key {0} can't be used: {1}")]
    Signing(PathBuf, KeyError),
}

impl Keys {
    /// Makes fresh keys in `folder`, which is made too (0700).
    ///
    /// # Errors
    /// Where any of the files is there: then nothing is written.
    pub fn create(folder: &Path, now: Timestamp) -> Result<Self, KeysError> {
        let authority =
            Authority::generate(now).map_err(|error| KeysError::Authority(folder.into(), error))?;
        let in_signing = |error| KeysError::Signing(folder.join(SIGNING_KEY), error);
        let (signing, signing_pem) = SigningKey::generate().map_err(in_signing)?;
        let ssh = SshKeys::generate().map_err(|error| KeysError::Authority(folder.into(), error))?;
        let mut files = vec![
            (AUTHORITY_KEY, authority.key_pem(), 0o600),
            (AUTHORITY_CERTIFICATE, authority.certificate_pem(), 0o644),
            (SIGNING_KEY, signing_pem, 0o600),
            (SIGNING_PUBLIC, signing.public_pem().map_err(in_signing)?, 0o644),
        ];
        files.extend(ssh.files().map_err(|error| KeysError::Authority(folder.into(), error))?);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| KeysError::Io(folder.into(), error))?;
        write_all(folder, &files)?;
        Ok(Self { authority, signing, ssh })
    }

    /// Adds the keys that SSH needs to a folder of a Curfew that did not speak it yet.
    ///
    /// # Errors
    /// Where the other keys are not in order, or any of those for SSH is there: then nothing is written.
    pub fn add_ssh(folder: &Path) -> Result<Self, KeysError> {
        let (authority, signing) = Self::first(folder)?;
        let in_ssh = |error| KeysError::Authority(folder.into(), error);
        let ssh = SshKeys::generate().map_err(in_ssh)?;
        write_all(folder, &ssh.files().map_err(in_ssh)?)?;
        Ok(Self { authority, signing, ssh })
    }

    /// Whether `folder` has the keys that every protocol needs, and none of those that SSH needs besides.
    pub fn lack_only_ssh(folder: &Path) -> bool {
        let there = |name: &&str| folder.join(name).symlink_metadata().is_ok();
        FIRST.iter().all(there) && !SSH.iter().any(there)
    }

    /// Reads the keys in `folder`.
    ///
    /// # Errors
    /// Where one is missing, readable by others, or not what it should be.
    pub fn load(folder: &Path) -> Result<Self, KeysError> {
        let (authority, signing) = Self::first(folder)?;
        let ssh = |name| {
            let path = folder.join(name);
            SshKey::load(&read(&path, true)?).map_err(|error| KeysError::Authority(path, error))
        };
        let ssh = SshKeys {
            authority: ssh(SSH_AUTHORITY_KEY)?,
            sessions: ssh(SSH_SESSIONS_KEY)?,
            host: ssh(SSH_HOST_KEY)?,
        };
        Ok(Self { authority, signing, ssh })
    }

    fn first(folder: &Path) -> Result<(Authority, SigningKey), KeysError> {
        let certificate = read(&folder.join(AUTHORITY_CERTIFICATE), false)?;
        let key = read(&folder.join(AUTHORITY_KEY), true)?;
        let authority = Authority::load(&certificate, &key)
            .map_err(|error| KeysError::Authority(folder.to_owned(), error))?;
        let path = folder.join(SIGNING_KEY);
        let signing =
            SigningKey::from_pem(&read(&path, true)?).map_err(|error| KeysError::Signing(path, error))?;
        Ok((authority, signing))
    }

    /// The files that [`Keys::create`] writes.
    pub fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
        FIRST.into_iter().chain(SSH).map(move |name| folder.join(name))
    }
}

impl SshKeys {
    fn generate() -> Result<Self, CertsError> {
        Ok(Self { authority: SshKey::generate()?, sessions: SshKey::generate()?, host: SshKey::generate()? })
    }

    fn files(&self) -> Result<[(&'static str, String, u32); 5], CertsError> {
        Ok([
            (SSH_AUTHORITY_KEY, self.authority.private_pem()?, 0o600),
            (SSH_AUTHORITY_PUBLIC, public_text(&self.authority)?, 0o644),
            (SSH_SESSIONS_KEY, self.sessions.private_pem()?, 0o600),
            (SSH_SESSIONS_PUBLIC, public_text(&self.sessions)?, 0o644),
            (SSH_HOST_KEY, self.host.private_pem()?, 0o600),
        ])
    }
}

fn public_text(key: &SshKey) -> Result<String, CertsError> {
    Ok(format!("{}\n", key.public_line()?))
}

/// Writes files with these names, texts and modes, none of which may be there.
fn write_all(folder: &Path, files: &[(&str, String, u32)]) -> Result<(), KeysError> {
    let paths = || files.iter().map(|(name, ..)| folder.join(name));
    if let Some(path) = paths().find(|path| path.symlink_metadata().is_ok()) {
        return Err(KeysError::There(path));
    }
    for ((_, text, mode), path) in files.iter().zip(paths()) {
        write_new(&path, text, *mode).map_err(|error| KeysError::Io(path, error))?;
    }
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| KeysError::Io(folder.into(), error))
}

/// Writes a file that must not be there yet, durably.
pub(crate) fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn read(path: &Path, private: bool) -> Result<String, KeysError> {
    let io = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => KeysError::Missing(path.to_owned()),
        _ => KeysError::Io(path.to_owned(), error),
    };
    let file = File::open(path).map_err(io)?;
    if private {
        refuse_readable_by_others(path, &file.metadata().map_err(io)?)?;
    }
    let mut text = String::new();
    file.take(FILE_MAX).read_to_string(&mut text).map_err(io)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn keys_come_back_and_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let made = Keys::create(&keys, now()).unwrap();
        assert_eq!(mode(&keys), 0o700);
        let modes: Vec<u32> = Keys::files(&keys).map(|path| mode(&path)).collect();
        assert_eq!(modes, [0o600, 0o644, 0o600, 0o644, 0o600, 0o644, 0o600, 0o644, 0o600]);
        let loaded = Keys::load(&keys).unwrap();
        assert_eq!(loaded.authority.fingerprint(), made.authority.fingerprint());
        assert_eq!(loaded.signing.id(), made.signing.id());
        assert_eq!(loaded.ssh.host.fingerprint(), made.ssh.host.fingerprint());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        for name in [AUTHORITY_KEY, SIGNING_KEY, SSH_AUTHORITY_KEY, SSH_SESSIONS_KEY, SSH_HOST_KEY] {
            let folder = tempfile::tempdir().unwrap();
            Keys::create(folder.path(), now()).unwrap();
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o644)).unwrap();
            let refused = Keys::load(folder.path()).unwrap_err();
            assert!(matches!(refused, KeysError::Exposed(SecretError::Exposed(_, 0o644))), "{refused}");
            assert!(refused.to_string().contains("chmod 600"), "{refused}");
        }
    }

    #[test]
    fn keys_are_never_replaced_and_a_missing_one_is_named() {
        for name in FIRST.into_iter().chain(SSH) {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), "mine").unwrap();
            assert!(matches!(Keys::create(folder.path(), now()), Err(KeysError::There(_))));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
        let folder = tempfile::tempdir().unwrap();
        Keys::create(folder.path(), now()).unwrap();
        fs::remove_file(folder.path().join(SIGNING_KEY)).unwrap();
        let missing = Keys::load(folder.path()).unwrap_err();
        assert!(matches!(&missing, KeysError::Missing(path) if path.ends_with(SIGNING_KEY)), "{missing}");
    }

    #[test]
    fn a_folder_from_before_ssh_gets_what_ssh_needs_and_keeps_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let before = Keys::create(folder.path(), now()).unwrap();
        assert!(!Keys::lack_only_ssh(folder.path()));
        assert!(matches!(Keys::add_ssh(folder.path()), Err(KeysError::There(_))));
        for name in SSH {
            fs::remove_file(folder.path().join(name)).unwrap();
        }
        assert!(Keys::lack_only_ssh(folder.path()));
        Keys::add_ssh(folder.path()).unwrap();
        let after = Keys::load(folder.path()).unwrap();
        assert_eq!(after.authority.fingerprint(), before.authority.fingerprint());
        assert_ne!(after.ssh.host.fingerprint(), before.ssh.host.fingerprint());
        // One that lacks a key of every protocol is not completed: what is missing has to be put back.
        fs::remove_file(folder.path().join(SIGNING_KEY)).unwrap();
        for name in SSH {
            fs::remove_file(folder.path().join(name)).unwrap();
        }
        assert!(!Keys::lack_only_ssh(folder.path()));
        assert!(matches!(Keys::add_ssh(folder.path()), Err(KeysError::Missing(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
