//! Is access that was granted still in order?
//!
//! Owns the rule that a live session needs both the contract as pinned by its request and the contract as it stands
//! now. It never ends anything: it answers, and says until when the answer holds by the hours alone.

use jiff::Timestamp;
use serde::Serialize;

use super::decide::{Decision, Reason, decide};
use super::model::Contract;
use super::person::Person;
use super::wanted::Wanted;

/// Why access that was granted is no longer in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "because", content = "reasons", rename_all = "snake_case")]
pub enum NoLonger {
    /// No contract of that name is in force.
    Withdrawn,
    /// The contract as pinned by the request says no.
    Pinned(Vec<Reason>),
    /// The contract as it stands says no.
    Current(Vec<Reason>),
}

/// Whether both versions of the contract still give `person` what is `wanted`. The answer holds until the instant
/// returned, at which hours close (`None`: no hours); it must be asked again then, and whenever people, targets or
/// contracts change.
///
/// # Errors
/// Which version says no, and why.
pub fn still_allowed(
    pinned: &Contract,
    current: Option<&Contract>,
    person: &Person,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<Option<Timestamp>, NoLonger> {
    let current = current.ok_or(NoLonger::Withdrawn)?;
    if let Decision::Mismatch(reasons) = decide(pinned, person, wanted, now) {
        return Err(NoLonger::Pinned(reasons));
    }
    if let Decision::Mismatch(reasons) = decide(current, person, wanted, now) {
        return Err(NoLonger::Current(reasons));
    }
    Ok([pinned.open_until(now), current.open_until(now)].into_iter().flatten().min())
}
