//! The threads that connections live on.
//!
//! One current-thread runtime for each core; a connection is handed to one of them when it is accepted
//! and stays there its whole life (docs/adr/0002-one-thread-a-session.md). Nothing here may block.

use futures_util::future::BoxFuture;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The worker threads. Clones are the same threads; they end when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Workers(Arc<Vec<Worker>>);

#[derive(Debug)]
struct Worker {
    handle: Handle,
    load: Arc<AtomicUsize>,
    /// Dropped to stop the thread.
    _stop: oneshot::Sender<()>,
}

/// Counts a connection out when it ends, however it ends.
struct Load(Arc<AtomicUsize>);

impl Workers {
    /// Starts one thread for each core, or `threads` where it is given.
    ///
    /// # Errors
    /// Where the system gives no more threads or descriptors.
    pub fn start(threads: Option<usize>) -> io::Result<Self> {
        let threads = match threads {
            Some(threads) => threads.max(1),
            None => thread::available_parallelism()?.get(),
        };
        (0..threads).map(Worker::start).collect::<io::Result<_>>().map(|workers| Self(Arc::new(workers)))
    }

    /// Runs what `make` makes on the least loaded thread, from its first poll to its end. `make` itself
    /// runs there too, so that sockets register with that thread's reactor.
    pub fn run<F>(&self, name: &'static str, make: F)
    where
        F: FnOnce() -> BoxFuture<'static, ()> + Send + 'static,
    {
        let Some(worker) = self.0.iter().min_by_key(|worker| worker.load.load(Ordering::Relaxed)) else {
            return;
        };
        worker.load.fetch_add(1, Ordering::Relaxed);
        let load = Load(worker.load.clone());
        let _entered = worker.handle.enter();
        curfew_adapter::task::supervised(name, async move {
            let _load = load;
            make().await;
        });
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        // What is woken from outside has every other turn: when a thousand sessions end together, those that have been told
        // have more to do, and must not keep the others waiting.
        let runtime = Builder::new_current_thread().enable_all().global_queue_interval(2).build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            // An error here is the sender's end, which is what is waited for.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, load: Arc::default(), _stop: stop })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn a_connection_stays_on_one_thread_and_the_load_is_shared() {
        let workers = Workers::start(Some(2)).unwrap();
        let (sender, mut threads) = mpsc::channel(8);
        let hold = Arc::new(tokio::sync::Notify::new());
        for _ in 0..4 {
            let (sender, hold) = (sender.clone(), hold.clone());
            workers.run("test", move || {
                Box::pin(async move {
                    let before = thread::current().id();
                    sender.send(before).await.unwrap();
                    hold.notified().await;
                    assert_eq!(thread::current().id(), before);
                })
            });
        }
        let mut seen = HashSet::new();
        for _ in 0..4 {
            seen.insert(threads.recv().await.unwrap());
        }
        assert_eq!(seen.len(), 2);
        hold.notify_waiters();
    }
}
