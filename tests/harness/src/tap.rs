//! A TCP proxy that keeps every piece of bytes with its time, between any two peers, and can stop reading from
//! either. What it saw is the truth that tests measure the gate by. It must never change a byte.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::{Context, Error, Result};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From whoever connected to the tap.
    ToTarget,
    /// From whom the tap connected to.
    ToClient,
}

impl Direction {
    /// The one of two that is about this direction.
    fn of<T>(self, [target, client]: [T; 2]) -> T {
        match self {
            Self::ToTarget => target,
            Self::ToClient => client,
        }
    }
}

/// What happened at one instant of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A connection was made.
    Opened,
    /// These bytes were read. They are passed on at once.
    Bytes(Vec<u8>),
    /// So many bytes were read, by a tap that keeps no contents.
    Passed(usize),
    /// The sender closed its half in good order.
    Finished,
    /// The connection broke: a reset, or a write to a peer that is gone.
    Broken,
}

impl What {
    /// How many bytes were read.
    #[must_use]
    pub fn passed(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Passed(bytes) => *bytes,
            Self::Opened | Self::Finished | Self::Broken => 0,
        }
    }
}

/// One entry of the record.
#[derive(Clone, Debug)]
pub struct Event {
    /// Counted from 0 in the order of connecting.
    pub connection: usize,
    /// Which way.
    pub direction: Direction,
    /// When it was seen, on the monotonic clock.
    pub at: Instant,
    /// What was seen.
    pub what: What,
}

struct Shared {
    target: SocketAddr,
    from: IpAddr,
    contents: [bool; 2],
    events: Mutex<Vec<Event>>,
    count: watch::Sender<usize>,
    stalled: watch::Sender<[bool; 2]>,
    paces: Mutex<[Duration; 2]>,
    cut: watch::Sender<u64>,
}

/// A running tap; dropping it closes all its connections.
pub struct Tap {
    address: SocketAddr,
    shared: Arc<Shared>,
    _accept: JoinSet<()>,
}

impl Tap {
    /// A tap on a port of its own that leads to `target`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        Self::start_from(IpAddr::V4(Ipv4Addr::LOCALHOST), target).await
    }

    /// The same, connecting to the target from `from` (any of 127.0.0.0/8): the client's address as the target sees it.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start_from(from: IpAddr, target: SocketAddr) -> Result<Self> {
        Self::open(from, target, [true; 2]).await
    }

    /// As [`Tap::start_from`], for much traffic that nobody could read anyway: it keeps how many bytes passed, not which.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn without_contents(from: IpAddr, target: SocketAddr) -> Result<Self> {
        Self::open(from, target, [false; 2]).await
    }

    /// As [`Tap::start`], for much traffic the other way: it keeps the contents of what goes to the target alone.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn with_contents_to_target(target: SocketAddr) -> Result<Self> {
        Self::open(Ipv4Addr::LOCALHOST.into(), target, [true, false]).await
    }

    async fn open(from: IpAddr, target: SocketAddr, contents: [bool; 2]) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("a port for a tap")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target,
            from,
            contents,
            events: Mutex::default(),
            count: watch::Sender::new(0),
            stalled: watch::Sender::new([false; 2]),
            paces: Mutex::default(),
            cut: watch::Sender::new(0),
        });
        let mut accept = JoinSet::new();
        accept.spawn(accept_all(listener, shared.clone()));
        Ok(Self { address, shared, _accept: accept })
    }

    /// Where to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A copy of all that was seen so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.shared.events().clone()
    }

    /// How many connections have been made so far: the number that the next one gets.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.events().iter().filter(|event| event.what == What::Opened).count()
    }

    /// All bytes of one direction of one connection that were seen after an instant, joined.
    #[must_use]
    pub fn after(&self, connection: usize, direction: Direction, instant: Instant) -> Vec<u8> {
        let mut all = Vec::new();
        for event in self.shared.events().iter().filter(|event| event.at > instant) {
            if let Event { what: What::Bytes(bytes), .. } = event
                && (event.connection, event.direction) == (connection, direction)
            {
                all.extend_from_slice(bytes);
            }
        }
        all
    }

    /// All bytes of one direction of one connection, joined.
    #[must_use]
    pub fn bytes(&self, connection: usize, direction: Direction) -> Vec<u8> {
        let mut all = Vec::new();
        for event in self.shared.events().iter() {
            if let Event { what: What::Bytes(bytes), .. } = event
                && (event.connection, event.direction) == (connection, direction)
            {
                all.extend_from_slice(bytes);
            }
        }
        all
    }

    /// How many bytes went one way after an instant, over all connections.
    #[must_use]
    pub fn bytes_after(&self, direction: Direction, instant: Instant) -> usize {
        let events = self.shared.events();
        let late = events.iter().filter(|e| e.direction == direction && e.at > instant);
        late.map(|e| e.what.passed()).sum()
    }

    /// How many bytes went one way so far, over all connections.
    #[must_use]
    pub fn passed(&self, direction: Direction) -> usize {
        self.shared.events().iter().filter(|e| e.direction == direction).map(|e| e.what.passed()).sum()
    }

    /// When the last bytes went one way, over all connections.
    #[must_use]
    pub fn last(&self, direction: Direction) -> Option<Instant> {
        let events = self.shared.events();
        let bytes = |event: &&Event| event.direction == direction && event.what.passed() > 0;
        events.iter().rfind(bytes).map(|event| event.at)
    }

    /// Waits until the record, read as a whole, gives an answer.
    ///
    /// # Errors
    /// When `limit` passes before.
    pub async fn wait_for<T>(
        &self,
        what: &str,
        limit: Duration,
        mut answer: impl FnMut(&[Event]) -> Option<T>,
    ) -> Result<T> {
        let mut found = None;
        let mut changes = self.shared.count.subscribe();
        let wait = changes.wait_for(|_| {
            found = answer(&self.shared.events());
            found.is_some()
        });
        let _ = tokio::time::timeout(limit, wait).await;
        found.ok_or_else(|| Error::new(format!("the tap waited {limit:?} in vain for {what}")))
    }

    /// Waits until `direction` of a connection is over, in good order or not, and says when.
    ///
    /// # Errors
    /// When `limit` passes before.
    pub async fn closed(&self, connection: usize, direction: Direction, limit: Duration) -> Result<Instant> {
        self.wait_for("a close", limit, |events| {
            let over = |event: &&Event| {
                (event.connection, event.direction) == (connection, direction)
                    && matches!(event.what, What::Finished | What::Broken)
            };
            events.iter().find(over).map(|event| event.at)
        })
        .await
    }

    /// Stops reading what goes in `direction`, so that its sender sees a peer that reads nothing. What is on its way into
    /// the tap waits there.
    pub fn stall(&self, direction: Direction) {
        self.set_stalled(direction, true);
    }

    /// Ends [`Tap::stall`].
    pub fn resume(&self, direction: Direction) {
        self.set_stalled(direction, false);
    }

    /// Waits this long before each piece (64 KiB at most) that goes in `direction`, as a slow line does.
    pub fn pace(&self, direction: Direction, step: Duration) {
        *direction.of(self.shared.paces().each_mut()) = step;
    }

    fn set_stalled(&self, direction: Direction, to: bool) {
        self.shared.stalled.send_modify(|stalled| *direction.of(stalled.each_mut()) = to);
    }

    /// Breaks all connections of this moment without a goodbye; new ones are taken.
    pub fn cut(&self) {
        self.shared.cut.send_modify(|count| *count += 1);
    }
}

