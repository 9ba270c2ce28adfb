//! A target that can't be had, in words for the person and in words for the operator.

use crate::client::Sentence;
use curfew_adapter::{EndReason, Refusal};
use std::fmt;

/// Why a target can't be had. Its secret is in none of this.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the person is told.
    pub sentence: Sentence,
    /// What the operator's log says.
    pub cause: String,
    /// How the session ends.
    pub reason: EndReason,
    /// Whether another host of the target would make no difference.
    pub conclusive: bool,
}

impl Failure {
    /// The target `name` can't be had, because `why`.
    pub fn unreachable(name: &str, why: impl fmt::Display) -> Self {
        let sentence = Sentence::new(
            "08001",
            format!("curfew: the target {name} can't be reached: {why}"),
            "Try again in a moment; if it stays so, tell whoever runs the target.",
        );
        let reason = EndReason::TargetUnreachable;
        Self { sentence, cause: why.to_string(), reason, conclusive: false }
    }

    /// The target's secret, or the certificate, can't be had.
    pub fn no_secret(refusal: Refusal) -> Self {
        let cause = format!("no secret: {}", refusal.notice.message);
        let reason = EndReason::TargetUnreachable;
        Self { sentence: refusal.into(), cause, reason, conclusive: true }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}
