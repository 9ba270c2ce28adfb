//! `[[target]]`: what is reached, how, and with which accounts.

use std::{collections::BTreeMap, path::Path};

use curfew_adapter::{HostKeys, HostPort, Login, Protocol, TargetTls, TlsMode};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{SecretSource, refuse_twins, resolve, words};
use crate::contract::{Databases, TargetFacts};
use crate::toml_doc::{Mark, Section, Value};

/// `[[target]]`
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name: `psql -d NAME`.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it is.
    pub address: HostPort,
    /// For contracts to match.
    pub labels: BTreeMap<String, String>,
    /// The databases that may be opened there; the first is opened where the client names none. Postgres; else none.
    pub databases: Vec<String>,
    /// How TLS is spoken to it, ready to use. Postgres.
    pub tls: TargetTls,
    /// By what it proves that it is the right one. SSH.
    pub host_keys: HostKeys,
    /// The logins that the gate holds there, at least one.
    pub accounts: Vec<Account>,
}

/// A login on a target.
#[derive(Debug, Clone)]
pub struct Account {
    /// The database role or Unix user, spelled exactly so.
    pub name: String,
    /// Its password or private key, which never leaves the gate; `None` where it takes neither.
    pub secret: Option<SecretSource>,
    /// How the gate signs in with it.
    pub login: Login,
}

impl Target {
    /// The account called `name`, spelled exactly so.
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }

    /// What contracts may know of it.
    pub fn facts(&self) -> TargetFacts {
        TargetFacts {
            name: self.name.clone(),
            protocol: self.protocol,
            labels: self.labels.clone(),
            databases: match self.databases.as_slice() {
                [] => Databases::Any,
                names => Databases::Only(names.iter().cloned().collect()),
            },
        }
    }

    fn read(section: &Section<'_>, base: &Path) -> Option<(Self, Mark)> {
        let name = section.require("name", "\"orders\"");
        let at = name.as_ref().map_or(section.mark(), Value::mark);
        let name = name.and_then(|value| words::name(&value));
        let protocol = section.require("protocol", "\"postgres\" or \"ssh\"").and_then(|value| {
            let known: Vec<_> = Protocol::ALL.iter().map(|protocol| (protocol.as_str(), *protocol)).collect();
            value.one_of(&known)
        });
        let address = section
            .require("address", "\"orders-db.internal:5432\"")
            .and_then(|value| words::host_port(&value));
        let labels = section.string_map("labels");
        let (databases, tls, host_keys) = match protocol {
            // Which keys belong here can't be known, so none of them is wrong.
            None => {
                ["databases", "tls", "host_keys"].iter().for_each(|key| drop(section.get(key)));
                (None, None, None)
            }
            Some(Protocol::Postgres) => (
                non_empty(section, "databases", "[\"orders\"]", object_name),
                section.table("tls", |section| read_tls(section, base)),
                Some(HostKeys::default()),
            ),
            Some(Protocol::Ssh) => (
                Some(Vec::new()),
                no_tls(section),
                section.table("host_keys", |keys| read_host_keys(keys, base)),
            ),
        };
        let accounts = non_empty(
            section,
            "accounts",
            "[{ name = \"orders_read\", secret = { file = \"secrets/orders_read\" } }]",
            |value| value.table(|section| Account::read(section, base, protocol)),
        );
        if let Some(accounts) = &accounts {
            refuse_twins(
                section,
                "account",
                accounts.iter().map(|(account, at)| (account.name.as_str(), *at)),
            );
        }
        let target = Self {
            name: name?,
            protocol: protocol?,
            address: address?,
            labels,
            databases: databases?,
            tls: tls?,
            host_keys: host_keys?,
            accounts: accounts?.into_iter().map(|(account, _)| account).collect(),
        };
        Some((target, at))
    }
}

impl Account {
    fn read(section: &Section<'_>, base: &Path, protocol: Option<Protocol>) -> Option<(Self, Mark)> {
        let name = section.require("name", "\"orders_read\"").and_then(|value| object_name(&value));
        let (login, secret) = match protocol {
            Some(Protocol::Ssh) => read_login(section, base)?,
            Some(Protocol::Postgres) | None => {
                let secret = section.require("secret", "{ file = \"secrets/orders_read\" }");
                (Login::Password, Some(secret.and_then(|value| SecretSource::read_value(&value, base))?))
            }
        };
        Some((Self { name: name?, secret, login }, section.mark()))
    }
}

