//! Waiting for what gives no event of its own (another program's state), with a deadline.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Asks `question` every 20 ms until it answers, and gives how long that took beside the answer.
///
/// # Errors
/// When `limit` has passed; `what` says what was waited for.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    limit: Duration,
    mut question: impl FnMut() -> F,
) -> Result<(T, Duration)> {
    let start = Instant::now();
    loop {
        if let Some(answer) = question().await {
            return Ok((answer, start.elapsed()));
        }
        if start.elapsed() > limit {
            return Err(Error::new(format!("waited {limit:?} in vain for {what}")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
