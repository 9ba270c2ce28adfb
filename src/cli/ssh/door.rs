//! The gate's SSH port, as its clients know it: where it is, and which authority vouches for its host key.
//!
//! Owns the options that lead ssh there and let it believe nobody else.

use crate::cli::CliError;
use crate::cli::client::{Client, Saved, SshAbout, wire};
use crate::cli::route::host_port;

use super::files::{Files, word};

/// SSH's own port, which known_hosts does not spell.
const PORT: u16 = 22;

/// Where the gate speaks SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The host, as clients name it, and as the gate's host certificate does.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Door {
    /// Asks the gate, and writes known_hosts; `None` where it does not speak SSH.
    ///
    /// # Errors
    /// Not reached, or what it says is not understood.
    pub async fn find(client: &Client, saved: &Saved) -> Result<Option<Self>, CliError> {
        let gate: wire::Gate = client.get(&["gate"], &[]).await?.read()?;
        let Some(listener) = gate.listeners.iter().find(|listener| listener.protocol == "ssh") else {
            return Ok(None);
        };
        let (host, port) = host_port(&listener.address)?;
        let door = Self { host, port };
        let facts: wire::SshFacts = client.get(&["ssh"], &[]).await?.read()?;
        Files::of(saved).save_known_hosts(&door.known_hosts(&facts.authority)?)?;
        Ok(Some(door))
    }

    /// The one line that makes a client know the gate, with and without `HostKeyAlias`.
    fn known_hosts(&self, authority: &str) -> Result<String, CliError> {
        let strange = |_| CliError::failed("the gate's SSH authority is not understood");
        curfew_certs::ssh_fingerprint(authority.trim()).map_err(strange)?;
        let mut words = authority.split_ascii_whitespace();
        let key = [words.next().unwrap_or_default(), words.next().unwrap_or_default()].join(" ");
        let Self { host, port } = self;
        let names = if *port == PORT { host.clone() } else { format!("{host},[{host}]:{port}") };
        Ok(format!("@cert-authority {names} {key}\n"))
    }

    /// Options of ssh, with their values as ssh_config spells them.
    ///
    /// # Errors
    /// The folder has a name that ssh_config can't hold.
    pub fn options(&self, saved: &Saved) -> Result<Vec<(&'static str, String)>, CliError> {
        let files = Files::of(saved);
        Ok(vec![
            ("HostName", self.host.clone()),
            ("Port", self.port.to_string()),
            // The host certificate names the gate, whatever the target is called here.
            ("HostKeyAlias", self.host.clone()),
            ("IdentityFile", word(&files.key_path())?),
            ("CertificateFile", word(&files.certificate_path())?),
            ("IdentitiesOnly", "yes".to_owned()),
            ("UserKnownHostsFile", word(&files.known_hosts_path())?),
            ("StrictHostKeyChecking", "yes".to_owned()),
        ])
    }
}

impl From<&SshAbout> for Door {
    fn from(about: &SshAbout) -> Self {
        Self { host: about.host.clone(), port: about.port }
    }
}

/// The user that names an account on a target. With `@`, as newer versions of ssh expand `%` in the `User` of ssh_config.
pub fn user(account: &str, target: &str) -> String {
    format!("{account}@{target}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_knows_the_gate_by_every_name_that_ssh_looks_up() {
        let key = curfew_certs::SshKey::generate().unwrap().public_line().unwrap();
        let line = |port| Door { host: "gate.example.com".to_owned(), port }.known_hosts(&key).unwrap();
        assert_eq!(line(22), format!("@cert-authority gate.example.com {key}\n"));
        let expected = format!("@cert-authority gate.example.com,[gate.example.com]:2222 {key}\n");
        assert_eq!(line(2222), expected);
        let door = Door { host: "gate".to_owned(), port: 22 };
        assert!(door.known_hosts("ssh-ed25519 nonsense").is_err());
        assert!(door.known_hosts(&format!("{key}\n* {key}")).is_err(), "one key, one line");
    }
}
