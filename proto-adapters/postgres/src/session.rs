//! A session from its admission to its close: the target is connected, the relay runs, and what is left
//! over on both sides is put in order.

use crate::cancel::Registration;
use crate::client::{Client, Left, Sentence};
use crate::codec::backend;
use crate::goodbye::{self, Said};
use crate::relay::{Beginnings, Fault, Outcome, Relay, Remains};
use crate::target::{self, Failure, KeyCache, Stopper, Target, take_leave};
use curfew_adapter::{Closing, CutReport, End, EndReason, Ended, Event, Goodbye, Session, task};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tracing::{Instrument, Span};

/// SQLSTATE admin_shutdown: what Postgres itself says when it ends a session.
const CUT: &str = "57P01";

/// How long the target's work goes on after the end, while all who end at that moment are told: backends that exit by
/// the thousand take every core.
const GOODBYES_FIRST: Duration = Duration::from_millis(20);

/// A session that may begin.
pub struct Admitted {
    /// The session.
    pub session: Session,
    /// Its client.
    pub client: Client,
    /// What the client set, for the target.
    pub settings: Vec<(String, String)>,
    /// Where the client may ask for cancels.
    pub cancels: Registration,
}

/// Runs it. What is rare is boxed: for most of its life a session is its relay, and its memory what that takes.
pub async fn run(admitted: Admitted, keys: &Arc<KeyCache>) -> Ended {
    let Admitted { session, mut client, settings, cancels } = admitted;
    let reached = Box::pin(reach(&session, &mut client, &settings, keys)).await;
    drop(settings);
    let closing = match reached {
        Ok(target) => {
            let (session, closing) = live(session, client, target, cancels, keys).await;
            return session.close(closing).await;
        }
        Err(Unreached::Over(end)) => {
            let sentence = Sentence { code: CUT, notice: (*end.notice).clone() };
            client.refuse(&sentence).await;
            let cut = CutReport {
                blocked_at: end.at,
                goodbye: Goodbye::Sent,
                outstanding: None,
                target_work: "the target was not connected yet".to_owned(),
            };
            Closing { cut: Some(cut), ..Closing::because(end.reason) }
        }
        Err(Unreached::Left(Left::Gone)) => Closing::because(EndReason::ClientClosed),
        Err(Unreached::Left(Left::Flood)) => {
            client.refuse(&Sentence::protocol("it talks before the session begins")).await;
            Closing::because(EndReason::ProtocolError).caused_by("the client talks out of turn")
        }
        Err(Unreached::Failed(failure)) => {
            client.refuse(&failure.sentence).await;
            Closing::because(failure.reason).caused_by(failure)
        }
    };
    session.close(closing).await
}

/// Why the target was not connected.
enum Unreached {
    Over(End),
    Left(Left),
    Failed(Box<Failure>),
}

async fn reach(
    session: &Session,
    client: &mut Client,
    settings: &[(String, String)],
    keys: &KeyCache,
) -> Result<Target, Unreached> {
    let connecting = async {
        tokio::select! {
            biased;
            end = session.lease().ended() => Err(Unreached::Over(end)),
            done = target::reach(session, settings, keys) => done.map_err(|failure| Unreached::Failed(Box::new(failure))),
        }
    };
    client.watch(connecting).await.map_err(Unreached::Left)?
}

async fn live(
    session: Session,
    mut client: Client,
    target: Target,
    cancels: Registration,
    keys: &Arc<KeyCache>,
) -> (Session, Closing) {
    // By now it existed.
    let ready = session.clock().boot();
    client.authenticated();
    let mut greeting = std::mem::take(&mut client.unsent);
    greeting.extend_from_slice(&target.greeting);
    backend::key_data(&mut greeting, cancels.key());
    backend::ready(&mut greeting, b'I');
    let beginnings = Beginnings { greeting, client: client.pending, target: target.behind };
    let (ends, key) = ((client.stream, target.stream), target.key);
    let (keys, span) = (keys.clone(), Span::current());
    task::apart(async move {
        let relaying = async {
            let mut relay =
                Box::new(Relay::new(&session, ends, key.as_ref(), cancels, beginnings, span.clone()));
            (relay.run().await, relay.remains())
        };
        let (outcome, remains) = relaying.await;
        let stopper = Stopper::new(&session, key.as_ref(), ready, &keys);
        let closing = match outcome {
            Outcome::Over(end) => Box::pin(cut(&session, remains, &stopper, &end).instrument(span)).await,
            outcome => Box::pin(wind_up(&session, remains, &stopper, outcome).instrument(span)).await,
        };
        (session, closing)
    })
    .await
}

