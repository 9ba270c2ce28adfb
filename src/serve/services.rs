//! What listeners speak: an adapter through its gate, HTTP, and the metrics for Prometheus.

use crate::api::address::PeerAddress;
use crate::listen::{Accepted, Service};
use crate::metrics::Metrics;
use axum::Router;
use curfew_adapter::{Adapter, Connection, Core, Ended, Gate};
use futures_util::future::BoxFuture;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::{debug, info};

/// How long a client may take to send the head of a request, on a connection that is kept alive too.
const HEAD: Duration = Duration::from_secs(15);

/// An adapter behind the gate.
pub struct Adapted {
    /// Speaks the protocol.
    pub adapter: Arc<dyn Adapter>,
    /// Stands behind the gate.
    pub core: Arc<dyn Core>,
    /// Counts.
    pub metrics: Metrics,
}

impl Service for Adapted {
    fn name(&self) -> &'static str {
        self.adapter.protocol().as_str()
    }

    fn serve(self: Arc<Self>, accepted: Accepted) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.metrics.connections.with_label_values(&[self.name()]).inc();
            let connection = Connection {
                id: accepted.id,
                protocol: self.adapter.protocol(),
                peer: accepted.peer,
                socket: accepted.io.handle(),
                startup: accepted.startup,
            };
            let gate = Gate::new(self.core.clone(), connection);
            match self.adapter.clone().serve(accepted.io, accepted.peer, gate).await {
                Ok(Ended::Session(reason)) => debug!(%reason, "the connection is over"),
                Ok(Ended::Refused | Ended::Cancel) => {}
                Err(error) => {
                    self.failed(error.cause());
                    info!(cause = %error, "the connection failed before it became a session");
                }
            }
        })
    }

    fn failed(&self, cause: &'static str) {
        self.metrics.startup_failures.with_label_values(&[self.name(), cause]).inc();
    }
}

/// HTTP/1.1, over TLS or plain.
pub struct Http {
    /// What answers.
    pub router: Router,
    /// TLS, unless a proxy in front speaks it.
    pub tls: Option<TlsAcceptor>,
    /// Counts.
    pub metrics: Metrics,
    /// The name of the listener.
    pub name: &'static str,
}

impl Service for Http {
    fn name(&self) -> &'static str {
        self.name
    }

    fn serve(self: Arc<Self>, accepted: Accepted) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let Accepted { io, peer, startup, .. } = accepted;
            let peer = PeerAddress(peer.address);
            match &self.tls {
                None => {
                    startup.finish();
                    self.speak(io, peer).await;
                }
                Some(tls) => match tls.accept(io).await {
                    Ok(io) => {
                        startup.finish();
                        self.speak(io, peer).await;
                    }
                    Err(cause) => {
                        self.failed("tls");
                        debug!(%cause, "a TLS handshake failed");
                    }
                },
            }
        })
    }

    fn failed(&self, cause: &'static str) {
        self.metrics.startup_failures.with_label_values(&[self.name, cause]).inc();
    }
}

impl Http {
    async fn speak<Io: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, io: Io, peer: PeerAddress) {
        let service =
            self.router.clone().into_service().map_request(move |mut request: axum::http::Request<_>| {
                request.extensions_mut().insert(peer);
                request
            });
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
        let served = server.serve_connection(TokioIo::new(io), TowerToHyperService::new(service)).await;
        if let Err(cause) = served {
            debug!(%cause, "an HTTP connection broke");
        }
    }
}
