//! The threads that connections live on.
//!
//! One current-thread runtime for each core; a connection is handed to one of them when it is accepted
//! and stays there its whole life (docs/adr/0002-one-thread-a-session.md). Nothing here may block.
//!
//! A few connections share one thread while it has time for them: one thread that wakes up for all of them takes less than
//! several that wake up for each. The next thread is used when that one is busy, or full.

use futures_util::future::BoxFuture;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// Connections of one thread before those with fewer are preferred.
const FULL: usize = 32;

/// How often a thread looks at how busy it was: up to half of that time, and it has time for more.
const LOOK: Duration = Duration::from_secs(1);

/// How long that holds. A thread that does not come to look has no time.
const GOOD_FOR: Duration = Duration::from_millis(1500);

/// The worker threads. Clones are the same threads; they end when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Workers(Arc<Vec<Worker>>);

#[derive(Debug)]
struct Worker {
    handle: Handle,
    state: Arc<State>,
    /// Dropped to stop the thread.
    _stop: oneshot::Sender<()>,
}

/// How a thread is doing.
#[derive(Debug)]
struct State {
    connections: AtomicUsize,
    /// Until when it counts as one that has time: it says so itself, again and again.
    free_until: Mutex<Instant>,
}

/// Counts a connection out when it ends, however it ends.
struct Load(Arc<State>);

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
        let Some(worker) = choose(&self.0, |worker| &worker.state, Instant::now()) else { return };
        worker.state.connections.fetch_add(1, Ordering::Relaxed);
        let load = Load(worker.state.clone());
        let _entered = worker.handle.enter();
        curfew_adapter::task::supervised(name, async move {
            let _load = load;
            make().await;
        });
    }
}

/// The first that has time and room, or else the one with the fewest connections.
fn choose<T>(all: &[T], state: impl Fn(&T) -> &State, now: Instant) -> Option<&T> {
    let connections = |one: &&T| state(one).connections.load(Ordering::Relaxed);
    let free = |one: &&T| connections(one) < FULL && now < *state(one).free_until();
    all.iter().find(free).or_else(|| all.iter().min_by_key(connections))
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        // What is woken from outside has every other turn: when a thousand sessions end together, those that have been told
        // have more to do, and must not keep the others waiting.
        let runtime = Builder::new_current_thread().enable_all().global_queue_interval(2).build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let state = Arc::new(State::new());
        let watched = state.clone();
        thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // An error here is the sender's end, which is what is waited for.
                    _ = stopped => {}
                    () = watched.watch() => {}
                }
            });
        })?;
        Ok(Self { handle, state, _stop: stop })
    }
}

impl State {
    fn new() -> Self {
        Self { connections: AtomicUsize::new(0), free_until: Mutex::new(Instant::now() + GOOD_FOR) }
    }

    fn free_until(&self) -> MutexGuard<'_, Instant> {
        self.free_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says from time to time that the thread that this runs on has time, where it has.
    async fn watch(&self) {
        let metrics = Handle::current().metrics();
        let now = || (Instant::now(), metrics.worker_total_busy_duration(0));
        let (mut at, mut before) = now();
        loop {
            sleep(LOOK).await;
            let (then, total) = now();
            if (total - before) * 2 <= then - at {
                *self.free_until() = then + GOOD_FOR;
            }
            (at, before) = (then, total);
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
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

    #[test]
    fn a_few_share_a_thread_and_many_are_spread() {
        let (states, now) = ([State::new(), State::new()], Instant::now());
        let mut chosen = Vec::new();
        for _ in 0..3 * FULL {
            let state = choose(&states, |state| state, now).unwrap();
            state.connections.fetch_add(1, Ordering::Relaxed);
            chosen.push(usize::from(std::ptr::eq(state, &states[1])));
        }
        assert!(chosen[..FULL].iter().all(|thread| *thread == 0), "{chosen:?}");
        assert!(chosen[FULL..2 * FULL].iter().all(|thread| *thread == 1), "{chosen:?}");
        let counts = states.each_ref().map(|state| state.connections.load(Ordering::Relaxed));
        assert_eq!(counts, [3 * FULL / 2; 2]);
    }

    #[test]
    fn a_thread_that_does_not_say_that_it_has_time_gets_no_more_than_the_others() {
        let (states, now) = ([State::new(), State::new()], Instant::now());
        *states[0].free_until() = now;
        assert!(std::ptr::eq(choose(&states, |state| state, now).unwrap(), &states[1]));
        *states[1].free_until() = now;
        states[1].connections.store(1, Ordering::Relaxed);
        assert!(std::ptr::eq(choose(&states, |state| state, now).unwrap(), &states[0]));
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
