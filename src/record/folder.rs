//! Where recordings are kept: one folder for each session in an object store.
//!
//! Owns the names of the objects. In the order of their names, one after the other, they are the recording as a
//! single file. An object, once written, is never written again.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use curfew_adapter::SessionId;
use futures_util::{Stream, TryStreamExt, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

/// Why the place for recordings could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a kind of store that there is.
    #[error("recordings cannot be kept in `{0}`: write a folder, as `file:///var/lib/curfew/recordings`")]
    Unsupported(String),
    /// The folder cannot be made or used.
    #[error("the folder for recordings, {0}, cannot be used: {1}")]
    Folder(String, #[source] io::Error),
}

/// All recordings.
#[derive(Debug, Clone)]
pub struct Folders {
    store: Arc<dyn ObjectStore>,
}

fn chunk_path(session: &SessionId, n: u64) -> Path {
    Path::from_iter([session.as_str(), &format!("{n:08}.chunk")])
}

fn seal_path(session: &SessionId) -> Path {
    Path::from_iter([session.as_str(), "seal"])
}

fn new_object() -> PutOptions {
    PutOptions { mode: PutMode::Create, ..PutOptions::default() }
}

impl Folders {
    /// Opens the place that configuration names, a `file:///…` URL. The folder is made, for its owner only, if it
    /// is not there.
    ///
    /// # Errors
    /// Another kind of URL, or a folder that can't be made.
    pub fn open(url: &str) -> Result<Self, OpenError> {
        let path = url::Url::parse(url)
            .ok()
            .filter(|url| url.scheme() == "file")
            .and_then(|url| url.to_file_path().ok())
            .ok_or_else(|| OpenError::Unsupported(url.to_owned()))?;
        Self::local(&path).map_err(|error| OpenError::Folder(path.display().to_string(), error))
    }

    /// Keeps recordings in the folder at `path`, which is made, for its owner only, if it is not there.
    ///
    /// # Errors
    /// It can't be made.
    pub fn local(path: &FilePath) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
        Ok(Self::new(Arc::new(store)))
    }

    /// Keeps recordings in this store, whose writes must be durable when they return.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Writes a chunk; durable on return.
    pub(super) async fn put_chunk(
        &self,
        session: &SessionId,
        n: u64,
        bytes: Vec<u8>,
    ) -> object_store::Result<()> {
        self.store.put_opts(&chunk_path(session, n), bytes.into(), new_object()).await.map(drop)
    }

    /// Writes the last chunk, where there is one, and the seal behind it; durable on return.
    pub(super) async fn put_seal(
        &self,
        session: &SessionId,
        last: Vec<u8>,
        line: &str,
    ) -> object_store::Result<()> {
        let mut bytes = last;
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        self.store.put_opts(&seal_path(session), bytes.into(), new_object()).await.map(drop)
    }

    /// A chunk; none where it is not there yet.
    pub(super) async fn chunk(&self, session: &SessionId, n: u64) -> object_store::Result<Option<Bytes>> {
        self.object(&chunk_path(session, n)).await
    }

    /// The seal, and before it what was stored with it; none where it is not there yet.
    pub(super) async fn seal(&self, session: &SessionId) -> object_store::Result<Option<Bytes>> {
        self.object(&seal_path(session)).await
    }

    async fn object(&self, path: &Path) -> object_store::Result<Option<Bytes>> {
        match self.store.get(path).await {
            Ok(found) => found.bytes().await.map(Some),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the session's recording has its seal.
    ///
    /// # Errors
    /// The store can't be asked.
    pub async fn is_sealed(&self, session: &SessionId) -> object_store::Result<bool> {
        match self.store.head(&seal_path(session)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The sessions that have a recording, in no order.
    ///
    /// # Errors
    /// The store can't be asked.
    pub async fn sessions(&self) -> object_store::Result<Vec<SessionId>> {
        let all = self.store.list_with_delimiter(None).await?;
        Ok(all.common_prefixes.iter().filter_map(|folder| SessionId::parse(folder.filename()?)).collect())
    }

    /// The paths of a recording's objects, in the order in which they make the file.
    async fn objects(&self, session: &SessionId) -> object_store::Result<Vec<Path>> {
        let folder = Path::from(session.as_str());
        let mut paths: Vec<Path> =
            self.store.list(Some(&folder)).map_ok(|meta| meta.location).try_collect().await?;
        paths.retain(|path| path.filename().is_some_and(|name| name == "seal" || name.ends_with(".chunk")));
        paths.sort();
        Ok(paths)
    }

    /// A recording as a single file, in pieces of one object each; no piece where there is no recording.
    pub fn file(
        &self,
        session: &SessionId,
    ) -> impl Stream<Item = object_store::Result<Bytes>> + Send + 'static {
        let (folders, session) = (self.clone(), session.clone());
        stream::once(async move {
            let paths = folders.objects(&session).await?;
            Ok::<_, object_store::Error>(stream::iter(paths.into_iter().map(Ok)).and_then(move |path| {
                let store = folders.store.clone();
                async move { store.get(&path).await?.bytes().await }
            }))
        })
        .try_flatten()
    }
}
