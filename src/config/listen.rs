//! `[listen]`: the ports, their TLS, and how much a stranger may take.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Server, resolve};
use crate::toml_doc::{Section, Value};

/// `[listen]`
#[derive(Debug, Clone)]
pub struct Listen {
    /// Pages, API, sign-in.
    pub http: Listener,
    /// The Postgres port.
    pub postgres: PostgresListener,
    /// The SSH port; left out, SSH is not served.
    pub ssh: Option<SshListener>,
    /// Where Prometheus scrapes, over plain HTTP; left out, nowhere.
    pub metrics: Option<SocketAddr>,
    /// How much at once.
    pub limits: Limits,
}

/// One port.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Where it listens; port 0 lets the kernel pick.
    pub address: SocketAddr,
    /// With which certificate.
    pub tls: ListenTls,
    /// Whether trusted proxies announce clients by the PROXY protocol.
    pub proxy_protocol: bool,
}

/// The Postgres port.
#[derive(Debug, Clone)]
pub struct PostgresListener {
    /// Where it listens; port 0 lets the kernel pick.
    pub address: SocketAddr,
    /// With which certificate.
    pub tls: ListenTls,
    /// Whether trusted proxies announce clients by the PROXY protocol.
    pub proxy_protocol: bool,
    /// What happens to a client that does not ask for TLS.
    pub plaintext: Plaintext,
}

/// The SSH port. Its host key and host certificate are Curfew's own.
#[derive(Debug, Clone)]
pub struct SshListener {
    /// Where it listens; port 0 lets the kernel pick.
    pub address: SocketAddr,
    /// Whether trusted proxies announce clients by the PROXY protocol.
    pub proxy_protocol: bool,
}

/// A listener's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenTls {
    /// Of Curfew's own authority, renewed by itself.
    Own,
    /// From PEM files.
    Files {
        /// The chain, server first.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// None: plain text, on loopback or behind a proxy.
    Off,
}

/// What happens to clients without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// They get a sentence and are closed.
    Refuse,
    /// They are served.
    Allow,
}

/// `[listen] limits`
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once, each listener by itself.
    pub connections: usize,
    /// From accept until a connection is signed in and admitted, waits for people apart.
    pub startup: Duration,
    /// Connections waiting for a link or a decision, in all.
    pub pending_links: usize,
    /// The same from one address.
    pub pending_links_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            startup: Duration::from_secs(10),
            pending_links: 1000,
            pending_links_per_address: 20,
        }
    }
}

impl Listen {
    pub(super) fn read(section: &Section<'_>, base: &Path, server: Option<&Server>) -> Option<Self> {
        let http = section.require("http", "{ address = \"0.0.0.0:443\" }").and_then(|value| {
            value.table(|inner| {
                let listener = Listener::read(inner, base, server)?;
                http_fits(&value, &listener, server)?;
                Some(listener)
            })
        });
        let postgres = section.table("postgres", |inner| PostgresListener::read(inner, base, server));
        let metrics = section.optional_table("metrics", address);
        let limits = section.optional_table("limits", Limits::read).unwrap_or_default();
        let ssh = section.optional_table("ssh", |inner| SshListener::read(inner, server));
        Some(Self { http: http?, postgres: postgres?, ssh, metrics, limits })
    }
}

fn http_fits(value: &Value<'_>, listener: &Listener, server: Option<&Server>) -> Option<()> {
    // Where [server] itself is wrong, that is told, and this can't be known.
    let server = server?;
    let proxied = !server.trusted_proxies.is_empty();
    if listener.tls == ListenTls::Off && !listener.address.ip().is_loopback() && !proxied {
        value.problem(
            "has tls = \"off\" on an address that others reach; listen on 127.0.0.1, or name the proxy in front of it \
             in [server] trusted_proxies",
        );
        return None;
    }
    if listener.tls != ListenTls::Off && server.public_url.scheme() == "http" {
        value.problem("speaks TLS, but [server] public_url begins with http://; write https:// there, or tls = \"off\" here");
        return None;
    }
    Some(())
}

impl Listener {
    fn read(section: &Section<'_>, base: &Path, server: Option<&Server>) -> Option<Self> {
        let address = address(section);
        let tls = section.get("tls").map_or(Some(ListenTls::Own), |value| ListenTls::read(&value, base));
        let proxy_protocol = proxy_protocol(section, server);
        Some(Self { address: address?, tls: tls?, proxy_protocol })
    }
}

impl PostgresListener {
    fn read(section: &Section<'_>, base: &Path, server: Option<&Server>) -> Option<Self> {
        let words = [("refuse", Plaintext::Refuse), ("allow", Plaintext::Allow)];
        let plaintext =
            section.get("plaintext").map_or(Some(Plaintext::Refuse), |value| value.one_of(&words));
        let Listener { address, tls, proxy_protocol } = Listener::read(section, base, server)?;
        let plaintext = plaintext?;
        if tls == ListenTls::Off && plaintext == Plaintext::Refuse {
            section.problem("`tls = \"off\"` with plaintext refused would serve nobody; write `plaintext = \"allow\"` if that is meant");
            return None;
        }
        Some(Self { address, tls, proxy_protocol, plaintext })
    }
}

impl SshListener {
    fn read(section: &Section<'_>, server: Option<&Server>) -> Option<Self> {
        let address = address(section);
        let proxy_protocol = proxy_protocol(section, server);
        Some(Self { address: address?, proxy_protocol })
    }
}

impl ListenTls {
    fn read(value: &Value<'_>, base: &Path) -> Option<Self> {
        if !value.is_table() {
            return value.one_of(&[("own", Self::Own), ("off", Self::Off)]);
        }
        value.table(|files| {
            let path = |key: &str, example: &str| {
                let value = files.require(key, example)?;
                let path = resolve(base, &value.string()?);
                value.check(match std::fs::File::open(&path) {
                    Ok(_) => Ok(path),
                    Err(error) => Err(format!("names {}, which can't be read: {error}", path.display())),
                })
            };
            let (cert, key) = (path("cert", "\"tls/cert.pem\""), path("key", "\"tls/key.pem\""));
            Some(Self::Files { cert: cert?, key: key? })
        })
    }
}

impl Limits {
    fn read(section: &Section<'_>) -> Option<Self> {
        let count = |key: &str, otherwise: usize| {
            let read = section.optional_integer(key, 1..=1_000_000);
            read.and_then(|number| usize::try_from(number).ok()).unwrap_or(otherwise)
        };
        let otherwise = Self::default();
        let startup = section.optional_duration("startup", Duration::from_secs(1)..=Duration::from_secs(120));
        Some(Self {
            connections: count("connections", otherwise.connections),
            startup: startup.unwrap_or(otherwise.startup),
            pending_links: count("pending_links", otherwise.pending_links),
            pending_links_per_address: count(
                "pending_links_per_address",
                otherwise.pending_links_per_address,
            ),
        })
    }
}

fn address(section: &Section<'_>) -> Option<SocketAddr> {
    section
        .require("address", "\"0.0.0.0:5432\"")?
        .parse("an IP address and a port, such as \"0.0.0.0:5432\" or \"[::]:5432\"")
}

fn proxy_protocol(section: &Section<'_>, server: Option<&Server>) -> bool {
    let Some(value) = section.get("proxy_protocol") else { return false };
    let wanted = value.bool().unwrap_or(false);
    if wanted && server.is_some_and(|server| server.trusted_proxies.is_empty()) {
        value.problem(
            "is true, but nobody is trusted to use it; name the proxies in [server] trusted_proxies",
        );
    }
    wanted
}
