//! Binds every port before anything is served, says where they are, and starts the accept loops.

use super::services::{Adapted, Http};
use crate::api::site::Site;
use crate::config::{Config, ListenTls, Plaintext};
use crate::keys::SshKeys;
use crate::listen::{self, Rules, Service};
use crate::metrics::Metrics;
use crate::worker::Workers;
use axum::Router;
use curfew_adapter::task::supervised;
use curfew_adapter::{Adapter, Clock, Core, Protocol, Secret};
use curfew_certs::{Authority, ClientCertificates, OwnCertificate, fixed_certificate, server_config};
use curfew_postgres::{Options, PostgresAdapter};
use curfew_ssh::{SshAdapter, SshOptions};
use ipnet::IpNet;
use jiff::SignedDuration;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// How long a certificate of the gate's own authority is good; it is renewed long before.
const CERTIFICATE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long the SSH host certificate is good: made anew at each start, it must outlast a process that is never restarted.
const HOST_CERTIFICATE: SignedDuration = SignedDuration::from_hours(5 * 366 * 24);

/// The ports, bound and not yet served.
pub struct Listeners {
    http: (TcpListener, Rules),
    http_tls: Option<TlsAcceptor>,
    adapters: Vec<(TcpListener, Rules, Arc<dyn Adapter>)>,
    metrics: Option<(TcpListener, Rules)>,
}

/// What the ports lead to.
pub struct Behind {
    /// The core, for adapters.
    pub core: Arc<dyn Core>,
    /// Pages and API.
    pub pages: Router,
    /// What Prometheus scrapes.
    pub scrape: Router,
    /// Counts.
    pub metrics: Metrics,
}

impl Listeners {
    /// Binds them all.
    ///
    /// # Errors
    /// The first that can't be bound, or whose certificate can't be read.
    pub async fn bind(
        config: &Config,
        site: &Site,
        authority: &Arc<Authority>,
        ssh: &SshKeys,
        clock: &Clock,
    ) -> Result<Self, String> {
        let own = |names: Vec<String>| {
            let clock = clock.clone();
            OwnCertificate::new(authority.clone(), names, CERTIFICATE, Arc::new(move || clock.wall()))
        };
        let tls = |tls: &ListenTls, names: Vec<String>, clients: ClientCertificates<'_>, alpn: &[&str]| {
            let certificate = match tls {
                ListenTls::Own | ListenTls::Off => own(names).map_err(|error| error.to_string())? as Arc<_>,
                ListenTls::Files { cert, key } => {
                    let read = |path: &std::path::Path| {
                        std::fs::read(path)
                            .map_err(|error| format!("{} can't be read: {error}", path.display()))
                    };
                    fixed_certificate(&read(cert)?, &read(key)?)
                        .map_err(|error| format!("the certificate {}: {error}", cert.display()))?
                }
            };
            server_config(certificate, clients, alpn).map_err(|error| error.to_string())
        };
        let listen = &config.listen;
        let http_tls = match listen.http.tls {
            ListenTls::Off => None,
            _ => {
                let names = config.certificate_names();
                let tls = tls(&listen.http.tls, names, ClientCertificates::Ignore, &["http/1.1"])?;
                Some(TlsAcceptor::from(tls))
            }
        };
        let asks = ClientCertificates::Ask(authority);
        let names = config.postgres_certificate_names();
        let postgres_tls = tls(&listen.postgres.tls, names, asks, &["postgresql"])?;
        let plaintext = listen.postgres.plaintext == Plaintext::Allow;
        let options = Options { plaintext, issuer: Some(site.origin()), hosts: config.target_hosts() };
        let proxies: Arc<[IpNet]> = config.server.trusted_proxies.clone().into();
        let rules = |proxied: bool| Rules {
            connections: listen.limits.connections,
            startup: listen.limits.startup,
            proxies: proxied.then(|| proxies.clone()),
        };
        let mut adapters: Vec<(TcpListener, Rules, Arc<dyn Adapter>)> = vec![(
            bind("postgres", listen.postgres.address).await?,
            rules(listen.postgres.proxy_protocol),
            Arc::new(PostgresAdapter::new(postgres_tls, options)),
        )];
        if let Some(port) = &listen.ssh {
            let adapter = ssh_adapter(ssh, &config.certificate_names(), clock)?;
            adapters.push((bind("ssh", port.address).await?, rules(port.proxy_protocol), Arc::new(adapter)));
        }
        Ok(Self {
            http: (bind("http", listen.http.address).await?, rules(listen.http.proxy_protocol)),
            http_tls,
            adapters,
            metrics: match listen.metrics {
                Some(address) => Some((bind("metrics", address).await?, rules(false))),
                None => None,
            },
        })
    }

    /// Where each protocol's port is, as bound.
    pub fn protocols(&self) -> impl Iterator<Item = (Protocol, SocketAddr)> {
        let bound = |(port, _, adapter): &(TcpListener, Rules, Arc<dyn Adapter>)| {
            Some((adapter.protocol(), port.local_addr().ok()?))
        };
        self.adapters.iter().filter_map(bound)
    }

    /// Starts the accept loops, which go on until `stop`, and says on standard output where each is: one
    /// JSON object a line, then `{"ready":true}`.
    pub fn start(self, workers: &Workers, behind: Behind, stop: &watch::Receiver<bool>) {
        let Self { http, http_tls, adapters, metrics } = self;
        let Behind { core, pages, scrape, metrics: counts } = behind;
        let web = Http { router: pages, tls: http_tls, metrics: counts.clone(), name: "http" };
        let mut served: Vec<(TcpListener, Rules, Arc<dyn Service>)> = vec![(http.0, http.1, Arc::new(web))];
        for (listener, rules, adapter) in adapters {
            let adapted = Adapted { adapter, core: core.clone(), metrics: counts.clone() };
            served.push((listener, rules, Arc::new(adapted)));
        }
        if let Some((listener, rules)) = metrics {
            let service = Http { router: scrape, tls: None, metrics: counts, name: "metrics" };
            served.push((listener, rules, Arc::new(service)));
        }
        for (listener, rules, service) in served {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(listener = service.name(), %address, "listening");
                say(&serde_json::json!({ "listening": service.name(), "address": address.to_string() }));
            }
            supervised("listen", listen::accept(listener, rules, workers.clone(), service, stop.clone()));
        }
        say(&serde_json::json!({ "ready": true }));
    }
}

/// The SSH adapter, with a host certificate that is as good for clients as the authority itself.
fn ssh_adapter(keys: &SshKeys, names: &[String], clock: &Clock) -> Result<SshAdapter, String> {
    let said = |error: &dyn std::fmt::Display| format!("the SSH host key can't be used: {error}");
    let now = clock.wall();
    let ends = now.checked_add(HOST_CERTIFICATE).map_err(|error| said(&error))?;
    let certificate =
        keys.authority.certify_host(&keys.host, names, now, ends).map_err(|error| said(&error))?;
    let host_key = Secret::new(keys.host.private_pem().map_err(|error| said(&error))?);
    SshAdapter::new(SshOptions { host_key, host_certificate: Some(certificate) })
        .map_err(|error| said(&error))
}

async fn bind(name: &str, address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("the {name} listener can't listen on {address}: {error}"))
}

/// For whoever started the process; nobody there to read it is fine.
fn say(line: &serde_json::Value) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
