//! The store: the only door to the database.
//!
//! Owns the schema, all SQL, the transactions and the news of what they changed. Every change of state is one
//! statement guarded on the state before it, in one transaction with its audit event; what comes back from
//! [`Tx::commit`] is durable. It never decides anything: the state machines do, and are stored.
//!
//! SQL is kept to what SQLite and Postgres share: numbered parameters, TEXT and BIGINT, partial indexes,
//! ON CONFLICT. Writers take turns (one connection, BEGIN IMMEDIATE); readers have connections of their own and
//! see what was committed last.

mod audit;
mod change;
mod contracts;
mod error;
mod grants;
mod idempotency;
mod identity;
mod migrate;
mod page;
mod requests;
mod sessions;
mod tx;
pub(crate) mod values;

pub use change::{Change, News};
pub use error::{StoreError, with_causes};
pub use grants::{GrantFilter, StoredGrant};
pub use idempotency::{Before, Once};
pub use identity::{CodeRow, CodeUse, DeviceRow, DeviceState, LoginRow};
pub use page::{Cursor, Page, Slice};
pub use requests::{RequestFilter, StoredRequest, Verdict, Vote};
pub use sessions::{SessionEnd, SessionFilter, SessionRecord, SessionStart};
pub use tx::Tx;
pub use values::to_the_microsecond;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::audit::Head;
use curfew_adapter::Clock;
use sqlx::Any;
use sqlx::AnyPool;
use sqlx::Executor;
use sqlx::any::AnyPoolOptions;
use sqlx::pool::PoolConnection;
use tokio::sync::broadcast;

/// How long a caller waits for its turn; past it, the store is busy, and says so.
const TURN: Duration = Duration::from_secs(10);
/// How long one ping may take.
const PING: Duration = Duration::from_secs(5);
/// Connections that only read.
const READERS: u32 = 4;

/// What each connection to SQLite is told first. FULL: a commit is on the disk when it returns, also in WAL mode
/// (sqlite.org/pragma.html#pragma_synchronous).
const SETTINGS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                        PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;";
const READ_ONLY: &str = "PRAGMA query_only = ON;";

/// The store of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    writer: AnyPool,
    readers: AnyPool,
    clock: Clock,
    node: String,
    changes: broadcast::Sender<News>,
    /// Where the chain stands after the last commit that moved it; none where it is to be read.
    head: Mutex<Option<Head>>,
}

impl Store {
    /// Opens the SQLite file at `path`, which is made, readable by its owner alone, if it is not there, and brings
    /// it to the schema of this binary. `node` names the chain of the audit log that is written here.
    ///
    /// # Errors
    /// The file can't be opened, or is newer than this binary.
    pub async fn open(path: &Path, clock: Clock, node: &str) -> Result<Self, StoreError> {
        let cannot = |cause| StoreError::Open { path: path.display().to_string(), cause };
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(cannot)?;
        let path = path.canonicalize().map_err(cannot)?;
        let url = url::Url::from_file_path(&path)
            .map_err(|()| cannot(std::io::Error::from(std::io::ErrorKind::InvalidFilename)))?;
        let url = format!("sqlite://{}?mode=rw", url.path());
        sqlx::any::install_default_drivers();
        let writer = pool(1, SETTINGS.to_owned()).connect(&url).await?;
        migrate::run(&writer).await?;
        let readers = pool(READERS, format!("{SETTINGS}{READ_ONLY}")).connect_lazy(&url)?;
        let changes = broadcast::Sender::new(change::KEPT);
        let store = Self(Arc::new(Inner {
            writer,
            readers,
            clock,
            node: node.to_owned(),
            changes,
            head: Mutex::default(),
        }));
        store.begin_chain().await?;
        Ok(store)
    }

    /// Starts a transaction, as soon as the one before it is over. Don't begin another one while it lives.
    ///
    /// # Errors
    /// The store is busy or gone.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Tx::begin(self.clone(), self.0.writer.acquire().await?).await
    }

    /// News of each committed change, in the order of the commits, from now on.
    ///
    /// A receiver that is told [`broadcast::error::RecvError::Lagged`] has missed some and must look at everything
    /// again that it cares about.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<News> {
        self.0.changes.subscribe()
    }

    /// Where the chain stands, as this process left it. Who moves it finds out where another process has done so.
    fn known_head(&self) -> MutexGuard<'_, Option<Head>> {
        self.0.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a change that happened outside of the database, as another set of contracts does.
    pub fn tell(&self, change: Change) {
        // Nobody listening is fine.
        let _ = self.0.changes.send(News { change, at: self.0.clock.boot() });
    }

    /// Whether the store still answers: a read of the file, within five seconds.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let read = async { self.audit_head().await.map(|_| ()) };
        tokio::time::timeout(PING, read).await.unwrap_or(Err(StoreError::Busy(sqlx::Error::PoolTimedOut)))
    }

    /// Waits for the transaction in hand, and closes every connection: the file is then whole without its log.
    pub async fn close(&self) {
        self.0.readers.close().await;
        self.0.writer.close().await;
    }

    /// The clock that the store goes by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The name of this node.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// A connection to read with: it sees what was committed last.
    pub(crate) async fn reader(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.0.readers.acquire().await?)
    }
}

fn pool(connections: u32, settings: String) -> AnyPoolOptions {
    let settings: Arc<str> = settings.into();
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(TURN)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            let settings = Arc::clone(&settings);
            Box::pin(async move {
                connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(settings.to_string()))).await.map(|_| ())
            })
        })
}

#[cfg(test)]
pub(crate) mod tests;
