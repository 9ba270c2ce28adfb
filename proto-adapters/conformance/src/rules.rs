//! The rules that hold for every protocol. An adapter's tests call them with a [`Speaker`] of it.

use crate::{FakeCore, Script, Stage, Tap};
use curfew_adapter::{Adapter, EndReason, Goodbye, Notice};
use futures_util::future::BoxFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// Speaks a protocol in the clear, as its clients and its targets do.
pub trait Speaker: Send + Sync + 'static {
    /// The adapter under test.
    fn adapter(&self) -> Arc<dyn Adapter>;
    /// As a client: opens a session, and starts something that makes the target send without end.
    fn open(&self, gate: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>>;
    /// As a target: takes a connection until it is asked for something, then sends [`Speaker::filler`]
    /// without end, reading whatever comes.
    fn serve(&self, connection: TcpStream) -> BoxFuture<'static, io::Result<()>>;
    /// What the target's endless stream is made of: whole messages, at most 64 KiB of them.
    fn filler(&self) -> Vec<u8>;
    /// First bytes that are not the protocol, or not all of it.
    fn garbage(&self) -> Vec<Vec<u8>>;
}

/// How long anything here may take before the rule is broken.
const PATIENCE: Duration = Duration::from_secs(30);

async fn target(speaker: &Arc<dyn Speaker>) -> io::Result<(SocketAddr, JoinSet<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (speaker, mut tasks) = (speaker.clone(), JoinSet::new());
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((connection, _)) = listener.accept().await {
            let serving = speaker.serve(connection);
            connections.spawn(async move { drop(serving.await) });
        }
    });
    Ok((address, tasks))
}

fn revoked() -> Notice {
    Notice { message: "revoked by the test".to_owned(), ..Notice::default() }
}

/// No byte of the session reaches the client at or after the end, but for the goodbye; the target gets
/// none either; both connections are closed within two seconds.
///
/// # Errors
/// Those of the sockets.
///
/// # Panics
/// Where the rule is broken.
pub async fn bytes_after_the_end_are_none(speaker: Arc<dyn Speaker>) -> io::Result<()> {
    let (target, _tasks) = target(&speaker).await?;
    let behind = Tap::before(target).await?;
    let core = FakeCore::new(Script::fine(behind.address));
    let stage = Stage::open(speaker.adapter(), core.clone(), PATIENCE).await?;
    let before = Tap::before(stage.address).await?;
    let mut client = speaker.open(before.address).await?;
    let mut flood = vec![0; 256 * 1024];
    client.read_exact(&mut flood).await?;
    let keeper = core.keeper().await;
    keeper.end(EndReason::Revoked, revoked());
    let ended = Instant::now();
    let mut rest = Vec::new();
    timeout(PATIENCE, client.read_to_end(&mut rest)).await??;
    assert!(ended.elapsed() < Duration::from_millis(2500), "closed {:?} after the end", ended.elapsed());
    drop(client);
    let closing = timeout(PATIENCE, core.closing()).await?;
    assert_eq!(closing.reason, EndReason::Revoked);
    let cut = closing.cut;
    assert!(cut.as_ref().is_some_and(|cut| cut.target_work.len() > 1), "{cut:?}");
    // What had been written before the end may still be in the sockets of the tap; what the target sends
    // after it, the endless stream, must not come through.
    let told = cut.is_some_and(|cut| cut.goodbye == Goodbye::Sent);
    let text = String::from_utf8_lossy(&rest);
    assert_eq!(told, text.contains("revoked by the test"), "the report and the client agree on the goodbye");
    let filler = speaker.filler();
    let late: Vec<_> = before
        .seen()
        .into_iter()
        .filter(|seen| !seen.forth && seen.at > ended + Duration::from_millis(300))
        .filter(|seen| seen.bytes.windows(filler.len().min(32)).any(|w| filler.starts_with(w)))
        .collect();
    assert!(late.is_empty(), "{} reads of session bytes long after the end", late.len());
    Ok(())
}

/// A client that reads nothing does not hold up the end: the target is let go, the session is closed, and
/// the report does not claim a goodbye.
///
/// # Errors
/// Those of the sockets.
///
/// # Panics
/// Where the rule is broken.
pub async fn the_lease_ends_while_the_client_reads_nothing(speaker: Arc<dyn Speaker>) -> io::Result<()> {
    let (target, _tasks) = target(&speaker).await?;
    let core = FakeCore::new(Script::fine(target));
    let stage = Stage::open(speaker.adapter(), core.clone(), PATIENCE).await?;
    let client = speaker.open(stage.address).await?;
    let keeper = core.keeper().await;
    core.bytes_once_full().await;
    let ended = Instant::now();
    keeper.end(EndReason::Revoked, revoked());
    let closing = timeout(PATIENCE, core.closing()).await?;
    assert!(ended.elapsed() < Duration::from_millis(3500), "closed {:?} after the end", ended.elapsed());
    assert_eq!(closing.reason, EndReason::Revoked);
    assert!(closing.cut.is_some_and(|cut| matches!(cut.goodbye, Goodbye::None(_))));
    drop(client);
    Ok(())
}

/// A session whose future is dropped is let go of, and both of its sockets are closed.
///
/// # Errors
/// Those of the sockets.
///
/// # Panics
/// Where the rule is broken.
pub async fn abandoned_session_is_let_go(speaker: Arc<dyn Speaker>) -> io::Result<()> {
    let (target, _tasks) = target(&speaker).await?;
    let core = FakeCore::new(Script::fine(target));
    let stage = Stage::open(speaker.adapter(), core.clone(), PATIENCE).await?;
    let mut client = speaker.open(stage.address).await?;
    core.keeper().await;
    stage.collapse();
    timeout(PATIENCE, core.until_abandoned()).await?;
    let mut sink = vec![0; 64 * 1024];
    while matches!(timeout(PATIENCE, client.read(&mut sink)).await?, Ok(read) if read > 0) {}
    Ok(())
}

/// Whatever a stranger sends first, the connection is over when the startup deadline is, and others are
/// served meanwhile.
///
/// # Errors
/// Those of the sockets.
///
/// # Panics
/// Where the rule is broken.
pub async fn garbage_ends_within_the_startup_deadline(speaker: Arc<dyn Speaker>) -> io::Result<()> {
    let (target, _tasks) = target(&speaker).await?;
    let core = FakeCore::new(Script::fine(target));
    let deadline = Duration::from_secs(1);
    let stage = Stage::open(speaker.adapter(), core.clone(), deadline).await?;
    let mut strangers = Vec::new();
    for garbage in speaker.garbage() {
        let mut stranger = TcpStream::connect(stage.address).await?;
        stranger.write_all(&garbage).await?;
        strangers.push(stranger);
    }
    let began = Instant::now();
    drop(speaker.open(stage.address).await?);
    for mut stranger in strangers {
        let mut said = Vec::new();
        // A reset is an end too.
        let _ = timeout(PATIENCE, stranger.read_to_end(&mut said)).await?;
        assert!(began.elapsed() < deadline * 3, "a stranger is served for {:?}", began.elapsed());
    }
    Ok(())
}
