//! The one accept loop of all protocols: permits, the PROXY protocol, the startup deadline.
//!
//! It knows nothing of what is spoken on a connection: a [`Service`] does. An accept that fails never
//! ends the loop, and a client that is slow holds up nobody but itself.

use crate::proxy_protocol;
use crate::worker::Workers;
use curfew_adapter::{ConnectionId, GuardedSocket, Peer, StartupClock};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::{Instrument, debug, info_span, warn};

/// How long the loop rests after an accept that failed (out of descriptors, most of the time).
const REST: Duration = Duration::from_millis(100);

/// What a listener goes by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How many connections live at once.
    pub connections: usize,
    /// How long a connection may take to become a session (or a TLS connection, for HTTP).
    pub startup: Duration,
    /// Whose PROXY headers are believed; `None` where the listener has none.
    pub proxies: Option<Arc<[IpNet]>>,
}

/// A connection that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// Its id.
    pub id: ConnectionId,
    /// The socket.
    pub io: GuardedSocket,
    /// Who is at the other end.
    pub peer: Peer,
    /// Its deadline; the loop drops the service's future when it passes.
    pub startup: StartupClock,
}

/// Speaks a protocol on the connections of a listener.
pub trait Service: Send + Sync + 'static {
    /// The name in spans and metrics.
    fn name(&self) -> &'static str;

    /// Speaks to one client until it is over.
    fn serve(self: Arc<Self>, connection: Accepted) -> BoxFuture<'static, ()>;

    /// The startup deadline passed, or the connection failed before it reached the service.
    fn failed(&self, cause: &'static str);
}

/// Accepts on `listener` until `stop` says so; the sessions that run go on.
pub async fn accept(
    listener: TcpListener,
    rules: Rules,
    workers: Workers,
    service: Arc<dyn Service>,
    mut stop: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(rules.connections));
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = next(&listener, &permits) => accepted,
        };
        match accepted {
            Ok((stream, address, permit)) => {
                let (rules, service) = (rules.clone(), service.clone());
                workers
                    .run("connection", move || Box::pin(connection(stream, address, permit, rules, service)));
            }
            Err(error) => {
                warn!(%error, listener = service.name(), "a connection could not be accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// A permit first: beyond the limit, clients wait in the backlog and take nothing of ours.
async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(std::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    Ok((stream.into_std()?, address, permit))
}

async fn connection(
    stream: std::net::TcpStream,
    address: SocketAddr,
    permit: OwnedSemaphorePermit,
    rules: Rules,
    service: Arc<dyn Service>,
) {
    let _permit = permit;
    let id = ConnectionId::random();
    let span = info_span!("connection", connection = %id, listener = service.name(), client = %address);
    let startup = StartupClock::start(rules.startup);
    let life = async {
        let io = match TcpStream::from_std(stream) {
            Ok(stream) => GuardedSocket::new(stream),
            Err(error) => return debug!(%error, "the connection was gone before it was served"),
        };
        match peer(&io, address, rules.proxies.as_deref()).await {
            Ok(peer) => service.clone().serve(Accepted { id, io, peer, startup: startup.clone() }).await,
            Err(error) => {
                service.failed("proxy_protocol");
                warn!(%error, "the PROXY header was refused");
            }
        }
    };
    async {
        tokio::select! {
            biased;
            () = life => {}
            () = startup.expired() => {
                service.failed("deadline");
                debug!("the connection was closed: it did not become a session in time");
            }
        }
    }
    .instrument(span)
    .await;
}

async fn peer(io: &GuardedSocket, address: SocketAddr, proxies: Option<&[IpNet]>) -> io::Result<Peer> {
    let Some(proxies) = proxies else {
        return Ok(Peer { address });
    };
    if !believed(proxies, address.ip()) {
        let why = "this listener takes connections from trusted_proxies only";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(Peer { address: proxy_protocol::read(io).await?.unwrap_or(address) })
}

/// Whether `address` is one of the trusted proxies.
pub fn believed(proxies: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    proxies.iter().any(|net| net.contains(&address))
}
