//! What `curfew login` leaves on disk: one folder for each gate, which only its owner can read.
//!
//! Owns the layout (docs/guide/cli.md) and the modes: folders 0700, files 0600, each replaced whole. It never prints
//! the token, and never talks to a gate.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use curfew_adapter::Secret;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::url::GateUrl;
use crate::cli::CliError;

const TOKEN: &str = "token";
const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "client.crt";
const KEY: &str = "client.key";
const ABOUT: &str = "gate.json";
const LAST: &str = "last-gate";

/// The folder of all sign-ins: `$CURFEW_HOME`, else `$XDG_CONFIG_HOME/curfew`, else `~/.config/curfew`.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

/// How the certificate of a gate's HTTP listener is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// By the gate's own authority, saved at login, and by no other.
    Authority,
    /// By the authorities that this machine trusts: the gate has a public certificate.
    System,
}

/// What is known about a gate and the sign-in there. No secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The gate's origin.
    pub url: String,
    /// The fingerprint of its authority, as it was confirmed.
    pub fingerprint: String,
    /// How its HTTP certificate is judged.
    pub trust: Trust,
    /// Who is signed in, for messages.
    #[serde(default)]
    pub email: Option<String>,
    /// When the sign-in ends.
    #[serde(default)]
    pub signin_ends_at: Option<Timestamp>,
    /// When the client certificate ends.
    #[serde(default)]
    pub certificate_ends_at: Option<Timestamp>,
    /// Its SSH port, where it has one.
    #[serde(default)]
    pub ssh: Option<SshAbout>,
}

/// What is known about a gate's SSH port, and the certificate for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshAbout {
    /// The host, as clients name it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// When the SSH certificate ends.
    #[serde(default)]
    pub certificate_ends_at: Option<Timestamp>,
}

impl Home {
    /// Finds the folder from the environment; it need not exist.
    ///
    /// # Errors
    /// None of the three variables is set.
    pub fn find(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, CliError> {
        let set = |name| variable(name).filter(|path| !path.as_os_str().is_empty());
        set("CURFEW_HOME")
            .or_else(|| set("XDG_CONFIG_HOME").map(|path| path.join("curfew")))
            .or_else(|| set("HOME").map(|path| path.join(".config/curfew")))
            .map(Self)
            .ok_or_else(|| CliError::usage("no folder for the sign-in is known: set HOME or CURFEW_HOME"))
    }

    /// This very folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The folder of one gate.
    pub fn gate(&self, url: &GateUrl) -> Saved {
        Saved { folder: self.0.join(url.folder_name()), url: url.clone() }
    }

    /// The gate of the last login.
    ///
    /// # Errors
    /// Nobody ever signed in here.
    pub fn last(&self) -> Result<GateUrl, CliError> {
        let text = fs::read_to_string(self.0.join(LAST)).map_err(|_| {
            CliError::not_signed_in("you are not signed in to any gate")
                .hint("type `curfew login URL`, such as `curfew login https://gate.example.com`")
        })?;
        GateUrl::parse(&text)
    }

    /// Remembers the gate of the last login.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn remember(&self, url: &GateUrl) -> Result<(), CliError> {
        write(&self.0, LAST, format!("{url}\n").as_bytes()).map_err(|error| cannot(&self.0, &error))
    }
}

/// The folder of one gate.
#[derive(Clone, Debug)]
pub struct Saved {
    url: GateUrl,
    folder: PathBuf,
}

impl Saved {
    /// Which gate.
    pub fn url(&self) -> &GateUrl {
        &self.url
    }

