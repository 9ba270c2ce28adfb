//! What idle sessions cost whoever stands in between, and whether it gives that back.

use std::time::Duration;

use curfew_harness::{Error, Result, until};

use super::super::crowd::{Crowd, Size};
use super::peers::{Peers, Who};

const LIMIT: Duration = Duration::from_secs(20);

/// How long sessions have said nothing when memory is looked at: they are idle, and not just between two queries.
const IDLE: Duration = Duration::from_secs(4);

/// More than it had at the start, when all have left: what is good.
pub const BACK: f64 = 1.2;

/// Memory of whoever stands in between, in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// Without a session, once it has had some.
    pub none: f64,
    /// For each of 100 sessions.
    pub hundred: f64,
    /// For each of 1,000.
    pub thousand: f64,
    /// Of the start, when they have left: 1 is all of it.
    pub after: f64,
}

/// Opens idle sessions to the stand-in, and closes them.
pub async fn idle(peers: &Peers, who: Who) -> Result<Idle> {
    let crowd = async |idle| {
        let crowd =
            Crowd::open(peers.crowd(who, Size { idle, streaming: 0, every: Duration::ZERO })?).await?;
        tokio::time::sleep(IDLE).await;
        Ok::<_, Error>(crowd)
    };
    // What is made once, at the first sessions, belongs to none.
    drop(crowd(20).await?);
    let none = peers.resident_kib(who)?;
    let first = crowd(100).await?;
    let hundred = peers.resident_kib(who)?;
    let more = crowd(900).await?;
    let thousand = peers.resident_kib(who)?;
    drop((first, more));
    let now = || peers.resident_kib(who).map(|now| now / none);
    let back = async || now().ok().filter(|now| *now <= BACK);
    // Where it never is, the last look tells by how much.
    let _ = until("its memory to be given back", LIMIT, back).await;
    Ok(Idle { none, hundred: (hundred - none) / 100.0, thousand: (thousand - none) / 1000.0, after: now()? })
}