impl Shared {
    fn events(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paces(&self) -> MutexGuard<'_, [Duration; 2]> {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, connection: usize, direction: Direction, what: What) {
        self.events().push(Event { connection, direction, at: Instant::now(), what });
        self.count.send_modify(|count| *count += 1);
    }

    /// Waits until `direction` may be read.
    async fn flowing(&self, direction: Direction) {
        let mut stalled = self.stalled.subscribe();
        let _ = stalled.wait_for(|stalled| !direction.of(*stalled)).await;
    }
}

async fn accept_all(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut next = 0;
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(carry(next, client, shared.clone()));
        next += 1;
    }
}

async fn carry(connection: usize, client: TcpStream, shared: Arc<Shared>) {
    let Ok(target) = dial(&shared).await else {
        shared.record(connection, Direction::ToClient, What::Broken);
        return;
    };
    shared.record(connection, Direction::ToTarget, What::Opened);
    let _ = client.set_nodelay(true);
    let mut cut = shared.cut.subscribe();
    let (from_client, to_client) = client.into_split();
    let (from_target, to_target) = target.into_split();
    let both = async {
        tokio::join!(
            copy(connection, Direction::ToTarget, from_client, to_target, &shared),
            copy(connection, Direction::ToClient, from_target, to_client, &shared),
        )
    };
    tokio::select! {
        _ = both => {}
        _ = cut.changed() => {}
    }
}

async fn dial(shared: &Shared) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(shared.from, 0))?;
    let target = socket.connect(shared.target).await?;
    target.set_nodelay(true)?;
    Ok(target)
}

async fn copy(
    connection: usize,
    direction: Direction,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        shared.flowing(direction).await;
        let read = from.read(&mut buffer).await;
        // It may have been stalled while it waited for these.
        shared.flowing(direction).await;
        let piece = match read {
            Ok(0) => {
                shared.record(connection, direction, What::Finished);
                let _ = to.shutdown().await;
                return;
            }
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(_) => {
                shared.record(connection, direction, What::Broken);
                return;
            }
        };
        let what = if direction.of(shared.contents) {
            What::Bytes(piece.to_vec())
        } else {
            What::Passed(piece.len())
        };
        shared.record(connection, direction, what);
        let step = direction.of(*shared.paces());
        if !step.is_zero() {
            tokio::time::sleep(step).await;
        }
        if to.write_all(piece).await.is_err() {
            shared.record(connection, direction, What::Broken);
            return;
        }
    }
}