    /// The token of the sign-in.
    ///
    /// # Errors
    /// Nobody is signed in, or others can read the file.
    pub fn token(&self) -> Result<Secret, CliError> {
        let path = self.folder.join(TOKEN);
        let url = &self.url;
        let none = || {
            CliError::not_signed_in(format!("you are not signed in at {url}"))
                .hint(format!("type `curfew login {url}`"))
        };
        let mode = fs::metadata(&path).map_err(|_| none())?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(CliError::failed(format!(
                "others on this machine can read {}, so it is not used",
                path.display()
            ))
            .hint(format!("type `curfew logout --gate {url}` and sign in again")));
        }
        let text = fs::read_to_string(&path).map_err(|_| none())?;
        Ok(Secret::new(text.trim().to_owned()))
    }

    /// The gate's authority, in PEM, where one was saved.
    pub fn authority(&self) -> Option<String> {
        fs::read_to_string(self.authority_path()).ok()
    }

    /// What is known about the gate, where anything was saved.
    pub fn about(&self) -> Option<About> {
        serde_json::from_slice(&fs::read(self.folder.join(ABOUT)).ok()?).ok()
    }

    /// The private key of the client certificate, in PEM, where there is one.
    pub fn key(&self) -> Option<Secret> {
        fs::read_to_string(self.key_path()).ok().map(Secret::new)
    }

    /// Where the authority is, for `sslrootcert`.
    pub fn authority_path(&self) -> PathBuf {
        self.folder.join(AUTHORITY)
    }

    /// Where the client certificate is, for `sslcert`.
    pub fn certificate_path(&self) -> PathBuf {
        self.folder.join(CERTIFICATE)
    }

    /// Where its key is, for `sslkey`.
    pub fn key_path(&self) -> PathBuf {
        self.folder.join(KEY)
    }

    /// Saves the authority and what is known about the gate.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn save_gate(&self, authority: &str, about: &About) -> Result<(), CliError> {
        self.put(AUTHORITY, authority.as_bytes())?;
        self.save_about(about)
    }

    /// Saves what is known about the gate.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_about(&self, about: &About) -> Result<(), CliError> {
        let text = serde_json::to_vec_pretty(about).map_err(io::Error::from)?;
        self.put(ABOUT, &text)
    }

    /// Saves the token of a new sign-in.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_token(&self, token: &Secret) -> Result<(), CliError> {
        self.put(TOKEN, format!("{}\n", token.reveal()).as_bytes())
    }

    /// Saves the private key.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_key(&self, key: &Secret) -> Result<(), CliError> {
        self.put(KEY, key.reveal().as_bytes())
    }

    /// Saves the certificate. The key stays, so that a psql that starts meanwhile never sees half a pair.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_certificate(&self, pem: &str) -> Result<(), CliError> {
        self.put(CERTIFICATE, pem.as_bytes())
    }

    /// Removes token, certificate and key. The authority stays: the next login compares it.
    ///
    /// # Errors
    /// A file is there and can't be removed.
    pub fn forget(&self) -> Result<(), CliError> {
        self.remove(&[TOKEN, CERTIFICATE, KEY])
    }

    /// Where the file of this name is.
    pub(in crate::cli) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Removes files of these names, where they are.
    pub(in crate::cli) fn remove(&self, names: &[&str]) -> Result<(), CliError> {
        for name in names {
            let path = self.folder.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(&path, &error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Replaces the file of this name.
    pub(in crate::cli) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CliError> {
        write(&self.folder, name, bytes).map_err(|error| cannot(&self.folder.join(name), &error))
    }
}

fn cannot(path: &Path, error: &io::Error) -> CliError {
    CliError::failed(format!("can't write {}: {error}", path.display()))
}

/// Replaces a file whole: readers see the old bytes or the new ones.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    if !folder.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // The umask or an older hand may have left it open.
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    let draft = folder.join(format!(".{name}.{}", std::process::id()));
    let written = write_draft(&draft, bytes).and_then(|()| fs::rename(&draft, folder.join(name)));
    if written.is_err() {
        // Best effort: the error that is told is the first one.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write_draft(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(draft);
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn saved(folder: &Path) -> Saved {
        Home::at(folder.join("curfew")).gate(&GateUrl::parse("https://gate.example.com").unwrap())
    }

    #[test]
    fn everything_saved_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let saved = saved(folder.path());
        let about = About {
            url: saved.url().to_string(),
            fingerprint: "SHA256:x".to_owned(),
            trust: Trust::Authority,
            email: None,
            signin_ends_at: None,
            certificate_ends_at: None,
            ssh: Some(SshAbout { host: "gate".to_owned(), port: 22, certificate_ends_at: None }),
        };
        saved.save_gate("ca", &about).unwrap();
        saved.save_token(&Secret::new("t".to_owned())).unwrap();
        saved.save_key(&Secret::new("k".to_owned())).unwrap();
        saved.save_certificate("c").unwrap();
        let gate = folder.path().join("curfew/gate.example.com");
        assert_eq!((mode(&gate), mode(gate.parent().unwrap())), (0o700, 0o700));
        let mut names = Vec::new();
        for entry in fs::read_dir(&gate).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
        names.sort();
        assert_eq!(names, ["ca.pem", "client.crt", "client.key", "gate.json", "token"]);
        assert_eq!(saved.about(), Some(about));
        assert_eq!(saved.token().unwrap().reveal(), "t");
    }

    #[test]
    fn an_open_folder_and_an_open_file_are_closed_by_the_next_write() {
        let folder = tempfile::tempdir().unwrap();
        let saved = saved(folder.path());
        saved.save_token(&Secret::new("old".to_owned())).unwrap();
        let gate = folder.path().join("curfew/gate.example.com");
        fs::set_permissions(&gate, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(gate.join(TOKEN), Permissions::from_mode(0o644)).unwrap();
        let refusal = saved.token().unwrap_err();
        assert!(refusal.to_string().contains("others on this machine can read"), "{refusal}");
        saved.save_token(&Secret::new("new".to_owned())).unwrap();
        assert_eq!((mode(&gate), mode(&gate.join(TOKEN))), (0o700, 0o600));
        assert_eq!(saved.token().unwrap().reveal(), "new");
    }

    #[test]
    fn forgetting_keeps_the_authority_and_can_be_done_twice() {
        let folder = tempfile::tempdir().unwrap();
        let saved = saved(folder.path());
        saved.put(AUTHORITY, b"ca").unwrap();
        saved.save_token(&Secret::new("t".to_owned())).unwrap();
        saved.forget().unwrap();
        saved.forget().unwrap();
        assert_eq!(saved.token().unwrap_err().exit(), Exit::NotSignedIn);
        assert_eq!(saved.authority().as_deref(), Some("ca"));
    }

    #[test]
    fn the_folder_comes_from_the_first_variable_that_is_set() {
        let find = |set: &[(&str, &str)]| {
            Home::find(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        let all = [("CURFEW_HOME", "/a"), ("XDG_CONFIG_HOME", "/b"), ("HOME", "/c")];
        assert_eq!(find(&all).unwrap().0, Path::new("/a"));
        assert_eq!(find(&all[1..]).unwrap().0, Path::new("/b/curfew"));
        assert_eq!(
            find(&[("XDG_CONFIG_HOME", ""), ("HOME", "/c")]).unwrap().0,
            Path::new("/c/.config/curfew")
        );
        assert_eq!(find(&[]).unwrap_err().exit(), Exit::Usage);
    }
}
