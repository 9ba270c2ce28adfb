//! A tap between the gate and a peer: sees every byte that passes, and when.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Bytes that passed at once.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// Whether they went towards the address that the tap stands before.
    pub forth: bool,
    /// The bytes; none where that side closed.
    pub bytes: Vec<u8>,
}

/// Stands before an address, and passes everything on.
#[derive(Debug)]
pub struct Tap {
    /// Where to connect instead.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    passing: JoinHandle<()>,
}

impl Tap {
    /// Stands before `to`.
    ///
    /// # Errors
    /// Where there is no port to listen on.
    pub async fn before(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let notes = seen.clone();
        let passing = curfew_adapter::task::supervised("tap", async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(to).await else { continue };
                let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
                connections.spawn(pass(from_near, to_far, true, notes.clone()));
                connections.spawn(pass(from_far, to_near, false, notes.clone()));
            }
        });
        Ok(Self { address, seen, passing })
    }

    /// What has passed.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.passing.abort();
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, forth: bool, seen: Arc<Mutex<Vec<Seen>>>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let bytes = buffer.get(..read).unwrap_or_default().to_vec();
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen { at: Instant::now(), forth, bytes });
        if read == 0 || to.write_all(buffer.get(..read).unwrap_or_default()).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}
