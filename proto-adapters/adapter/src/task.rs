//! The one way to start a task that outlives its caller: named, and its panic logged.

use std::future::Future;
use tokio::task::JoinHandle;

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
