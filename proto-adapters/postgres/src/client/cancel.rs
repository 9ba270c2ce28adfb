//! A connection that only asks for a running statement to stop.

use crate::cancel::CancelKeys;
use crate::codec::startup::CancelKey;
use crate::stream::Stream;
use curfew_adapter::Peer;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How long the target may take to be told.
const PATIENCE: Duration = Duration::from_secs(5);

/// Passes the request on, and closes once the target has been told: libpq takes the close for that. A
/// wrong key and one request too many look the same as a right one.
pub async fn serve(mut stream: Stream, key: CancelKey, peer: Peer, keys: &CancelKeys) {
    if let Some(told) = keys.cancel(&key, peer.address.ip()) {
        let _ = tokio::time::timeout(PATIENCE, told).await;
    }
    let _ = stream.shutdown().await;
}
