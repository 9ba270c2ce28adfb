//! What a node finds at its start that its last life left behind: sessions that nobody ended.

use crate::audit::{Actor, SigningKey};
use crate::record::Folders;
use crate::session::recorded;
use crate::store::{SessionEnd, Store, StoreError};
use curfew_adapter::EndReason;
use tracing::{error, info};

/// Closes each as interrupted: its recording is sealed where it stands, and its end is on record.
///
/// # Errors
/// The store can't be read or written.
pub async fn close_interrupted(
    store: &Store,
    recordings: &Folders,
    key: &SigningKey,
) -> Result<(), StoreError> {
    for session in store.unfinished_sessions().await? {
        let recording = match recordings.resume_interrupted(&session.id, key, store.clock()).await {
            Ok(sealed) => sealed.map(recorded),
            Err(cause) => {
                error!(session = %session.id, %cause, "the recording of an interrupted session can't be sealed");
                None
            }
        };
        let end = SessionEnd {
            at: store.clock().wall(),
            reason: EndReason::Interrupted,
            detail: Some("the node stopped without ending it".to_owned()),
            cut: None,
            bytes_in: 0,
            bytes_out: 0,
            recording,
        };
        store.end_session(&session.id, &end, Actor::Curfew).await?;
        info!(session = %session.id, "an interrupted session was closed");
    }
    Ok(())
}
