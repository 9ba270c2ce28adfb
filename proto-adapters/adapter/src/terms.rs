//! What a session may do: fixed when it is admitted, and never changed.

use crate::{GrantId, IdentityId, Protocol, RequestId, SigninId, TargetTls};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether an identity is a person or a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityKind {
    /// A person.
    User,
    /// A program.
    Service,
}

/// Who: issuer and subject, with what the provider vouched for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Curfew's own id of issuer + subject.
    pub id: IdentityId,
    /// The key under which rules about people compare: the verified email, in lower case.
    pub person: String,
    /// The verified email, as the provider spells it.
    pub email: String,
    /// What to call them; the email where the provider gives no name.
    pub name: String,
    /// The groups that the provider asserted and was allowed to assert.
    pub groups: Vec<String>,
    /// Person or program.
    pub kind: IdentityKind,
}

/// A host and a port, as `host:port` or `[v6]:port`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HostPort {
    /// A DNS name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
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

/// How much of a statement's parameters is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterPolicy {
    /// Nothing.
    None,
    /// Their types and lengths.
    Types,
    /// Their values.
    #[default]
    Full,
}

/// How much is recorded of what the target sends back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultPolicy {
    /// Counts and outcomes; of a command's output its beginning. Terminals are always recorded whole.
    #[default]
    None,
    /// All of it.
    Full,
}

/// How a session is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordPolicy {
    /// How much of the parameters.
    pub parameters: ParameterPolicy,
    /// How much of what comes back.
    pub results: ResultPolicy,
    /// Whether what is typed into terminals is recorded, beside what is shown there.
    pub input: bool,
    /// Patterns whose matches are masked, as written in the contract.
    pub mask: Vec<String>,
    /// Whether a recording that fails ends the session.
    pub strict: bool,
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
    /// With a certificate made for this session alone; see `Session::certify`.
    Certificate,
}

/// Where the target is and how it is spoken to; its secret is asked for with `Session::secret`.
#[derive(Clone, Debug)]
pub struct TargetRoute {
    /// The target's name.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it listens.
    pub address: HostPort,
    /// How TLS is spoken to it.
    pub tls: TargetTls,
    /// By what it is known, where it has a host key.
    pub host_keys: HostKeys,
}

/// The terms of a session, from one grant.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who.
    pub identity: Identity,
    /// Under which sign-in.
    pub signin: SigninId,
    /// The grant that it runs under.
    pub grant: GrantId,
    /// The request that became the grant.
    pub request: RequestId,
    /// The contract's name.
    pub contract: String,
    /// Where to.
    pub target: TargetRoute,
    /// The login used on the target.
    pub account: String,
    /// How the gate signs in with it.
    pub login: Login,
    /// What may be done there, in the adapter's own words (see `Words`).
    pub allow: Vec<String>,
    /// The database to open (Postgres), already checked against what the grant covers.
    pub database: Option<String>,
    /// How it is recorded.
    pub record: RecordPolicy,
    /// Remaining times at which the client is told that the end is near, longest first.
    pub countdown: Vec<std::time::Duration>,
    /// The command that extends the grant, shown with the countdown; empty where none does.
    pub extend_hint: String,
}
