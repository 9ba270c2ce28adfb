//! The refusals of the gate: one sentence each, and what to do next.

use super::parts::Parts;
use super::words::{self, span};
use crate::grant::GrantsError;
use crate::store::{StoreError, with_causes};
use curfew_adapter::{Ask, Notice, Refusal, RefusalKind, Teller};
use std::sync::Arc;
use std::time::Duration;

/// There is no such target, or this identity may not know of it: the two read the same.
pub fn not_allowed(parts: &Parts, ask: &Ask) -> Refusal {
    Refusal::new(
        RefusalKind::NotAllowed,
        format!(
            "there is no target {:?} with an account {:?} that you may reach or ask for",
            ask.target, ask.account
        ),
        format!("see what you may ask for: {}", parts.site.absolute("/")),
    )
}

/// No grant; a contract would give one.
pub fn no_grant(parts: &Parts, ask: &Ask, contracts: &str) -> Refusal {
    Refusal::new(
        RefusalKind::NoGrant,
        format!("you have no grant for {} as {}; {contracts} would give one", ask.target, ask.account),
        format!("ask for it: {}", words::ask_url(&parts.site, &ask.target, &ask.account)),
    )
}

/// The target's entry names no database, and neither does the client.
pub fn no_database(target: &str) -> Refusal {
    Refusal::new(
        RefusalKind::NotAllowed,
        format!("{target} has several databases, and the connection names none"),
        format!("name one behind the target: {target}/DATABASE"),
    )
}

/// The node is on its way out.
pub fn draining() -> Refusal {
    Refusal::new(
        RefusalKind::Draining,
        "Curfew is being shut down, so no session may start",
        "try again in a moment",
    )
}

/// An admin killed a session here a moment ago.
pub fn barred(left: Duration) -> Refusal {
    let left = i64::try_from(left.as_secs()).unwrap_or(i64::MAX).max(1);
    Refusal::new(
        RefusalKind::Barred,
        format!("an admin ended your session here, so new ones are refused for another {}", span(left)),
        "ask the admins of Curfew why",
    )
}

/// Back within five seconds of a cut: told again, and not made to wait. psql shows no error of a reconnect of its own,
/// only notices, so it gets the sentence as one too.
pub async fn just_cut(notice: &Arc<Notice>, ask: &Ask, tell: &Teller) -> Refusal {
    if ask.can_wait {
        tell.show(Notice::clone(notice)).await;
    }
    Refusal { kind: RefusalKind::Barred, notice: Box::new(Notice::clone(notice)) }
}

/// As many sessions live under the grant as its contract allows.
pub fn too_many_sessions(limit: u32) -> Refusal {
    Refusal::new(
        RefusalKind::TooMany,
        format!("{limit} sessions are live under your grant, which is all that its contract allows at once"),
        "close one of them and connect again",
    )
}

/// As many connections wait for people as may.
pub fn too_many_wait() -> Refusal {
    Refusal::new(
        RefusalKind::TooMany,
        "too many connections wait for somebody to sign in or to decide",
        "finish or close the others, then connect again",
    )
}

/// The grant ended between the look and the start.
pub fn grant_over() -> Refusal {
    Refusal::new(
        RefusalKind::NoGrant,
        "your grant ended at this very moment",
        "connect again to ask for another",
    )
}

/// Something of ours is down.
pub fn unavailable(message: &str) -> Refusal {
    Refusal::new(RefusalKind::Unavailable, message, "try again in a moment, or tell whoever runs Curfew")
}

/// The store does not answer.
pub fn store_down(error: &StoreError) -> Refusal {
    tracing::error!(cause = %with_causes(error), "the store does not answer");
    unavailable(error.sentence())
}

/// The service around grants can't answer.
pub fn grants(error: &GrantsError) -> Refusal {
    tracing::error!(cause = %with_causes(error), "grants can't be looked up");
    unavailable(&error.to_string())
}

/// What a client is told whose recording failed in mid-session.
pub fn recording_failed() -> Notice {
    Notice {
        message: "access has ended: the session can no longer be recorded".to_owned(),
        detail: String::new(),
        hint: "connect again in a moment, or tell whoever runs Curfew".to_owned(),
    }
}
