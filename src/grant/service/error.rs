//! Why an act on requests and grants did not happen.
//!
//! Owns the sentences that the state machines have not. `Display` may be shown to the person, also for what went
//! wrong in the store: the cause is for the log.

use crate::grant::{AskRefused, GrantRefused, Refused};
use crate::store::StoreError;
use crate::toml_doc::show_duration;

use super::ask::{Choice, MOST_PENDING};

/// Why it did not happen. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum GrantsError {
    /// No such request, or not for these eyes.
    #[error("there is no such request, or you may not see it: `curfew requests` lists yours")]
    NoRequest,
    /// No such grant, or not for these eyes.
    #[error("there is no such grant, or you may not see it: `curfew grants` lists yours")]
    NoGrant,
    /// No such target, or none that this person may know of: these look the same.
    #[error(
        "there is no target {target} that you may reach or ask for: `curfew targets` lists those that you may"
    )]
    NoTarget {
        /// As it was named.
        target: String,
    },
    /// The person knows the target, but no contract gives this.
    #[error("no contract gives you {account} on {target}: you may ask for {}", offers.join(", "))]
    NoContract {
        /// The target.
        target: String,
        /// The account that was asked for.
        account: String,
        /// Accounts that could be asked for.
        offers: Vec<String>,
    },
    /// The contract that was named gives this person nothing there.
    #[error("the contract {contract} gives you nothing on {target}: you may ask under {}", offers.join(", "))]
    OtherContract {
        /// As it was named.
        contract: String,
        /// The target.
        target: String,
        /// Contracts that could be asked under.
        offers: Vec<String>,
    },
    /// Several contracts give it: the person picks.
    #[error("several contracts give this: name one of {}", names(.0))]
    SeveralContracts(Vec<Choice>),
    /// Several accounts could be meant.
    #[error("{target} has several accounts that you may ask for: name one of {}", accounts.join(", "))]
    SeveralAccounts {
        /// The target.
        target: String,
        /// The accounts.
        accounts: Vec<String>,
    },
    /// The target is not configured any more.
    #[error("the target {target} is not configured any more: deny or cancel the request")]
    TargetGone {
        /// The target.
        target: String,
    },
    /// The ask misses something, or the contract does not give it.
    #[error(transparent)]
    Ask(#[from] AskRefused),
    /// The request stays as it is.
    #[error(transparent)]
    Request(#[from] Refused),
    /// The grant stays as it is.
    #[error(transparent)]
    Grant(#[from] GrantRefused),
    /// An extension of that grant waits already.
    #[error("an extension of this grant waits for its approvers already: cancel that one to ask anew")]
    ExtensionPending,
    /// Too many pending requests of one person.
    #[error("{MOST_PENDING} of your requests are pending: wait for them, or cancel some")]
    TooManyPending,
    /// The idempotency key was used for another ask.
    #[error("this Idempotency-Key was used for another request: take a new one")]
    KeyReused,
    /// The idempotency key is not one.
    #[error("an Idempotency-Key has 1 to 200 printable ASCII characters: take such a one")]
    BadKey,
    /// A denial or a revocation says why.
    #[error("say why: the other person is told")]
    ReasonMissing,
    /// A note that nobody would read.
    #[error("the text is longer than 2000 characters: shorten it, and link to the rest")]
    NoteTooLong,
    /// Not for this role.
    #[error(
        "only those who could approve a grant, and admins, can revoke it: to give back your own, return it"
    )]
    MayNotRevoke,
    /// Not for this role.
    #[error("only auditors and admins see everybody's: look at your own")]
    MayNotReadAll,
    /// Somebody else changed it at the same moment.
    #[error("somebody else changed it at the same moment: look again, then try again")]
    Stale,
    /// The contract that the request pinned can't be read any more.
    #[error(
        "the version of the contract {contract} that it was made under can't be read: tell whoever runs Curfew"
    )]
    Unreadable {
        /// The contract.
        contract: String,
    },
    /// The store did not do it.
    #[error("{}", .0.sentence())]
    Store(#[from] StoreError),
}

/// Whose turn it is to do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not there, or not for these eyes.
    NotFound,
    /// They may not.
    Forbidden,
    /// It does not fit how things stand; also where there is a choice to make.
    Conflict,
    /// What was asked is wrong.
    Invalid,
    /// Curfew can't, now.
    Unavailable,
}

impl GrantsError {
    /// Whose turn it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::NoRequest | Self::NoGrant | Self::NoTarget { .. } => Fault::NotFound,
            Self::NoContract { .. }
            | Self::OtherContract { .. }
            | Self::MayNotRevoke
            | Self::MayNotReadAll => Fault::Forbidden,
            Self::SeveralContracts(_)
            | Self::TargetGone { .. }
            | Self::ExtensionPending
            | Self::TooManyPending
            | Self::Stale => Fault::Conflict,
            Self::SeveralAccounts { .. }
            | Self::KeyReused
            | Self::BadKey
            | Self::ReasonMissing
            | Self::NoteTooLong => Fault::Invalid,
            Self::Ask(refused) => ask_fault(refused),
            Self::Request(refused) => request_fault(refused),
            Self::Grant(refused) => grant_fault(refused),
            Self::Unreadable { .. } | Self::Store(_) => Fault::Unavailable,
        }
    }
}

const fn ask_fault(refused: &AskRefused) -> Fault {
    match refused {
        AskRefused::Unknown | AskRefused::NotAllowed { .. } | AskRefused::NotYours => Fault::Forbidden,
        AskRefused::ReasonMissing { .. }
        | AskRefused::ReasonTooLong
        | AskRefused::Ticket { .. }
        | AskRefused::TicketTooLong
        | AskRefused::TooLong { .. }
        | AskRefused::TooShort
        | AskRefused::TooFarAhead => Fault::Invalid,
        AskRefused::Closed { .. } | AskRefused::OtherContract => Fault::Conflict,
        AskRefused::Grant(refused) => grant_fault(refused),
        AskRefused::Decision(refused) => request_fault(refused),
    }
}

const fn request_fault(refused: &Refused) -> Fault {
    match refused {
        Refused::MayNotDecide(_) | Refused::Unknown | Refused::NotYours => Fault::Forbidden,
        Refused::Longer { .. } | Refused::TooShort => Fault::Invalid,
        _ => Fault::Conflict,
    }
}

const fn grant_fault(refused: &GrantRefused) -> Fault {
    match refused {
        GrantRefused::NotYours => Fault::Forbidden,
        _ => Fault::Conflict,
    }
}

fn names(choices: &[Choice]) -> String {
    let names: Vec<_> = choices
        .iter()
        .map(|choice| format!("{} (up to {})", choice.name, show_duration(choice.max)))
        .collect();
    names.join(", ")
}
