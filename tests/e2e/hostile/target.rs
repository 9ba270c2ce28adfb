//! A target that is no Postgres: it lets anybody in, and then does what it is told to do.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// AuthenticationOk, BackendKeyData, ReadyForQuery.
const GREETING: &[u8] = b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x07abcdZ\0\0\0\x05I";

/// What it does in a session.
#[derive(Clone)]
pub enum Does {
    /// Says this, and reads whatever comes.
    Says(Vec<u8>),
    /// Reads nothing any more.
    ReadsNothing,
}

/// It runs until it is dropped.
pub struct Hostile {
    pub address: SocketAddr,
    _task: JoinSet<()>,
}

impl Hostile {
    pub async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let does = does.clone();
                sessions.spawn(async move { drop(session(stream, does).await) });
            }
        });
        Self { address, _task: task }
    }
}

async fn session(mut stream: TcpStream, does: Does) -> std::io::Result<()> {
    let length = stream.read_u32().await?;
    let mut startup = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut startup).await?;
    stream.write_all(GREETING).await?;
    match does {
        Does::Says(bytes) => {
            // Once it is asked for something.
            stream.read_u8().await?;
            stream.write_all(&bytes).await?;
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
        }
        Does::ReadsNothing => std::future::pending().await,
    }
}
