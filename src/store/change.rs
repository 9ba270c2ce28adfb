//! What changed, told to the parts of the gate that wait for it.
//!
//! Owns the words. A change says which thing to look at again, never what became of it: a listener reads the store,
//! so that a change told twice, late or in another order does no harm.

use curfew_adapter::{BootTime, GrantId, IdentityId, RequestId, SessionId, SigninId};

/// How many changes are kept for a listener that lags.
pub(super) const KEPT: usize = 1_024;

/// A thing to look at again. It was changed by a transaction that is durable by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A request was made, voted on or decided.
    Request(RequestId),
    /// A grant was opened, activated, extended or ended.
    Grant(GrantId),
    /// A sign-in began or ended.
    Signin(SigninId),
    /// An identity was disabled, enabled, or has other groups.
    Identity(IdentityId),
    /// A session began or ended.
    Session(SessionId),
    /// Another set of contracts is in force.
    Contracts,
    /// The audit log has a line of this number.
    Audit(u64),
}

/// A change, and the instant from which it holds: the end of a grant counts from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// What to look at again.
    pub change: Change,
    /// When the transaction became durable, on the clock that measures.
    pub at: BootTime,
}
