//! `accounts` of a target: the logins that the gate holds there, and how it signs in with each.

use std::path::Path;

use curfew_adapter::{CREDENTIAL, Login, Protocol};

use super::object_name;
use super::tls::CertificateFiles;
use crate::config::{SecretSource, resolve};
use crate::toml_doc::{Mark, Section};

/// Who signs in as such a user shows a credential, and never gets to the account.
const TAKEN: &str = "must not begin with \"c-\": the names of connection credentials do";

/// A login on a target.
#[derive(Debug, Clone)]
pub struct Account {
    /// The database role or Unix user, spelled exactly so.
    pub name: String,
    /// Its password or private key, which never leaves the gate; `None` where it takes neither.
    pub secret: Option<SecretSource>,
    /// The certificate that it shows in TLS, its own or the target's; Postgres.
    pub certificate: Option<CertificateFiles>,
    /// How the gate signs in with it.
    pub login: Login,
}

impl Account {
    /// Reads one. `certificate` is that of the target, for those that have none of their own.
    pub(super) fn read(
        section: &Section<'_>,
        base: &Path,
        protocol: Option<Protocol>,
        certificate: Option<&CertificateFiles>,
    ) -> Option<(Self, Mark)> {
        let name = section.require("name", "\"orders_read\"").and_then(|value| {
            let name = object_name(&value)?;
            let reached = protocol == Some(Protocol::Ssh) || !name.starts_with(CREDENTIAL);
            value.check(reached.then_some(name).ok_or(TAKEN))
        });
        let (login, secret, certificate) = match protocol {
            Some(Protocol::Ssh) => {
                let (login, secret) = ssh(section, base)?;
                (login, secret, None)
            }
            Some(Protocol::Postgres) | None => postgres(section, base, certificate)?,
        };
        Some((Self { name: name?, secret, certificate, login }, section.mark()))
    }
}

/// `secret = { … }` or `certificate = true`, and `tls = { cert, key }` where it has a certificate of its own.
fn postgres(
    section: &Section<'_>,
    base: &Path,
    certificate: Option<&CertificateFiles>,
) -> Option<(Login, Option<SecretSource>, Option<CertificateFiles>)> {
    let by_certificate = section.optional_bool("certificate");
    let own = match section.get("tls") {
        Some(value) => value.table(|files| CertificateFiles::read_section(files, base))?,
        None => None,
    };
    let certificate = own.or_else(|| certificate.cloned());
    if by_certificate != Some(true) {
        let secret = section.require("secret", "{ file = \"secrets/orders_read\" }");
        let secret = secret.and_then(|value| SecretSource::read_value(&value, base))?;
        return Some((Login::Password, Some(secret), certificate));
    }
    if section.get("secret").is_some() {
        section.problem(
            "has a secret, and signs in by certificate; leave one of `secret` and `certificate` out",
        );
        return None;
    }
    if certificate.is_none() {
        section.problem(
            "signs in by certificate, and has none; write `tls = { cert = \"…\", key = \"…\" }` here, or `cert` and \
             `key` in the target's own `tls`",
        );
        return None;
    }
    Some((Login::Certificate, None, certificate))
}

/// `certificate = true`, `key = { file = … }`, `agent = "SOCKET"` or `secret = { … }`: exactly one of them.
fn ssh(section: &Section<'_>, base: &Path) -> Option<(Login, Option<SecretSource>)> {
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
