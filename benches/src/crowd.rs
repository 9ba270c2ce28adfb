//! Many sessions from one process, half of a conversation with `cargo xtask bench`: prints `open` once all of them have
//! shown something, and when all are over, a line for each: `ended`, what it did (`idle` or `stream`), when its last byte
//! came and when it first heard of its end, in microseconds since 1970 (`-` where that never was). Told to end, and
//! telling nothing itself: it never closes a session.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Sessions that are being opened at the same time.
const AT_ONCE: usize = 8;

/// What went wrong.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What came of one session, in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    last: Option<u128>,
    told: Option<u128>,
    over: bool,
}

/// Notes what comes of one session.
#[derive(Debug)]
pub struct Marker(watch::Sender<Marks>);

impl Marker {
    /// Something of the session came.
    pub fn came(&self) {
        let now = now();
        self.0.send_modify(|marks| marks.last = Some(now));
    }

    /// The client has heard of its end.
    pub fn told(&self) {
        let now = now();
        self.0.send_modify(|marks| _ = marks.told.get_or_insert(now));
    }

    /// There is nothing more to come.
    pub fn over(&self) {
        self.0.send_modify(|marks| marks.over = true);
    }
}

/// Has so many sessions opened by `open`, which is told whether the session streams, and waits for their ends. What
/// `open` returns is held until then.
///
/// # Errors
/// One could not be opened, or was over before it began.
pub async fn run<Held, Opening>(
    (idle, streaming): (usize, usize),
    open: impl Fn(bool, Marker) -> Opening,
) -> Result<(), Failure>
where
    Held: Send + 'static,
    Opening: Future<Output = Result<Held, Failure>> + Send + 'static,
{
    let (permits, all) = (Arc::new(Semaphore::new(AT_ONCE)), idle + streaming);
    let mut opening = JoinSet::new();
    for number in 0..all {
        // Mixed, so that neither kind is the older one.
        let streams = number * streaming / all != (number + 1) * streaming / all;
        let (sender, mut marks) = watch::channel(Marks::default());
        let (permits, session) = (permits.clone(), open(streams, Marker(sender)));
        opening.spawn(async move {
            let _permit = permits.acquire_owned().await?;
            let held = session.await?;
            if marks.wait_for(|marks| marks.last.is_some() || marks.over).await?.over {
                return Err("a session was over before it began".into());
            }
            Ok::<_, Failure>((streams, marks, held))
        });
    }
    let mut sessions = Vec::new();
    while let Some(opened) = opening.join_next().await {
        sessions.push(opened??);
    }
    println!("open");
    for (_, marks, _) in &mut sessions {
        // One that nobody notes any more has seen its end.
        let _ = marks.wait_for(|marks| marks.over).await;
    }
    for (streams, marks, _held) in sessions {
        let Marks { last, told, .. } = *marks.borrow();
        let shown = |at: Option<u128>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        println!("ended {} {} {}", if streams { "stream" } else { "idle" }, shown(last), shown(told));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "compared with what the gate says, which is the time of day")]
fn now() -> u128 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map(|since| since.as_micros())
        .unwrap_or_default()
}
