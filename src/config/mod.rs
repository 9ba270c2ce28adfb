//! The configuration file: raw text to checked types, every problem at once with its place.
//!
//! It reads `curfew.toml` and the certificates that it names, and nothing else: secrets are read when they are needed
//! ([`SecretSource::read`]), contracts by the contract module. Relative paths are relative to the file. What is in a
//! [`Config`] has been checked; nothing downstream checks it again.

mod listen;
mod provider;
mod record;
mod secret;
mod server;
mod signin;
mod target;
#[cfg(test)]
mod tests;
mod words;

pub use listen::{Limits, Listen, ListenTls, Listener, Plaintext, PostgresListener};
pub use provider::{Members, Provider, Roles};
pub use record::{Checkpoint, Log, LogFormat, Record, RecordMode, SessionSettings};
pub use secret::{SecretError, SecretSource, refuse_readable_by_others};
pub use server::Server;
pub use signin::{LINK_LIFETIME, LinkAddresses, Signin};
pub use target::{Account, CertificateFiles, Target};

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::toml_doc::{self, Mark, Problems, Section};

/// A whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[listen]`
    pub listen: Listen,
    /// `[signin]`
    pub signin: Signin,
    /// `[[provider]]`, at least one.
    pub providers: Vec<Provider>,
    /// `[roles]`
    pub roles: Roles,
    /// `[[target]]`
    pub targets: Vec<Target>,
    /// `[session]`
    pub session: SessionSettings,
    /// `[record]`
    pub record: Record,
    /// `[log]`
    pub log: Log,
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// Every problem of the file, or the one of not being able to read it.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let fail = |error: std::io::Error| {
            Problems::of_file(
                &name,
                format!("can't be read: {error}; `curfew init` writes one to start from"),
            )
        };
        let text = std::fs::read_to_string(path).map_err(fail)?;
        let absolute = std::path::absolute(path).map_err(fail)?;
        Self::parse(&name, &text, absolute.parent().unwrap_or(Path::new("/")))
    }

    /// Checks `text`, called `file` in messages; relative paths are taken from `base`, an absolute folder.
    ///
    /// # Errors
    /// Every problem of the text.
    pub fn parse(file: &str, text: &str, base: &Path) -> Result<Self, Problems> {
        toml_doc::read(file, text, |root| Self::read(root, base))
    }

    fn read(root: &Section<'_>, base: &Path) -> Option<Self> {
        let server = root.table("server", |section| Server::read(section, base));
        let listen = root.table("listen", |section| Listen::read(section, base, server.as_ref()));
        let signin = root.get("signin").map_or(Some(Signin::default()), |value| value.table(Signin::read));
        let providers = provider::read_all(root, base);
        let roles = root.optional_table("roles", Roles::read).unwrap_or_default();
        let targets = target::read_all(root, base);
        let session = root
            .get("session")
            .map_or_else(|| Some(SessionSettings::default()), |value| value.table(SessionSettings::read));
        let data_dir = server.as_ref().map_or(base, |server| &server.data_dir);
        let record = match root.get("record") {
            Some(value) => value.table(|section| Record::read(section, base, data_dir)),
            None => Some(Record::in_data_dir(data_dir)),
        };
        let log = root.optional_table("log", Log::read).unwrap_or_default();
        Some(Self {
            server: server?,
            listen: listen?,
            signin: signin?,
            providers,
            roles,
            targets,
            session: session?,
            record: record?,
            log,
        })
    }

    /// The target called `name`, spelled exactly so.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// The names and addresses that the gate's own certificates are made out to: the public one, those under
    /// `[server] names`, and for listeners on loopback also `localhost` and its addresses.
    pub fn certificate_names(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        if let Some(host) = self.server.public_url.host_str() {
            names.insert(host.trim_start_matches('[').trim_end_matches(']').to_owned());
        }
        names.extend(self.server.names.iter().cloned());
        let ssh = self.listen.ssh.as_ref().map(|port| port.address.ip());
        let addresses: Vec<_> = [self.listen.http.address.ip(), self.listen.postgres.address.ip()]
            .into_iter()
            .chain(ssh)
            .collect();
        for ip in addresses.iter().filter(|ip| !ip.is_unspecified()) {
            names.insert(ip.to_string());
        }
        if addresses.iter().any(std::net::IpAddr::is_loopback) {
            names.insert("localhost".to_owned());
        }
        names.into_iter().collect()
    }

    /// The hosts under which each Postgres target has a name of its own, `TARGET.HOST`: that of the public URL and those
    /// under `[server] names`, as far as they are names.
    pub fn target_hosts(&self) -> Vec<String> {
        let public = self.server.public_url.host_str().map(str::to_owned);
        let all: BTreeSet<_> = public.into_iter().chain(self.server.names.iter().cloned()).collect();
        all.into_iter().filter(|name| may_have_names_below(name)).collect()
    }

    /// What the Postgres listener's own certificate is made out to: the gate's names, and whatever is below them.
    pub fn postgres_certificate_names(&self) -> Vec<String> {
        let below = self.target_hosts().into_iter().map(|host| format!("*.{host}"));
        self.certificate_names().into_iter().chain(below).collect()
    }
}

/// Whether this is a name in DNS under which there may be others, and neither an address nor this machine.
fn may_have_names_below(name: &str) -> bool {
    matches!(url::Host::parse(name), Ok(url::Host::Domain(found)) if found != "localhost" && found == name)
        && !name.contains('*')
}

/// `path` as written, made absolute.
fn resolve(base: &Path, path: &str) -> PathBuf {
    base.join(path)
}

/// Notes every name that stands there twice.
fn refuse_twins<'a>(section: &Section<'_>, what: &str, names: impl IntoIterator<Item = (&'a str, Mark)>) {
    let mut seen = BTreeSet::new();
    for (name, at) in names {
        if !seen.insert(name) {
            section.problem_at(at, format!("a second {what} called \"{name}\"; names are unique"));
        }
    }
}
