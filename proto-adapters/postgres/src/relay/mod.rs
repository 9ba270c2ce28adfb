//! The life of a session: bytes both ways, in one future on one thread.
//!
//! Each direction reads once, has what it read looked at and recorded, writes it in one piece, and reads
//! again only when all of it is written: a slow reader pushes back on its own writer and on nobody else.
//! The lease, the countdown and cancels are looked at first, when one of them has something to tell; the guards
//! compare clocks at each read and write all the same.

mod bell;
mod buffer;
mod expect;
mod fault;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod inject;
mod names;
mod pump;
mod results;
mod rows;
mod statements;
mod values;

#[cfg(test)]
mod tests;

use crate::cancel::{Registration, Told};
use crate::goodbye::Left;
use crate::stream::Stream;
use crate::target::{BackendKey, Found, forward_cancel};
pub use bell::Bell;
use curfew_adapter::{BootTime, Countdown, End, Event, Leased, Session};
pub use fault::Fault;
use futures_util::future::BoxFuture;
use inject::Inject;
use pump::Pump;
use results::FromTarget;
use statements::{FromClient, Statements};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use tracing::{Instrument, Span};

/// How long buffers may lie idle.
const LULL: Duration = Duration::from_secs(2);

/// Why the relay stopped.
#[derive(Debug)]
pub enum Outcome {
    /// The lease is over.
    Over(End),
    /// The client went away, or said goodbye.
    ClientLeft,
    /// The target went away.
    TargetLeft,
    /// Something can't go on.
    Fault(Fault),
}

/// A session with both of its ends.
pub struct Relay<'a> {
    session: &'a Session,
    key: Option<&'a BackendKey>,
    client: Leased<Stream>,
    target: Leased<Stream>,
    up: Pump,
    down: Pump,
    inject: Inject,
    statements: Statements,
    cancels: Registration,
    cancelling: Option<(BoxFuture<'a, ()>, Told)>,
    /// The target takes nothing more; what it has still to say is passed on.
    deaf: bool,
    /// When bytes of the session were last handed to either socket.
    left_at: BootTime,
    lull: Option<Pin<Box<Sleep>>>,
    /// What is logged is logged in it. The relay itself does not run in it: that would cost something at each message.
    span: Span,
}

/// What both ends have said before the relay begins.
#[derive(Debug, Default)]
pub struct Beginnings {
    /// To the client, before anything else.
    pub greeting: Vec<u8>,
    /// From the client.
    pub client: Vec<u8>,
    /// From the target.
    pub target: Vec<u8>,
}

/// What is left of a relay when it has stopped.
pub struct Remains {
    /// The client's connection.
    pub client: Leased<Stream>,
    /// The target's connection.
    pub target: Leased<Stream>,
    /// What is found on the target.
    pub found: Found,
    /// How the client's stream was left.
    pub client_left: Left,
    /// Whether the target has said itself why it left.
    pub told_fatal: bool,
    /// When the last bytes of the session were handed to either socket.
    pub left_at: BootTime,
}

impl<'a> Relay<'a> {
    /// Puts the two ends together.
    pub fn new(
        session: &'a Session,
        (client, target): (Stream, Stream),
        key: Option<&'a BackendKey>,
        cancels: Registration,
        beginnings: Beginnings,
        span: Span,
    ) -> Self {
        Self {
            session,
            key,
            client: session.guard(client),
            target: session.guard(target),
            up: Pump::holding(&beginnings.client),
            down: Pump::holding(&beginnings.target),
            inject: Inject::holding(beginnings.greeting),
            statements: Statements::new(session.recorder().clone(), &session.terms().record),
            cancels,
            cancelling: None,
            deaf: false,
            left_at: session.clock().boot(),
            lull: None,
            span,
        }
    }

