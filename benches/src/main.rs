//! Bare relays, TLS to the client and plain to a Postgres, in the shapes that docs/adr/0002 compares:
//! what a connection costs before a gate does anything with it.
//!
//! `curfew-benches --shape SHAPE --target ADDRESS` prints its address and serves until it is killed. It answers
//! SSLRequest with `S`, and copies bytes. `cargo xtask bench shapes` runs pgbench through each.

use clap::{Parser, ValueEnum};
use rustls::ServerConfig;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio_rustls::TlsAcceptor;

/// The code of an SSLRequest (Postgres manual, 54.7).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// As a relay's buffer is when a transfer runs.
const BUFFER: usize = 16 * 1024;

/// How a connection is spread over threads and tasks.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shape {
    /// One current-thread runtime a core; one task for both directions.
    Thread,
    /// One multi-thread runtime; one task for both directions.
    Shared,
    /// One multi-thread runtime; a task for each direction.
    Split,
}

#[derive(Clone, Copy, Debug, Parser)]
struct Arguments {
    /// The shape.
    #[arg(long)]
    shape: Shape,
    /// The Postgres to relay to.
    #[arg(long)]
    target: SocketAddr,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let threads = std::thread::available_parallelism()?.get();
    let shared = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let workers: Vec<Handle> = match arguments.shape {
        Shape::Thread => (0..threads).map(|_| worker()).collect::<io::Result<_>>()?,
        Shape::Shared | Shape::Split => vec![shared.handle().clone()],
    };
    shared.block_on(accept(arguments, workers))
}

fn worker() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new().spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}

async fn accept(arguments: Arguments, workers: Vec<Handle>) -> Result<(), Box<dyn Error>> {
    let tls = TlsAcceptor::from(Arc::new(tls()?));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let next = AtomicUsize::new(0);
    loop {
        let stream = listener.accept().await?.0.into_std()?;
        let (tls, Arguments { shape, target }) = (tls.clone(), arguments);
        if let Some(worker) = workers.get(next.fetch_add(1, Ordering::Relaxed) % workers.len()) {
            worker.spawn(async move {
                if let Err(error) = serve(stream, tls, shape, target).await {
                    eprintln!("{error}");
                }
            });
        }
    }
}

async fn serve(
    stream: std::net::TcpStream,
    tls: TlsAcceptor,
    shape: Shape,
    target: SocketAddr,
) -> io::Result<()> {
    let mut client = TcpStream::from_std(stream)?;
    client.set_nodelay(true)?;
    let mut request = [0; 8];
    client.read_exact(&mut request).await?;
    if request != SSL_REQUEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not ask for TLS"));
    }
    client.write_all(b"S").await?;
    let mut client = tls.accept(client).await?;
    let mut target = TcpStream::connect(target).await?;
    target.set_nodelay(true)?;
    match shape {
        Shape::Thread | Shape::Shared => {
            tokio::io::copy_bidirectional_with_sizes(&mut client, &mut target, BUFFER, BUFFER)
                .await
                .map(|_| ())
        }
        Shape::Split => {
            let (client_in, client_out) = tokio::io::split(client);
            let (target_in, target_out) = target.into_split();
            #[expect(clippy::disallowed_methods, reason = "a bare relay has no supervisor")]
            let up = tokio::spawn(copy(client_in, target_out));
            copy(target_in, client_out).await?;
            up.abort();
            Ok(())
        }
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        to.write_all(bytes).await?;
        to.flush().await?;
    }
}

fn tls() -> Result<ServerConfig, Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![made.cert.der().clone()],
            rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()),
        )?)
}
