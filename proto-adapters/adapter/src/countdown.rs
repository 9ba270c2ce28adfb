//! The end is near: when to say so, and how.

use crate::{Lease, Notice, Terms, Warning};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Tells each step of the countdown once.
pub struct Countdown {
    lease: Lease,
    terms: Arc<Terms>,
    next: Option<BoxFuture<'static, Warning>>,
}

impl Countdown {
    /// The countdown of `terms`, along `lease`.
    pub fn new(lease: Lease, terms: Arc<Terms>) -> Self {
        let mut countdown = Self { lease, terms, next: None };
        countdown.wait(None);
        countdown
    }

    fn wait(&mut self, told: Option<Warning>) {
        let (lease, terms) = (self.lease.clone(), self.terms.clone());
        self.next = (!terms.countdown.is_empty()).then(|| -> BoxFuture<'static, Warning> {
            Box::pin(async move { lease.next_warning(&terms.countdown, told.as_ref()).await })
        });
    }

    /// The next step, when it is reached.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Warning> {
        let Some(next) = &mut self.next else {
            return Poll::Pending;
        };
        let Poll::Ready(warning) = next.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        self.wait(Some(warning.clone()));
        Poll::Ready(warning)
    }

    /// What the client is told at a step.
    pub fn notice(&self, warning: &Warning) -> Notice {
        let (remaining, at) = (spell(warning.remaining), warning.until.strftime("%H:%M:%S"));
        Notice {
            message: format!("curfew: this access ends in {remaining} (at {at} UTC)"),
            detail: String::new(),
            hint: self.terms.extend_hint.clone(),
        }
    }
}

/// A duration in its largest whole unit.
fn spell(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        s if s >= 3600 && s % 3600 == 0 => (s / 3600, "hour"),
        s if s >= 60 && s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_their_largest_whole_unit() {
        let spelled = [10, 1, 60, 90, 300, 600, 3600, 7200].map(|s| spell(Duration::from_secs(s)));
        let expected = [
            "10 seconds",
            "1 second",
            "1 minute",
            "90 seconds",
            "5 minutes",
            "10 minutes",
            "1 hour",
            "2 hours",
        ];
        assert_eq!(spelled, expected);
    }
}
