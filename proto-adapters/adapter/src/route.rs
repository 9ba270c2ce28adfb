//! The way to a target: where it is, by what it is known, and how the gate signs in there.

use crate::{Protocol, TargetTls};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// A host and a port, as `host:port` or `[v6]:port`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HostPort {
    /// A DNS name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl HostPort {
    /// The addresses that the name stands for now, at least one.
    ///
    /// # Errors
    /// Where it stands for none.
    pub async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<_> = tokio::net::lookup_host((self.host.as_str(), self.port)).await?.collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "its name stands for no address"));
        }
        Ok(found)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// By what a target proves that it is the right one, where it has a host key (OpenSSH, sshd(8)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostKeys {
    /// Lines in the form of a known_hosts file.
    pub known_hosts: String,
    /// Pinned keys, each one line: algorithm and base64.
    pub pinned: Vec<String>,
    /// Keys of authorities that sign host certificates, each one line.
    pub authorities: Vec<String>,
}

/// How the gate signs in to the target with an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// With the account's secret as the password.
    #[default]
    Password,
    /// With the account's secret as a private key, in PEM.
    Key,
    /// With a key of the agent that listens at this socket.
    Agent(std::path::PathBuf),
    /// With a certificate: over SSH one made for this session alone (see `Session::certify`), to Postgres the client
    /// certificate of the account (see `Session::client_certificate`).
    Certificate,
}

/// Which of a target's hosts will do, in libpq's words (Postgres manual, 34.1.2 `target_session_attrs`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionAttrs {
    /// Each of them.
    #[default]
    Any,
    /// One whose transactions may write.
    ReadWrite,
    /// One whose transactions may not.
    ReadOnly,
    /// One that is not in hot standby.
    Primary,
    /// One that is.
    Standby,
    /// A standby where there is one, else any.
    PreferStandby,
}

/// How an account's password may be proved to a Postgres server, the weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PasswordProof {
    /// MD5: what is sent is as good as the password for whoever has the stored hash.
    Md5,
    /// SCRAM-SHA-256: nothing that is sent is worth anything later.
    #[default]
    Scram,
    /// The same, bound to the server's certificate (`tls-server-end-point`, RFC 5929).
    ScramPlus,
}

/// What only a Postgres target has.
#[derive(Clone, Debug, Default)]
pub struct PostgresRoute {
    /// Where it listens besides, in the order in which they are tried.
    pub more: Vec<HostPort>,
    /// Which of them will do.
    pub wanted: SessionAttrs,
    /// The weakest proof of a password that is given.
    pub weakest: PasswordProof,
    /// The minor version of protocol 3 that is asked for: 0 or 2.
    pub minor: u16,
}

/// Where the target is and how it is spoken to; its secret is asked for with `Session::secret`.
#[derive(Clone, Debug)]
pub struct TargetRoute {
    /// The target's name.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it listens; the first place, where there are several.
    pub address: HostPort,
    /// How TLS is spoken to it.
    pub tls: TargetTls,
    /// By what it is known, where it has a host key.
    pub host_keys: HostKeys,
    /// What a Postgres server needs besides.
    pub postgres: PostgresRoute,
}

impl TargetRoute {
    /// Every place where it listens, in the order in which they are tried.
    pub fn addresses(&self) -> impl Iterator<Item = &HostPort> {
        std::iter::once(&self.address).chain(&self.postgres.more)
    }
}
