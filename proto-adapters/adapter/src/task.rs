//! Tasks: the one way to start one that outlives its caller, named, and its panic logged; and one that does not.

use std::future::Future;
use tokio::task::{JoinHandle, JoinSet};

/// Starts `future` on the current runtime. A panic in it is logged under `name`.
pub fn supervised<F>(name: &'static str, future: F) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    #[expect(clippy::disallowed_methods, reason = "this is the supervisor")]
    tokio::spawn(async move {
        let caught = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(future)).await;
        if caught.is_err() {
            tracing::error!(task = name, "a task panicked");
        }
    })
}

/// Runs `future` as a task of its own on the current runtime, which ends with its caller. For what is woken often: it is
/// polled by itself, and not through all that waits for it.
pub async fn apart<F>(future: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut alone = JoinSet::new();
    alone.spawn(future);
    match alone.join_next().await {
        Some(Ok(output)) => output,
        Some(Err(error)) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime goes down, and its tasks with it.
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_runs_apart_answers() {
        assert_eq!(apart(async { 7 }).await, 7);
    }

    #[tokio::test]
    async fn what_runs_apart_ends_with_its_caller() {
        let (sender, receiver) = oneshot::channel::<()>();
        let caller = tokio::time::timeout(
            std::time::Duration::ZERO,
            apart(async move {
                let _sender = sender;
                std::future::pending::<()>().await;
            }),
        );
        assert!(caller.await.is_err());
        assert!(receiver.await.is_err());
    }

    #[tokio::test]
    #[should_panic(expected = "its own words")]
    async fn a_panic_is_its_callers() {
        apart(async { panic!("its own words") }).await;
    }
}
