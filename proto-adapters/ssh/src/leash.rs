//! Work that stops at the instant at which a lease ends.
//!
//! Work that is large should come pinned: by value, each function on the way keeps a place for it.

use curfew_adapter::Lease;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Polls `work` while the lease lives; `None` from then on. It compares clocks each time, and does not wait to be told.
pub async fn leash<F: Future>(lease: &Lease, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    poll_fn(|cx| if lease.is_live() { work.as_mut().poll(cx).map(Some) } else { Poll::Ready(None) }).await
}

/// As [`leash`], and returns at the end by itself.
pub async fn within<F: Future>(lease: &Lease, work: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        _ = lease.ended() => None,
        done = work => Some(done),
    }
}
