//! Tells whether something that seldom happens has happened, so that what waits for it is not asked at each message.

use futures_util::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// Futures that are polled with this bell's waker need no poll until it rings.
#[derive(Debug)]
pub struct Bell {
    ringing: Arc<Ringing>,
    waker: Waker,
}

#[derive(Debug)]
struct Ringing {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Bell {
    /// One that rings already: nothing has been polled yet.
    pub fn new() -> Self {
        let ringing = Arc::new(Ringing { rung: AtomicBool::new(true), task: AtomicWaker::new() });
        Self { waker: ringing.clone().into(), ringing }
    }

    /// Whether it has rung since it was asked last; if not, it wakes the task of `cx` when it does.
    pub fn rang(&self, cx: &Context<'_>) -> bool {
        self.ringing.task.register(cx.waker());
        self.ringing.rung.swap(false, Ordering::AcqRel)
    }

    /// What to poll with.
    pub fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }
}

impl Wake for Ringing {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::task::noop_waker;
    use std::future::poll_fn;
    use std::task::Poll;
    use tokio::sync::oneshot;

    #[test]
    fn it_rings_once_for_what_happened() {
        let (bell, waker) = (Bell::new(), noop_waker());
        let cx = Context::from_waker(&waker);
        assert!(bell.rang(&cx));
        assert!(!bell.rang(&cx));
        bell.context().waker().wake_by_ref();
        assert!(bell.rang(&cx));
        assert!(!bell.rang(&cx));
    }

    #[tokio::test]
    async fn the_task_wakes_when_it_rings() {
        let bell = Bell::new();
        let (sender, mut receiver) = oneshot::channel::<()>();
        let mut sender = Some(sender);
        poll_fn(|cx| {
            if bell.rang(cx) && std::pin::Pin::new(&mut receiver).poll(&mut bell.context()).is_ready() {
                return Poll::Ready(());
            }
            // Sent from another thread, once the first poll is over or nearly so.
            if let Some(sender) = sender.take() {
                std::thread::spawn(move || sender.send(()));
            }
            Poll::Pending
        })
        .await;
    }
}
