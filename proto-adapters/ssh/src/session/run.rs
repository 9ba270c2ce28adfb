//! Reaches the target, and watches the session until one side ends it.

use super::live::{Fault, Inbox, Live};
use super::{cut, goodbye, work};
use crate::client::{Answer, Front};
use crate::flow::Flow;
use crate::leash::within;
use crate::shut::Shut;
use crate::target::{self, Failure, Left, Target};
use curfew_adapter::{Closing, Countdown, CutReport, End, EndReason, Ended, Event, Goodbye, Notice, Session};
use russh::server::{Auth, RunningSession};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a client may take to leave, once it has been told why.
const LINGER: Duration = Duration::from_secs(1);

/// The client's leg.
pub struct ClientLeg {
    /// The library's task.
    pub leg: RunningSession<Front>,
    /// What is on its way through it.
    pub flow: Arc<Flow>,
    /// Its socket, shut down when this is dropped.
    #[expect(dead_code, reason = "held for its end")]
    pub socket: Shut,
}

impl ClientLeg {
    /// Tells the client why, behind what the library is about to send it, and closes. `answer` is sent first.
    pub async fn refuse(mut self, answer: impl FnOnce(), notice: &Notice) {
        goodbye::disconnect(&self.leg.handle(), notice).await;
        answer();
        let _ = timeout(LINGER, &mut self.leg).await;
    }
}

/// How a session came to its end.
enum Outcome {
    Over(End),
    ClientLeft(Option<Left>),
    TargetLeft(Left),
    Fault(Fault),
}

/// Runs an admitted session. The client waits for `reply`; `parting` is what it is answered where there is none.
pub async fn run(
    session: Session,
    client: ClientLeg,
    reply: oneshot::Sender<Answer>,
    parting: Auth,
) -> Ended {
    let lease = session.lease().clone();
    let closing = match within(&lease, Box::pin(target::connect(&session))).await {
        Some(Ok(target)) => live(&session, client, target, reply).await,
        Some(Err(failure)) => unreached(client, reply, parting, *failure).await,
        None => {
            let end = lease.ended().await;
            let refusing = client.refuse(|| drop(reply.send(Answer::Auth(parting))), &end.notice);
            refusing.await;
            let cut = CutReport {
                blocked_at: end.at,
                goodbye: Goodbye::Sent,
                outstanding: None,
                target_work: "the target was not connected yet".to_owned(),
            };
            Closing { cut: Some(cut), ..Closing::because(end.reason) }
        }
    };
    session.close(closing).await
}

async fn unreached(
    client: ClientLeg,
    reply: oneshot::Sender<Answer>,
    parting: Auth,
    failure: Failure,
) -> Closing {
    client.refuse(|| drop(reply.send(Answer::Auth(parting))), &failure.notice).await;
    Closing::because(failure.reason).caused_by(failure.cause)
}

async fn live(
    session: &Session,
    mut client: ClientLeg,
    target: Target,
    reply: oneshot::Sender<Answer>,
) -> Closing {
    let Target { handle, flow, side, socket } = target;
    let (live, mut inbox) = Live::new(session, (client.leg.handle(), client.flow.clone()), (handle, flow));
    let live = Arc::new(live);
    side.join(&live);
    // Gone already, where nobody waits for the reply: the watch finds that out.
    let _ = reply.send(Answer::In(live.clone()));
    let mut relays = JoinSet::new();
    let outcome = watch(&live, &mut client, &side, &mut inbox, &mut relays).await;
    live.end();
    drop(inbox);
    // From here on no relay is polled again.
    relays.abort_all();
    let closing = match outcome {
        Outcome::Over(end) => Box::pin(cut::cut(&live, client, &end)).await,
        outcome => Box::pin(wind_up(&live, client, outcome)).await,
    };
    drop(socket);
    closing
}

async fn watch(
    live: &Arc<Live>,
    client: &mut ClientLeg,
    side: &target::Side,
    inbox: &mut Inbox,
    relays: &mut JoinSet<()>,
) -> Outcome {
    let mut countdown = Countdown::new(live.lease.clone(), live.terms.clone());
    loop {
        tokio::select! {
            biased;
            end = live.lease.ended() => return Outcome::Over(end),
            Some(fault) = inbox.faults.recv() => return Outcome::Fault(fault),
            done = &mut client.leg => return Outcome::ClientLeft(done.err().map(Left::from)),
            how = side.left() => return Outcome::TargetLeft(how),
            Some(relay) = inbox.relays.recv() => drop(relays.spawn(relay)),
            Some(_) = relays.join_next(), if !relays.is_empty() => {}
            warning = poll_fn(|cx| countdown.poll_next(cx)) => {
                let remaining = warning.remaining.as_secs();
                if live.recorder.append(&Event::Countdown { remaining }).is_err() {
                    return Outcome::Fault(Fault::Recording);
                }
                Box::pin(goodbye::warn(live, &countdown.notice(&warning))).await;
            }
        }
    }
}

/// The session ends by itself, or by somebody's fault.
async fn wind_up(live: &Live, client: ClientLeg, outcome: Outcome) -> Closing {
    let (closing, notice) = verdict(live, outcome);
    live.client_flow.discard();
    live.target_flow.discard();
    let running = work::running(live);
    if !running.is_empty() {
        tracing::info!(running = running.join(", "), reason = %closing.reason, "left at the end of the session");
    }
    let stopping = async {
        match closing.reason {
            EndReason::TargetClosed => {}
            EndReason::ProtocolError if notice.is_some() => {}
            // As when a client of the target's own leaves: what it left running goes on, or not, as it always has.
            EndReason::ClientClosed | EndReason::ProtocolError => work::leave(live).await,
            _ => drop(work::stop(live).await),
        }
    };
    let telling = async {
        if let Some(notice) = &notice {
            client.refuse(|| (), notice).await;
        }
    };
    tokio::join!(telling, stopping);
    let mut closing = closing;
    for entry in live.registry.all() {
        if entry.end().is_err() && closing.reason != EndReason::RecordingFailed {
            closing = Closing::because(EndReason::RecordingFailed).caused_by("the end of a channel");
        }
    }
    closing
}

fn verdict(live: &Live, outcome: Outcome) -> (Closing, Option<Notice>) {
    let target = &live.terms.target.name;
    let notice =
        |message: String, hint: &str| Some(Notice { message, detail: String::new(), hint: hint.to_owned() });
    match outcome {
        Outcome::Over(end) => (Closing::because(end.reason), None),
        Outcome::ClientLeft(None) => (Closing::because(EndReason::ClientClosed), None),
        Outcome::ClientLeft(Some(Left { broken, cause })) => {
            let reason = if broken { EndReason::ProtocolError } else { EndReason::ClientClosed };
            (Closing::because(reason).caused_by(format_args!("client: {cause}")), None)
        }
        Outcome::TargetLeft(Left { broken: false, cause }) => (
            Closing::because(EndReason::TargetClosed).caused_by(cause),
            notice(format!("curfew: {target} closed the connection"), "Connect again."),
        ),
        Outcome::TargetLeft(Left { broken: true, cause }) => (
            Closing::because(EndReason::ProtocolError).caused_by(format_args!("target: {cause}")),
            notice(
                format!("curfew: {target} broke the SSH protocol"),
                "Tell whoever runs the target; the gate's log has the cause.",
            ),
        ),
        Outcome::Fault(Fault::Recording) => (
            Closing::because(EndReason::RecordingFailed),
            notice(
                "curfew: the session can't be recorded any more, so it ends".to_owned(),
                "Tell whoever runs the gate that its recordings can't be written, and connect again then.",
            ),
        ),
    }
}