/// `certificate = true`, `key = { file = … }`, `agent = "SOCKET"` or `secret = { … }`: exactly one of them.
fn read_login(section: &Section<'_>, base: &Path) -> Option<(Login, Option<SecretSource>)> {
    let given = ["certificate", "key", "agent", "secret"].into_iter().filter(|key| section.has(key)).count();
    let source = |key: &str| section.get(key).and_then(|value| SecretSource::read_value(&value, base));
    let (secret, key) = (source("secret"), source("key"));
    let agent = section.optional_string("agent").map(|path| resolve(base, &path));
    let certificate = section.optional_bool("certificate");
    if given != 1 || certificate == Some(false) {
        section.problem(
            "must say how the gate signs in with it, in one way: `certificate = true`, `key = { file = \"…\" }`, \
             `agent = \"/run/agent.sock\"`, or `secret = { file = \"…\" }` for a password",
        );
        return None;
    }
    Some(match (certificate, agent) {
        (Some(_), _) => (Login::Certificate, None),
        (None, Some(socket)) => (Login::Agent(socket), None),
        (None, None) => match key {
            Some(key) => (Login::Key, Some(key)),
            None => (Login::Password, Some(secret?)),
        },
    })
}

/// An SSH target has no TLS.
fn no_tls(section: &Section<'_>) -> Option<TargetTls> {
    let tls = TargetTls::new(TlsMode::Disable, RootCertStore::empty());
    tls.map_err(|error| section.problem(format!("TLS can't be set up: {error}"))).ok()
}

/// `host_keys = { known_hosts = "FILE", pinned = ["ssh-ed25519 …"], authorities = ["ssh-ed25519 …"] }`
fn read_host_keys(section: &Section<'_>, base: &Path) -> Option<HostKeys> {
    let known_hosts = section.get("known_hosts").map(|value| {
        let path = resolve(base, &value.string()?);
        let read = std::fs::read_to_string(&path);
        value.check(read.map_err(|error| format!("names {}, which can't be read: {error}", path.display())))
    });
    let lines = |key: &str| {
        section.get(key).map_or(Some(Vec::new()), |value| {
            value.list_of(|element| {
                let line = element.string()?;
                let known = curfew_certs::ssh_fingerprint(&line);
                let known = known.map_err(|_| "must be public keys such as \"ssh-ed25519 AAAA…\"");
                element.check(known).map(|_| line)
            })
        })
    };
    let (pinned, authorities) = (lines("pinned"), lines("authorities"));
    if !["known_hosts", "pinned", "authorities"].iter().any(|key| section.has(key)) {
        section.problem(
            "must say by what the host is known: `pinned = [\"ssh-ed25519 …\"]`, `known_hosts = \"FILE\"` or \
             `authorities = [\"ssh-ed25519 …\"]`",
        );
    }
    let known_hosts = known_hosts.map_or(Some(String::new()), |read| read)?;
    Some(HostKeys { known_hosts, pinned: pinned?, authorities: authorities? })
}

pub(super) fn read_all(root: &Section<'_>, base: &Path) -> Vec<Target> {
    let read = root.tables("target", |section| Target::read(section, base));
    refuse_twins(root, "[[target]]", read.iter().map(|(target, at)| (target.name.as_str(), *at)));
    read.into_iter().map(|(target, _)| target).collect()
}

fn non_empty<T>(
    section: &Section<'_>,
    key: &str,
    example: &str,
    reader: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let value = section.require(key, example)?;
    let list = value.list_of(reader)?;
    let any = !list.is_empty();
    value.check(any.then_some(list).ok_or("must have at least one element"))
}

/// The name of a role or database: what Postgres takes, at most 63 bytes (Postgres manual, 4.1.1).
fn object_name(value: &Value<'_>) -> Option<String> {
    let text = value.string()?;
    let fits = text.len() <= 63 && !text.chars().any(char::is_control);
    value.check(fits.then_some(text).ok_or("must be at most 63 bytes, without control characters"))
}

fn read_tls(section: &Section<'_>, base: &Path) -> Option<TargetTls> {
    let modes = [
        ("verify-full", TlsMode::VerifyFull),
        ("verify-ca", TlsMode::VerifyCa),
        ("require", TlsMode::Require),
        ("prefer", TlsMode::Prefer),
        ("disable", TlsMode::Disable),
    ];
    let mode = section.get("mode").map_or(Some(TlsMode::default()), |value| value.one_of(&modes));
    let verifies = matches!(mode, Some(TlsMode::VerifyFull | TlsMode::VerifyCa));
    let roots = match if verifies { section.require("ca", "\"ca/internal.pem\"") } else { section.get("ca") }
    {
        Some(value) => read_roots(&value, base),
        None => (!verifies).then(RootCertStore::empty),
    };
    let tls = TargetTls::new(mode?, roots?);
    tls.map_err(|error| section.problem(format!("TLS to the target can't be set up: {error}"))).ok()
}

fn read_roots(value: &Value<'_>, base: &Path) -> Option<RootCertStore> {
    let path = resolve(base, &value.string()?);
    let read = || {
        let text = std::fs::read(&path).map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        if roots.is_empty() { Err("it holds no PEM certificate".to_owned()) } else { Ok(roots) }
    };
    value.check(read().map_err(|error| format!("names {}, which can't be used: {error}", path.display())))
}
