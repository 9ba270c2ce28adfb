//! Why an event does not apply to a request or a grant, in a sentence for the person who caused it.
//!
//! Owns the refusals of the state machines. It never says more than the person may know: names of other people are
//! left out.

use std::time::Duration;

use jiff::Timestamp;

use crate::contract::{Contract, NotApprover, Open, Reason};

use crate::toml_doc::show_duration;

use super::grant::GrantState;
use super::record::RequestState;

/// Why a request stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is decided already.
    #[error("this request is {} already: nothing was changed", state.word())]
    NotPending {
        /// Where it stands.
        state: RequestState,
    },
    /// The caller brought another version of the contract than the request pins.
    #[error("this request was made under another version of the contract: load that one and try again")]
    OtherContract,
    /// The caller brought another target than the request is for.
    #[error("this request is for another target: load that one and try again")]
    OtherTarget,
    /// The time to decide is over.
    #[error("this request lapsed at {expires_at:.0}: ask for a new one")]
    Lapsed {
        /// When it lapsed.
        expires_at: Timestamp,
    },
    /// This person may not decide it.
    #[error("{0}")]
    MayNotDecide(NotApprover),
    /// Nobody of that key, or disabled.
    #[error("your identity is unknown or disabled: sign in again, or ask an admin")]
    Unknown,
    /// Only those whom it is about may cancel it.
    #[error("only the person who asked, or whom it is for, can cancel this request: deny it instead")]
    NotYours,
    /// An approver may shorten, never lengthen.
    #[error("{} were asked for, and an approver can only shorten that: leave the duration out, or give less",
        show_duration(*asked))]
    Longer {
        /// What was asked for.
        asked: Duration,
    },
    /// Less than anybody could use.
    #[error("a grant lasts at least 10s: give a longer duration, or deny the request")]
    TooShort,
    /// The person it is for is unknown or disabled by now.
    #[error("the person it is for is unknown or disabled by now: deny the request")]
    BeneficiaryGone,
    /// The contract does not give it to this person any more.
    #[error("the contract no longer gives this: {}; deny the request", join(.0))]
    NoLongerAllowed(Vec<Reason>),
    /// Outside the contract's hours.
    #[error("the hours of the contract {contract} are closed then{}", opens_again(*opens))]
    Closed {
        /// The contract.
        contract: String,
        /// When they open next.
        opens: Option<Timestamp>,
    },
}

impl Refused {
    pub(super) fn closed(contract: &Contract, at: Timestamp) -> Self {
        let opens = match contract.hours_at(at) {
            Open::Closed { opens } => opens,
            Open::Always | Open::Until(_) => None,
        };
        Self::Closed { contract: contract.name.clone(), opens }
    }
}

/// Why a grant stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefused {
    /// It is over.
    #[error("this grant is {} already: nothing was changed", state.word())]
    Over {
        /// How it ended.
        state: GrantState,
    },
    /// It has not started.
    #[error("this grant has not started: extend it once it is active")]
    NotActive,
    /// Only the person who has it can return it.
    #[error("only the person whose grant it is can return it: revoke it instead")]
    NotYours,
    /// The extension was approved for another grant, or under another version of the contract.
    #[error("this extension is for another grant: ask for a new one")]
    OtherGrant,
    /// The contract knows no extensions.
    #[error("the contract {contract} does not extend grants: ask for a new one")]
    NoExtension {
        /// The contract.
        contract: String,
    },
    /// All extensions are used up.
    #[error("this grant was extended {max} times, as often as its contract allows: ask for a new one")]
    UsedUp {
        /// As often as allowed.
        max: u32,
    },
    /// The hours close at its end.
    #[error("the hours of the contract close at {closes:.0}, when this grant ends: it can't last longer")]
    HoursClose {
        /// The close.
        closes: Timestamp,
    },
}

impl RequestState {
    /// The word for it, in sentences, commands and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

pub(super) fn join(reasons: &[Reason]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

pub(super) fn opens_again(opens: Option<Timestamp>) -> String {
    opens.map_or_else(String::new, |opens| format!(": they open again at {opens:.0}"))
}
