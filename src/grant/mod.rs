//! From a request over its approval to a grant.
//!
//! Owns the state machines of request and grant, pure and apart from each other, and the service around them. It
//! never moves a byte of a session: `session` asks what is granted, and is told when that changes.

mod ask;
#[expect(clippy::module_inception, reason = "the grant of request -> approval -> grant has its own file")]
mod grant;
mod record;
mod refused;
mod request;
mod service;

pub use ask::{AskAccess, AskExtension, AskRefused, FURTHEST, REASON_MAX, SHORTEST, TICKET_MAX};
pub use grant::{Ended, Grant, GrantEnd, GrantRecord, GrantState};
pub use record::{Approval, Decided, RequestKind, RequestRecord, RequestState};
pub use refused::{GrantRefused, Refused};
pub use request::{Approved, ApprovedExtension, Facts, Outcome, Request, RequestEvent, Step};
pub use service::{
    AccountView, Approve, Ask, Caller, Choice, Directory, Fault, GrantView, Grants, GrantsError, Known,
    Offer, PersonView, RequestView, Scope, StoreDirectory, TargetView, Ticked, VoteView,
};

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod properties;
