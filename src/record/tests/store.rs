//! A store in memory that a test can make slow, or fail.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::watch;

/// How the store takes a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Works,
    Fails,
    /// Takes its time, until the mood changes.
    Waits,
}

/// Wraps a store in memory.
#[derive(Debug)]
pub struct TestStore {
    inner: InMemory,
    mood: watch::Sender<Mood>,
    stored: watch::Sender<usize>,
}

impl TestStore {
    /// A store that works.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            mood: watch::Sender::new(Mood::Works),
            stored: watch::Sender::new(0),
        })
    }

    /// From now on puts go like this.
    pub fn be(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Waits until so many objects are stored, in all.
    pub async fn stored(&self, count: usize) {
        self.stored.subscribe().wait_for(|stored| *stored >= count).await.unwrap();
    }
}

impl fmt::Display for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestStore")
    }
}

#[async_trait]
impl ObjectStore for TestStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let mood = *self.mood.subscribe().wait_for(|mood| *mood != Mood::Waits).await.unwrap();
        if mood == Mood::Fails {
            let source = "no space left on device".into();
            return Err(Error::Generic { store: "test", source });
        }
        let result = self.inner.put_opts(location, payload, opts).await?;
        self.stored.send_modify(|stored| *stored += 1);
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
