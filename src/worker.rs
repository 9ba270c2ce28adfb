//! The threads that connections live on.
//!
//! One current-thread runtime for each core; a connection is handed to one of them when it is accepted
//! and stays there its whole life (docs/adr/0002-one-thread-a-session.md). Nothing here may block.
//!
//! A few connections share one thread while it has time for them: one thread that wakes up for all of them takes less than
//! several that wake up for each. The next thread is used when that one is busy, or full.

use futures_util::future::BoxFuture;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// Connections of one thread before those with fewer are preferred.
const FULL: usize = 32;

/// How often a thread looks at how busy it was: more than half of that time, and it gets no more as long as another is
/// not.
const LOOK: Duration = Duration::from_secs(1);

/// The worker threads. Clones are the same threads; they end when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Workers(Arc<Vec<Worker>>);

#[derive(Debug)]
struct Worker {
    handle: Handle,
    load: Arc<AtomicUsize>,
    busy: Arc<AtomicBool>,
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

    /// Runs what `make` makes on one of the threads, from its first poll to its end. `make` itself runs there too, so
    /// that sockets register with that thread's reactor.
    pub fn run<F>(&self, name: &'static str, make: F)
    where
        F: FnOnce() -> BoxFuture<'static, ()> + Send + 'static,
    {
        let Some(worker) = self.next() else { return };
        worker.load.fetch_add(1, Ordering::Relaxed);
        let load = Load(worker.load.clone());
        let _entered = worker.handle.enter();
        curfew_adapter::task::supervised(name, async move {
            let _load = load;
            make().await;
        });
    }

    /// The first that has time and room, or else the one with the fewest.
    fn next(&self) -> Option<&Worker> {
        let load = |worker: &&Worker| worker.load.load(Ordering::Relaxed);
        let free = |worker: &&Worker| load(worker) < FULL && !worker.busy.load(Ordering::Relaxed);
        self.0.iter().find(free).or_else(|| self.0.iter().min_by_key(load))
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        // What is woken from outside has every other turn: when a thousand sessions end together, those that have been told
        // have more to do, and must not keep the others waiting.
        let runtime = Builder::new_current_thread().enable_all().global_queue_interval(2).build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let busy = Arc::<AtomicBool>::default();
        let watching = watch(busy.clone());
        thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // An error here is the sender's end, which is what is waited for.
                    _ = stopped => {}
                    () = watching => {}
                }
            });
        })?;
        Ok(Self { handle, load: Arc::default(), busy, _stop: stop })
    }
}

/// Tells from time to time whether the thread that this runs on is busy.
async fn watch(busy: Arc<AtomicBool>) {
    let metrics = Handle::current().metrics();
    let now = || (Instant::now(), metrics.worker_total_busy_duration(0));
    let (mut at, mut before) = now();
    loop {
        sleep(LOOK).await;
        let (then, total) = now();
        busy.store((total - before) * 2 > then - at, Ordering::Relaxed);
        (at, before) = (then, total);
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
    use std::thread::ThreadId;
    use tokio::sync::{Notify, mpsc};

    /// Connections that stay until they are let go: on which threads they are.
    struct Crowd {
        workers: Workers,
        hold: Arc<Notify>,
        sender: mpsc::Sender<ThreadId>,
        threads: mpsc::Receiver<ThreadId>,
    }

    impl Crowd {
        fn new() -> Self {
            let (sender, threads) = mpsc::channel(8);
            Self { workers: Workers::start(Some(2)).unwrap(), hold: Arc::default(), sender, threads }
        }

        async fn one_more(&mut self) -> ThreadId {
            let (sender, hold) = (self.sender.clone(), self.hold.clone());
            self.workers.run("test", move || {
                Box::pin(async move {
                    let before = thread::current().id();
                    sender.send(before).await.unwrap();
                    hold.notified().await;
                    assert_eq!(thread::current().id(), before);
                })
            });
            self.threads.recv().await.unwrap()
        }
    }

    #[tokio::test]
    async fn a_few_share_a_thread_and_many_are_spread() {
        let mut crowd = Crowd::new();
        let first = crowd.one_more().await;
        for _ in 1..FULL {
            assert_eq!(crowd.one_more().await, first);
        }
        let second = crowd.one_more().await;
        assert_ne!(second, first);
        for _ in 1..FULL {
            assert_eq!(crowd.one_more().await, second);
        }
        let mut more = HashSet::new();
        for _ in 0..2 {
            more.insert(crowd.one_more().await);
        }
        assert_eq!(more, HashSet::from([first, second]));
        crowd.hold.notify_waiters();
    }

    #[tokio::test]
    async fn a_busy_thread_gets_no_more() {
        let mut crowd = Crowd::new();
        let first = crowd.one_more().await;
        let over = Arc::<AtomicBool>::default();
        let ends = over.clone();
        crowd.workers.run("busy", move || {
            Box::pin(async move {
                while !ends.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    while began.elapsed() < Duration::from_millis(1) {}
                    tokio::task::yield_now().await;
                }
            })
        });
        let elsewhere = async {
            while crowd.one_more().await == first {
                sleep(LOOK / 5).await;
            }
        };
        // Before the first is full.
        tokio::time::timeout(LOOK * 3, elsewhere).await.unwrap();
        over.store(true, Ordering::Relaxed);
        crowd.hold.notify_waiters();
    }
}
