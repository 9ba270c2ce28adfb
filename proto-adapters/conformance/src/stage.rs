//! A listener as the gate's own: it accepts, starts the deadline, and hands the connection to the adapter.

use crate::FakeCore;
use curfew_adapter::{
    Adapter, AdapterError, ClientIo, Connection, ConnectionId, Ended, Gate, Peer, StartupClock, task,
};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What became of a connection; `None` where the startup deadline closed it.
pub type Served = Option<Result<Ended, AdapterError>>;

/// A listener on loopback.
#[derive(Debug)]
pub struct Stage {
    /// Where it listens.
    pub address: SocketAddr,
    served: mpsc::Receiver<Served>,
    accepting: JoinHandle<()>,
}

impl Stage {
    /// Listens, and serves each connection with `adapter` and `core`. `startup` is the deadline.
    ///
    /// # Errors
    /// Where there is no port to listen on.
    pub async fn open(adapter: Arc<dyn Adapter>, core: Arc<FakeCore>, startup: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, served) = mpsc::channel(64);
        let accepting = task::supervised("stage", async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, peer)) = listener.accept().await {
                let io = ClientIo::new(stream);
                let startup = StartupClock::start(startup);
                let peer = Peer { address: peer };
                let connection = Connection {
                    id: ConnectionId::random(),
                    protocol: adapter.protocol(),
                    peer,
                    socket: io.handle(),
                    startup: startup.clone(),
                };
                let serving = adapter.clone().serve(io, peer, Gate::new(core.clone(), connection));
                let sender = sender.clone();
                connections.spawn(async move {
                    let served = tokio::select! {
                        served = serving => Some(served),
                        () = startup.expired() => None,
                    };
                    let _ = sender.send(served).await;
                });
            }
        });
        Ok(Self { address, served, accepting })
    }

    /// What became of the next connection that is over.
    pub async fn served(&mut self) -> Served {
        self.served.recv().await.flatten()
    }

    /// Drops the listener and every connection, as a node that dies does.
    pub fn collapse(&self) {
        self.accepting.abort();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