    /// Passes bytes until something ends it.
    pub async fn run(&mut self) -> Outcome {
        let session = self.session;
        let mut ended = pin!(session.lease().ended());
        let mut countdown = Countdown::new(session.lease().clone(), session.terms().clone());
        let bell = Bell::new();
        poll_fn(|cx| {
            let rang = bell.rang(cx);
            if rang {
                let cx = &mut bell.context();
                if let Poll::Ready(end) = ended.as_mut().poll(cx) {
                    return Poll::Ready(Outcome::Over(end));
                }
                if let Err(outcome) =
                    self.poll_countdown(cx, &mut countdown).and_then(|()| self.poll_cancels(cx))
                {
                    return Poll::Ready(self.stopped(outcome));
                }
            }
            let polled = self.poll_both(cx);
            if self.up.take_moved() | self.down.take_moved() {
                self.left_at = session.clock().boot();
            }
            if let Err(outcome) = polled {
                return Poll::Ready(self.stopped(outcome));
            }
            self.poll_lull(&bell, rang);
            Poll::Pending
        })
        .await
    }

    /// An end that came in the middle of it is what stopped it.
    fn stopped(&self, outcome: Outcome) -> Outcome {
        match self.session.lease().check() {
            Err(end) => Outcome::Over(end),
            Ok(()) => outcome,
        }
    }

    /// Takes the relay apart. Its cancel key is dead from now on.
    pub fn remains(self) -> Remains {
        let (outstanding, queued) = self.statements.outstanding();
        let found = Found {
            outstanding,
            queued,
            between_messages: self.up.is_between_messages() && !self.up.is_unflushed() && !self.deaf,
            told: self.up.is_over() && self.up.is_drained(),
        };
        Remains {
            client: self.client,
            target: self.target,
            found,
            client_left: Left {
                between_messages: self.down.is_between_messages() && self.inject.is_between_messages(),
                unflushed: self.down.is_unflushed() || self.inject.is_unflushed(),
            },
            told_fatal: self.statements.told_fatal(),
            left_at: self.left_at,
        }
    }

    fn poll_countdown(&mut self, cx: &mut Context<'_>, countdown: &mut Countdown) -> Result<(), Outcome> {
        while let Poll::Ready(warning) = countdown.poll_next(cx) {
            let told = Event::Countdown { remaining: warning.remaining.as_secs() };
            if self.session.recorder().append(&told).is_err() {
                return Err(Outcome::Fault(Fault::Recording));
            }
            self.inject.notice(&countdown.notice(&warning));
        }
        Ok(())
    }

