//! The time that a connection has to become a session.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
enum Startup {
    Running { until: Instant },
    Paused { left: Duration },
    Over,
}

/// The startup deadline of a connection. It stands still while a person is waited for.
#[derive(Clone, Debug)]
pub struct StartupClock(Arc<watch::Sender<Startup>>);

impl StartupClock {
    /// Starts now, and expires after `limit`.
    pub fn start(limit: Duration) -> Self {
        Self(Arc::new(watch::Sender::new(Startup::Running { until: Instant::now() + limit })))
    }

    /// Stands still: somebody is being waited for.
    pub fn pause(&self) {
        self.0.send_modify(|state| {
            if let Startup::Running { until } = *state {
                *state = Startup::Paused { left: until.saturating_duration_since(Instant::now()) };
            }
        });
    }

    /// Goes on with what was left.
    pub fn resume(&self) {
        self.0.send_modify(|state| {
            if let Startup::Paused { left } = *state {
                *state = Startup::Running { until: Instant::now() + left };
            }
        });
    }

    /// The connection has become a session: there is no deadline any more.
    pub fn finish(&self) {
        self.0.send_replace(Startup::Over);
    }

    /// Resolves when the deadline passes; never, once finished.
    pub async fn expired(&self) {
        let mut state = self.0.subscribe();
        loop {
            let now = *state.borrow_and_update();
            let until = match now {
                Startup::Running { until } => Some(until),
                Startup::Paused { .. } => None,
                // Polled at each message of the session from now on, so it listens to nothing any more.
                Startup::Over => return std::future::pending().await,
            };
            let expiry = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = expiry => return,
                _ = state.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_person_may_take_longer_than_the_startup_deadline() {
        let clock = StartupClock::start(Duration::from_secs(10));
        let within = |seconds| tokio::time::timeout(Duration::from_secs(seconds), clock.expired());
        assert!(within(9).await.is_err());
        clock.pause();
        assert!(within(600).await.is_err());
        clock.resume();
        assert!(within(2).await.is_ok());
        clock.finish();
        assert!(within(600).await.is_err());
    }
}
