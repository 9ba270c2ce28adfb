//! Why a target was not reached: a sentence for the person, and the cause for the operator.

use curfew_adapter::{EndReason, Notice, Refusal};
use std::fmt;

/// A target that was not reached.
#[derive(Debug)]
pub struct Failure {
    /// What the person is told.
    pub notice: Notice,
    /// Why the session ends.
    pub reason: EndReason,
    /// For the operator's log.
    pub cause: String,
}

impl Failure {
    /// The person is told `message`; the log says why.
    pub fn new(message: impl Into<String>, hint: &str, cause: impl fmt::Display) -> Box<Self> {
        let notice = Notice { message: message.into(), detail: String::new(), hint: hint.to_owned() };
        Box::new(Self { notice, reason: EndReason::TargetUnreachable, cause: cause.to_string() })
    }

    /// Nothing answers there, or not SSH.
    pub fn unreachable(target: &str, cause: impl fmt::Display) -> Box<Self> {
        Self::new(
            format!("curfew: {target} could not be reached"),
            "Try again in a moment; if it stays so, tell whoever runs it.",
            cause,
        )
    }

    /// It answers, and does not take the account.
    pub fn account(target: &str, cause: impl fmt::Display) -> Box<Self> {
        Self::new(
            format!("curfew: {target} did not accept the account"),
            "Tell whoever runs the gate; its log has the cause.",
            cause,
        )
    }

    /// It is not known to be the right one.
    pub fn host_key(target: &str, cause: impl fmt::Display) -> Box<Self> {
        Self::new(
            format!("curfew: {target} did not prove that it is the right host"),
            "Don't go around the gate: tell whoever runs it that the host's key is not the known one.",
            cause,
        )
    }
}

impl From<Refusal> for Box<Failure> {
    fn from(refusal: Refusal) -> Self {
        let cause = refusal.notice.message.clone();
        Self::new(Failure { notice: *refusal.notice, reason: EndReason::TargetUnreachable, cause })
    }
}
