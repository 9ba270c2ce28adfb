//! The lease is over: nothing passes any more.

use super::run::ClientLeg;
use super::{Live, goodbye, work};
use crate::flow::Flow;
use curfew_adapter::{BootTime, Closing, CutReport, End, Event, Goodbye};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long what was handed to the library before the end may take to be encrypted. It takes none, save in the middle
/// of a key exchange.
const SEAL: Duration = Duration::from_millis(10);

/// When both connections are closed, told or not: early enough to be done within two seconds on a machine that is busy.
/// The core's guard shuts them down then.
const LIMIT: Duration = Duration::from_millis(1700);

/// Why there was no goodbye, where there was nobody to hear it.
const DEAF: &str = "the client reads nothing";

/// Ends both legs. The relays have been stopped, so nothing more is handed to either library.
pub async fn cut(live: &Live, mut client: ClientLeg, end: &End) -> Closing {
    let until = Instant::now() + LIMIT;
    live.client_flow.discard();
    live.target_flow.discard();
    let (client_sealed, target_sealed) = tokio::join!(seal(&live.client_flow), seal(&live.target_flow));
    let last_byte = last_byte(live, end);
    let waiting = live.client_flow.is_blocked() || live.target_flow.is_blocked();
    let running = work::running(live);
    if client_sealed {
        // The recording is about to be sealed; where it fails now, there is nothing left to stop.
        let _ = live.recorder.append(&Event::Goodbye { message: &end.notice.message });
    }
    // What was encrypted at the end and did not fit into a socket leaves behind it.
    let draining = async {
        tokio::join!(live.client_flow.clear(), live.target_flow.clear());
        live.now()
    };
    let saying = async {
        if !client_sealed {
            return Goodbye::None("what it was being sent was not encrypted yet");
        }
        let heard = goodbye::say(live, &end.notice).await;
        // It has read the disconnect where it closes. One that still sends is heard out, so that no reset destroys
        // what it is told.
        let left = timeout_at(until, &mut client.leg).await.is_ok();
        if heard || left { Goodbye::Sent } else { Goodbye::None(DEAF) }
    };
    let stopping = async {
        if target_sealed {
            work::stop(live).await
        } else {
            "the connection was closed: what was being sent was not encrypted yet".to_owned()
        }
    };
    let (drained, goodbye, target_work) =
        tokio::join!(timeout_at(until, draining), timeout_at(until, saying), timeout_at(until, stopping));
    for entry in live.registry.all() {
        let _ = entry.end();
    }
    let cut = CutReport {
        blocked_at: if waiting { drained.unwrap_or_else(|_| live.now()) } else { last_byte },
        goodbye: goodbye.unwrap_or(Goodbye::None(DEAF)),
        outstanding: (!running.is_empty()).then(|| running.join(", ")),
        target_work: target_work
            .unwrap_or_else(|_| "the connection was closed: the target reads nothing".to_owned()),
    };
    Closing { cut: Some(cut), ..Closing::because(end.reason) }
}

/// When the last byte of the session left. From the end on nothing is handed to either leg, whenever it comes to this
/// session's turn to be told so; what was handed over before is encrypted by now, and leaves as it is encrypted.
fn last_byte(live: &Live, end: &End) -> BootTime {
    let now = live.now();
    let before = |silence: Duration| {
        let silence = u64::try_from(silence.as_nanos()).unwrap_or(u64::MAX);
        BootTime::from_nanos(now.as_nanos().saturating_sub(silence))
    };
    let left = |flow: &Flow| flow.silent_for().map_or(end.at, before);
    end.at.max(left(&live.client_flow)).max(left(&live.target_flow))
}

/// Whether everything handed to a leg is encrypted. Where it is not, no more leaves on that leg than what is.
async fn seal(flow: &Flow) -> bool {
    let sealed = timeout(SEAL, flow.sealed()).await.is_ok();
    if !sealed {
        flow.freeze();
    }
    sealed
}
