//! A no, as Postgres says it.
//!
//! | refusal | SQLSTATE | in Postgres's words |
//! |---|---|---|
//! | not signed in | 28000 | invalid_authorization_specification |
//! | not allowed, no grant | 42501 | insufficient_privilege |
//! | barred | 55000 | object_not_in_prerequisite_state |
//! | too many | 53300 | too_many_connections |
//! | unavailable, draining | 57P03 | cannot_connect_now |
//!
//! Beyond refusals: 08P01 where the client breaks the protocol, 0A000 for what is not spoken here, 08001
//! where the target can't be had, 57P01 for the cut.

use crate::codec::report::Report;
use curfew_adapter::{Notice, Refusal, RefusalKind};

/// What a client is told at the end: a code, and words for a person.
#[derive(Clone, Debug)]
pub struct Sentence {
    /// The SQLSTATE.
    pub code: &'static str,
    /// The words.
    pub notice: Notice,
}

impl Sentence {
    /// One sentence, and what to do next.
    pub fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let notice = Notice { message: message.into(), detail: String::new(), hint: hint.into() };
        Self { code, notice }
    }

    /// The client broke the protocol, by `what`.
    pub fn protocol(what: &str) -> Self {
        Self::new(
            "08P01",
            format!("curfew: the client broke the Postgres protocol: {what}"),
            "Check that the client speaks the Postgres protocol to this port.",
        )
    }
}

impl From<Refusal> for Sentence {
    fn from(refusal: Refusal) -> Self {
        Self { code: sqlstate(refusal.kind), notice: *refusal.notice }
    }
}

/// The SQLSTATE of a refusal.
const fn sqlstate(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::NotSignedIn => "28000",
        RefusalKind::NotAllowed | RefusalKind::NoGrant => "42501",
        RefusalKind::Barred => "55000",
        RefusalKind::TooMany => "53300",
        RefusalKind::Unavailable | RefusalKind::Draining => "57P03",
    }
}

/// Appends a FATAL.
pub fn fatal(out: &mut Vec<u8>, code: &str, notice: &Notice) {
    let Notice { message, detail, hint } = notice;
    Report { severity: "FATAL", code, message, detail, hint }.error(out);
}
