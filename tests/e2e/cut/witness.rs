//! What must be true of each cut, whatever the session was doing, and however it came to its end.

use std::time::{Duration, Instant};

use curfew_harness::clock::{Clock, millis};
use curfew_harness::tap::What;
use curfew_harness::wire::{Message, messages};
use curfew_harness::{Direction, Person};
use serde_json::Value;

use crate::world::{Auditor, LIMIT, World};

/// Both sockets are closed within two seconds of the end; and what a tap needs to see it while others keep the
/// machine busy.
pub const CLOSED: Duration = Duration::from_millis(2_300);
/// Nothing is left in pg_stat_activity three seconds after the end.
pub const GONE: Duration = Duration::from_secs(3);
/// How long after a revocation was committed a byte may still pass: it has to reach whoever moves bytes first. A
/// deadline is known beforehand, so after that not one may.
pub const LATENCY: Duration = Duration::from_millis(500);

/// How a grant comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By itself.
    Expiry,
    /// By somebody who may.
    Revoke,
}

impl How {
    /// The grant's duration.
    pub const fn duration(self) -> &'static str {
        match self {
            Self::Expiry => "12s",
            Self::Revoke => "30m",
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Expiry => "expired",
            Self::Revoke => "revoked",
        }
    }

    /// No row made after this may pass.
    pub fn last_byte(self, cut: &Cut) -> jiff::Timestamp {
        if self == Self::Expiry { cut.end_wall } else { cut.end_wall + LATENCY }
    }
}

/// One session, as the taps number it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The connection of the client-side tap.
    pub client: usize,
    /// The connection of the target-side tap.
    pub target: usize,
}

impl Place {
    /// The place that the next session will have.
    pub fn next(world: &World) -> Self {
        Self { client: world.client_side.connections(), target: world.target_side.connections() }
    }
}

/// What was found about a cut.
pub struct Cut {
    /// The instant of the end, on the taps' clock.
    pub end: Instant,
    /// The same on the wall.
    pub end_wall: jiff::Timestamp,
    /// `session.ended`.
    pub event: Value,
    /// The goodbye, if there was one.
    pub goodbye: Option<Message>,
}

/// Brings the grant to its end, and checks all that holds for every cut.
pub async fn cut(world: &World, erin: &Auditor, dave: &Person, grant: &Value, how: How, place: Place) -> Cut {
    let id = grant["id"].as_str().unwrap();
    let account = grant["account"].as_str().unwrap();
    let before = Clock::read();
    if how == How::Revoke {
        dave.json(["revoke", id, "--reason", "a test", "--json"]).await.unwrap();
    }
    let event = erin.ended(id).await;
    assert_eq!(event["reason"], how.reason(), "{event}");
    let session = erin.get(&format!("/api/v1/sessions/{}", event["session"].as_str().unwrap())).await;
    let ended_at = session["ended_at"].as_str().unwrap();
    let end = before.instant(ended_at).unwrap();
    if how == How::Expiry {
        let ends_at: jiff::Timestamp = grant["ends_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(ended_at.parse::<jiff::Timestamp>().unwrap(), ends_at, "{session}");
    }

    // Both sockets, in time.
    let to_client = world.client_side.closed(place.client, Direction::ToClient, LIMIT).await.unwrap();
    let to_target = world.target_side.closed(place.target, Direction::ToTarget, LIMIT).await.unwrap();
    for (whose, at) in [("client", to_client), ("target", to_target)] {
        assert!(
            at <= end + CLOSED,
            "the {whose}'s socket was closed {:.0} ms after the end",
            millis(end, at)
        );
    }
    // The target's work.
    let left = format!("select count(*) = 0 from pg_stat_activity where usename = '{account}'");
    let patience = (end + GONE).saturating_duration_since(Instant::now());
    world.postgres.wait_until(&left, patience).await.unwrap();
    // What is on record.
    let latency = event["cut"]["latency_us"].as_u64().unwrap_or_else(|| panic!("no latency: {event}"));
    assert!(Duration::from_micros(latency) < LATENCY, "{event}");
    let said = world.client_side.bytes(place.client, Direction::ToClient);
    let goodbye = messages(&said)
        .0
        .pop()
        .filter(|last| last.tag == b'E' && last.field('C').as_deref() == Some("57P01"));
    assert_eq!(goodbye.is_some(), event["cut"]["no_goodbye"].is_null(), "{goodbye:?} {event}");
    if let Some(goodbye) = &goodbye {
        let said = |code| goodbye.field(code).unwrap_or_default();
        assert_eq!(said('S'), "FATAL");
        assert!(said('M').contains(&format!("access to orders as {account} has ended")), "{goodbye:?}");
        assert!(said('D').contains(id) && said('D').contains("orders-now"), "{goodbye:?}");
        assert!(said('H').contains(&world.gate.page("/requests/new?")), "{goodbye:?}");
        if how == How::Revoke {
            assert!(said('M').contains("dave@example.com") && said('M').contains("a test"), "{goodbye:?}");
        }
    }
    Cut { end, end_wall: ended_at.parse().unwrap(), event, goodbye }
}

/// A session that was quiet at the end: the goodbye is all that comes after it, and at most the
/// gate's own Terminate goes to the target.
pub fn quiet(world: &World, cut: &Cut, place: Place) {
    let late = world.client_side.after(place.client, Direction::ToClient, cut.end);
    let (late, rest) = messages(&late);
    assert!(rest.is_empty() && late.iter().eq(cut.goodbye.iter()), "to the client after the end: {late:?}");
    assert!(cut.goodbye.is_some(), "no goodbye: {}", cut.event);
    let late = world.target_side.after(place.target, Direction::ToTarget, cut.end);
    assert!(late.is_empty() || late == b"X\0\0\0\x04", "to the target after the end: {late:?}");
}

/// When the last piece of bytes to the client was seen.
pub fn last_piece(world: &World, place: Place) -> Instant {
    let events = world.client_side.events();
    let mine = events.iter().filter(|e| e.connection == place.client && e.direction == Direction::ToClient);
    mine.filter(|e| matches!(e.what, What::Bytes(_))).map(|e| e.at).max().unwrap()
}