/// The lease is over: nothing has passed since. Goodbye to the client, and an end to the target's work.
async fn cut(session: &Session, remains: Remains, stopper: &Stopper<'_>, end: &End) -> Closing {
    // From the end on nothing passes, whenever it comes to this session's turn to be told so.
    let Remains { client, target, found, client_left, left_at, .. } = remains;
    let blocked_at = end.at.max(left_at);
    let (client, target) = match (client.farewell(), target.farewell()) {
        (Ok(client), Ok(target)) => (client.io, target.io),
        // The lease says that it is over and that it lives: both streams are closed, which is safe.
        _ => return Closing::because(end.reason).caused_by("no farewell from a lease that is over"),
    };
    if client_left.between_messages {
        // The recording is about to be sealed; where it fails now, there is nothing left to stop.
        let _ = session.recorder().append(&Event::Goodbye { message: &end.notice.message });
    }
    let sentence = Some((CUT, &*end.notice));
    let stopping = async {
        sleep(GOODBYES_FIRST).await;
        stopper.stop(target, &found).await
    };
    let (said, target_work) =
        tokio::join!(goodbye::say(client, client_left, sentence, session.clock()), stopping);
    let Said { goodbye, flushed_at } = said;
    // What TLS had already encrypted at the end still left, and is part of the session.
    let blocked_at = flushed_at.map_or(blocked_at, |flushed_at| blocked_at.max(flushed_at));
    let cut = CutReport { blocked_at, goodbye, outstanding: found.outstanding, target_work };
    Closing { cut: Some(cut), ..Closing::because(end.reason) }
}

/// The session ends by itself, or by somebody's fault.
async fn wind_up(session: &Session, remains: Remains, stopper: &Stopper<'_>, outcome: Outcome) -> Closing {
    let Remains { client, target, found, client_left, told_fatal, .. } = remains;
    let (closing, sentence) = verdict(outcome, told_fatal);
    let telling = async {
        let sentence = sentence.as_ref().map(|sentence| (sentence.code, &sentence.notice));
        goodbye::say(client, client_left, sentence, session.clock()).await
    };
    let stopping = async {
        match closing.reason {
            EndReason::TargetClosed => drop(target),
            // A backend that runs nothing goes when it is told.
            _ if found.outstanding.is_none() => take_leave(target, &found).await,
            _ => {
                let work = stopper.stop(target, &found).await;
                tracing::info!(outstanding = found.outstanding, work, "the client left its work behind");
            }
        }
    };
    if closing.reason == EndReason::ClientClosed {
        drop(telling);
        stopping.await;
    } else {
        tokio::join!(telling, stopping);
    }
    closing
}

fn verdict(outcome: Outcome, told_fatal: bool) -> (Closing, Option<Sentence>) {
    match outcome {
        Outcome::Over(end) => (Closing::because(end.reason), None),
        Outcome::ClientLeft => (Closing::because(EndReason::ClientClosed), None),
        Outcome::TargetLeft if told_fatal => (Closing::because(EndReason::TargetClosed), None),
        Outcome::TargetLeft => {
            let sentence = Sentence::new(
                "08006",
                "curfew: the target closed the connection without saying why",
                "Connect again; if it stays so, tell whoever runs the target.",
            );
            (Closing::because(EndReason::TargetClosed), Some(sentence))
        }
        Outcome::Fault(Fault::Client(what)) => {
            let closing =
                Closing::because(EndReason::ProtocolError).caused_by(format_args!("client: {what}"));
            (closing, Some(Sentence::protocol(what)))
        }
        Outcome::Fault(Fault::TooMuch(what)) => {
            let closing =
                Closing::because(EndReason::ProtocolError).caused_by(format_args!("too much: {what}"));
            let message = format!("curfew: {what} would be more than can be recorded, so the session ends");
            let hint = "Send less at once: statements up to 16 MiB pass, and COPY passes without a limit.";
            (closing, Some(Sentence::new("54000", message, hint)))
        }
        Outcome::Fault(Fault::Target(what)) => {
            let closing =
                Closing::because(EndReason::ProtocolError).caused_by(format_args!("target: {what}"));
            let message = format!("curfew: the target broke the Postgres protocol: {what}");
            let hint = "Tell whoever runs the target; the gate's log has the cause.";
            (closing, Some(Sentence::new("08P01", message, hint)))
        }
        Outcome::Fault(Fault::Recording) => {
            let sentence = Sentence::new(
                "58030",
                "curfew: the session can't be recorded any more, so it ends",
                "Tell whoever runs the gate that its recordings can't be written, and connect again then.",
            );
            (Closing::because(EndReason::RecordingFailed), Some(sentence))
        }
    }
}
#[cfg(test)]
mod tests {
    use std::sync::Arc;

    #[test]
    fn a_session_takes_little_memory_beside_its_streams() {
        fn size<F: Future>(_: impl FnOnce(super::Admitted, &'static Arc<super::KeyCache>) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size(super::run) < 4 * 1024, "{} bytes: box what is rare", size(super::run));
    }
}
