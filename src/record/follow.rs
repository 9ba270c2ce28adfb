//! Reads a recording while it is being written.
//!
//! Owns the waiting. It asks the store for the next chunk again and again: whoever writes may be another node.

use std::time::Duration;

use bytes::Bytes;
use curfew_adapter::SessionId;
use futures_util::{Stream, stream};

use super::folder::Folders;
use super::read::EventReader;

/// How often the next chunk is asked for. With the writer's delay of half a second, an event is seen within a second.
const AGAIN: Duration = Duration::from_millis(100);

impl Folders {
    /// The events of a session's recording, and those that are still to come, up to its seal.
    #[must_use]
    pub fn follow(&self, session: &SessionId) -> EventReader {
        EventReader::new(self.growing(session))
    }

    fn growing(
        &self,
        session: &SessionId,
    ) -> impl Stream<Item = object_store::Result<Bytes>> + Send + 'static {
        let (folders, session) = (self.clone(), session.clone());
        stream::try_unfold(Some(0), move |next: Option<u64>| {
            let (folders, session) = (folders.clone(), session.clone());
            async move {
                let Some(n) = next else { return Ok(None) };
                loop {
                    if let Some(chunk) = folders.chunk(&session, n).await? {
                        return Ok(Some((chunk, Some(n + 1))));
                    }
                    if let Some(seal) = folders.seal(&session).await? {
                        // The last chunk may have come between the two questions.
                        return Ok(Some(match folders.chunk(&session, n).await? {
                            Some(chunk) => (chunk, Some(n + 1)),
                            None => (seal, None),
                        }));
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        })
    }
}