    fn poll_both(&mut self, cx: &mut Context<'_>) -> Result<(), Outcome> {
        let (mut up, mut down) = (true, true);
        loop {
            let open = match self.session.recorder().poll_ready(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(_)) => return Err(Outcome::Fault(Fault::Recording)),
                Poll::Pending => false,
            };
            // A direction that waits need not be asked again; but what came down makes room for what is held.
            up = (up || self.up.is_held()) && !self.deaf && self.poll_up(cx, open)?;
            down = down && self.poll_down(cx, open)?;
            if !up && !down {
                break;
            }
        }
        if self.up.is_over() { self.poll_leaving(cx) } else { Ok(()) }
    }

    /// From the client to the target. `true` where bytes were read.
    fn poll_up(&mut self, cx: &mut Context<'_>, open: bool) -> Result<bool, Outcome> {
        let (mut moved, mut now) = (false, None);
        loop {
            match self.up.poll_write(cx, &mut self.target) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => {
                    self.deaf = true;
                    return Ok(false);
                }
                Poll::Pending => return Ok(moved),
            }
            if open && self.up.has_unvetted() {
                let now = self.now(&mut now);
                self.up.vet(&mut FromClient(self.statements.at(now))).map_err(Outcome::Fault)?;
            }
            if self.up.has_vetted() {
                continue;
            }
            if moved || !open || self.up.is_held() || self.up.is_over() {
                break;
            }
            match self.up.poll_read(cx, &mut self.client) {
                Poll::Ready(Ok(read)) if read > 0 => {
                    self.session.counters().from_client(read, self.now(&mut now));
                    moved = true;
                }
                Poll::Ready(_) => return Err(Outcome::ClientLeft),
                Poll::Pending => break,
            }
        }
        if let Poll::Ready(Err(_)) = self.up.poll_flush(cx, &mut self.target) {
            self.deaf = true;
        }
        Ok(moved)
    }

    /// The client has said goodbye. What is still owed to it comes first, as long as it is there to take it.
    fn poll_leaving(&mut self, cx: &mut Context<'_>) -> Result<(), Outcome> {
        if !self.up.is_drained() && !self.deaf {
            return Ok(());
        }
        let passed = self.down.is_drained() && !self.down.is_unflushed() && self.inject.is_empty();
        let answered = passed && !self.statements.are_outstanding();
        if answered || self.up.poll_read(cx, &mut self.client).is_ready() {
            return Err(Outcome::ClientLeft);
        }
        Ok(())
    }

    /// From the target to the client. `true` where bytes were read.
    fn poll_down(&mut self, cx: &mut Context<'_>, open: bool) -> Result<bool, Outcome> {
        let left = |_| Outcome::ClientLeft;
        let (mut moved, mut now) = (false, None);
        loop {
            match self.down.poll_write(cx, &mut self.client) {
                Poll::Ready(done) => done.map_err(left)?,
                Poll::Pending => return Ok(moved),
            }
            if self.down.is_drained() {
                match self.inject.poll_write(cx, &mut self.client) {
                    Poll::Ready(done) => done.map_err(left)?,
                    Poll::Pending => return Ok(moved),
                }
            }
            if open && self.down.has_unvetted() {
                let now = self.now(&mut now);
                self.down.vet(&mut FromTarget(self.statements.at(now))).map_err(Outcome::Fault)?;
            }
            if self.down.has_vetted() {
                continue;
            }
            if moved || !open {
                break;
            }
            match self.down.poll_read(cx, &mut self.target) {
                Poll::Ready(Ok(read)) if read > 0 => {
                    self.session.counters().from_target(read, self.now(&mut now));
                    moved = true;
                }
                // It was told to, and may still have to pass on what it has said.
                Poll::Ready(Ok(0)) if self.up.is_over() && self.statements.target_is_done() => break,
                Poll::Ready(_) => return Err(Outcome::TargetLeft),
                Poll::Pending => break,
            }
        }
        if let Poll::Ready(done) = self.down.poll_flush(cx, &mut self.client) {
            done.map_err(left)?;
        }
        if let Poll::Ready(done) = self.inject.poll_flush(cx, &mut self.client) {
            done.map_err(left)?;
        }
        Ok(moved)
    }

    /// The time, read once for what is done in one go.
    fn now(&self, now: &mut Option<BootTime>) -> BootTime {
        *now.get_or_insert_with(|| self.session.clock().boot())
    }

    /// Passes on the client's wish to cancel, one at a time: a wish that comes while one is under way is
    /// one with the next.
    fn poll_cancels(&mut self, cx: &mut Context<'_>) -> Result<(), Outcome> {
        loop {
            if let Some((cancelling, _)) = &mut self.cancelling {
                if cancelling.as_mut().poll(cx).is_pending() {
                    return Ok(());
                }
                // The client's connection is closed when this is dropped.
                self.cancelling = None;
            }
            let Poll::Ready(Some(told)) = self.cancels.requests().poll_recv(cx) else {
                return Ok(());
            };
            let Some(key) = self.key else { continue };
            if self.session.recorder().append(&Event::Cancel).is_err() {
                return Err(Outcome::Fault(Fault::Recording));
            }
            let session = self.session;
            let cancelling = async move {
                if let Err(error) = forward_cancel(session, key).await {
                    tracing::warn!(%error, "the target could not be told to cancel");
                }
            };
            self.cancelling = Some((Box::pin(cancelling.instrument(self.span.clone())), told));
        }
    }

    /// Buffers are given back when nothing has passed for a while. The timer is looked at when it may have rung.
    fn poll_lull(&mut self, bell: &Bell, rang: bool) {
        if self.up.memory() + self.down.memory() == 0 {
            self.lull = None;
            return;
        }
        if self.lull.is_some() && !rang {
            return;
        }
        let cx = &mut bell.context();
        let lull = self.lull.get_or_insert_with(|| Box::pin(tokio::time::sleep(LULL)));
        let last = self.session.counters().last_activity();
        while lull.as_mut().poll(cx).is_ready() {
            let idle = self.session.clock().boot().since(last);
            if idle >= LULL {
                // What has something in it stays as it is until something moves again.
                self.up.shrink();
                self.down.shrink();
                self.lull = None;
                return;
            }
            lull.as_mut().reset(Instant::now() + LULL.saturating_sub(idle));
        }
    }
}
