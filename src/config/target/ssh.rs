//! What only an SSH target's entry has: by what the host is known.

use std::path::Path;

use curfew_adapter::{HostKeys, TargetTls, TlsMode};
use rustls::RootCertStore;

use crate::config::resolve;
use crate::toml_doc::Section;

/// An SSH target has no TLS.
pub(super) fn no_tls(section: &Section<'_>) -> Option<TargetTls> {
    let tls = TargetTls::new(TlsMode::Disable, RootCertStore::empty());
    tls.map_err(|error| section.problem(format!("TLS can't be set up: {error}"))).ok()
}

/// `host_keys = { known_hosts = "FILE", pinned = ["ssh-ed25519 …"], authorities = ["ssh-ed25519 …"] }`
pub(super) fn read_host_keys(section: &Section<'_>, base: &Path) -> Option<HostKeys> {
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
