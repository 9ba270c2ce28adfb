//! A grant: what an approved request creates, from scheduled over active to expired, revoked or returned.
//!
//! Owns the state machine, pure, and the window within which access is admitted. A [`Grant`] is made from an
//! [`Approved`] alone. It never looks at a clock, at contracts in force or at sessions.

use std::time::Duration;

use curfew_adapter::{EndReason, GrantId, RequestId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contract::{Contract, Extend, GrantTerms, Open, PersonKey, Pin, later_by};

use super::refused::GrantRefused;
use super::request::{Approved, ApprovedExtension, ApprovedParts};

/// Where a grant stands at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    /// Its start is ahead.
    Scheduled,
    /// It admits.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody took it away.
    Revoked,
    /// The person gave it back.
    Returned,
}

impl GrantState {
    /// The word for it, in sentences, commands and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Returned => "returned",
        }
    }

    /// Why sessions under a grant in this state end; `None` while it may admit.
    #[must_use]
    pub fn ends_sessions(self) -> Option<EndReason> {
        match self {
            Self::Scheduled | Self::Active => None,
            Self::Expired => Some(EndReason::Expired),
            Self::Revoked => Some(EndReason::Revoked),
            Self::Returned => Some(EndReason::Returned),
        }
    }
}

/// How a grant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantEnd {
    /// Its time was over.
    Expired,
    /// Somebody took it away.
    Revoked,
    /// The person gave it back.
    Returned,
}

/// The end of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub how: GrantEnd,
    /// When.
    pub at: Timestamp,
    /// By whom; `None`: by the passing of time.
    pub by: Option<PersonKey>,
    /// Why, in their words.
    pub note: Option<String>,
}

/// Everything about a grant, as the store keeps it and the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRecord {
    /// Its id.
    pub id: GrantId,
    /// The request that it came from.
    pub request: RequestId,
    /// The version of the contract that the request pinned.
    pub contract: Pin,
    /// Who asked.
    pub requester: PersonKey,
    /// Whose it is.
    pub beneficiary: PersonKey,
    /// What its sessions may do.
    pub terms: GrantTerms,
    /// The first instant that it admits.
    pub starts_at: Timestamp,
    /// The first instant that it no longer admits.
    pub ends_at: Timestamp,
    /// How often it was extended.
    pub extensions: u32,
    /// How it ended, once that is on record. After `ends_at` it is over in any case.
    pub ended: Option<Ended>,
}

/// A grant, in a state that its own rules led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant(GrantRecord);

impl Grant {
    /// Opens the grant that was approved.
    #[must_use]
    pub fn open(id: GrantId, approved: Approved) -> Self {
        let ApprovedParts { request, terms, starts_at, ends_at } = approved.into_parts();
        Self(GrantRecord {
            id,
            request: request.id,
            contract: request.contract,
            requester: request.requester,
            beneficiary: request.beneficiary,
            terms,
            starts_at,
            ends_at,
            extensions: 0,
            ended: None,
        })
    }

    /// A grant as the store kept it. For the store alone.
    pub(crate) fn restore(record: GrantRecord) -> Self {
        Self(record)
    }

    /// Everything about it.
    #[must_use]
    pub fn record(&self) -> &GrantRecord {
        &self.0
    }

    /// Where it stands at `now`, whether or not its end is on record yet.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> GrantState {
        match &self.0.ended {
            Some(ended) => match ended.how {
                GrantEnd::Expired => GrantState::Expired,
                GrantEnd::Revoked => GrantState::Revoked,
                GrantEnd::Returned => GrantState::Returned,
            },
            None if now >= self.0.ends_at => GrantState::Expired,
            None if now >= self.0.starts_at => GrantState::Active,
            None => GrantState::Scheduled,
        }
    }

    /// Whether a session may live under it at `now`.
    #[must_use]
    pub fn admits(&self, now: Timestamp) -> bool {
        self.state(now) == GrantState::Active
    }

    /// Whether it may carry a session on that was admitted under `other`: the same person, and terms that contain
    /// those. When it admits is a question apart.
    #[must_use]
    pub fn may_prolong(&self, other: &Self) -> bool {
        self.0.beneficiary == other.0.beneficiary && self.0.terms.contains(&other.0.terms)
    }

    /// Puts the end on record once its time is over; `None`: there is nothing to record.
    #[must_use]
    pub fn tick(&self, now: Timestamp) -> Option<Self> {
        let due = self.0.ended.is_none() && now >= self.0.ends_at;
        due.then(|| self.over(GrantEnd::Expired, self.0.ends_at, None, None))
    }

    /// Takes it away. Whether `by` may, the caller has checked: its approvers and admins may.
    ///
    /// # Errors
    /// [`GrantRefused::Over`].
    pub fn revoke(&self, by: PersonKey, note: Option<String>, at: Timestamp) -> Result<Self, GrantRefused> {
        self.still_open(at)?;
        Ok(self.over(GrantEnd::Revoked, at, Some(by), note))
    }

    /// Gives it back early; the person whose it is alone can do so.
    ///
    /// # Errors
    /// [`GrantRefused::Over`], [`GrantRefused::NotYours`].
    pub fn give_back(&self, by: PersonKey, at: Timestamp) -> Result<Self, GrantRefused> {
        if by != self.0.beneficiary {
            return Err(GrantRefused::NotYours);
        }
        self.still_open(at)?;
        Ok(self.over(GrantEnd::Returned, at, Some(by), None))
    }

    /// Moves the end, as approved: not beyond the hours that are open at `at`.
    ///
    /// # Errors
    /// It is over, or not active yet; the extension is not for it; extensions are used up; the hours close.
    pub fn extend(
        &self,
        approved: ApprovedExtension,
        contract: &Contract,
        at: Timestamp,
    ) -> Result<Self, GrantRefused> {
        let (grant, pin, duration) = approved.into_parts();
        if grant != self.0.id || pin != self.0.contract || contract.pin() != pin {
            return Err(GrantRefused::OtherGrant);
        }
        self.still_open(at)?;
        if at < self.0.starts_at {
            return Err(GrantRefused::NotActive);
        }
        let extend = self.extension_left(contract)?;
        let ends_at = self.extended_end(contract, duration.min(extend.by), at)?;
        let mut next = self.clone();
        next.0.ends_at = ends_at;
        next.0.extensions += 1;
        Ok(next)
    }

    pub(super) fn extension_left(&self, contract: &Contract) -> Result<Extend, GrantRefused> {
        let extend = contract
            .end
            .extend
            .ok_or_else(|| GrantRefused::NoExtension { contract: contract.name.clone() })?;
        if self.0.extensions < extend.max {
            Ok(extend)
        } else {
            Err(GrantRefused::UsedUp { max: extend.max })
        }
    }

    pub(super) fn extended_end(
        &self,
        contract: &Contract,
        by: Duration,
        at: Timestamp,
    ) -> Result<Timestamp, GrantRefused> {
        let wanted = later_by(self.0.ends_at, by);
        let ends_at = match contract.hours_at(at) {
            Open::Always => wanted,
            Open::Until(closes) => wanted.min(closes),
            Open::Closed { .. } => at,
        };
        if ends_at > self.0.ends_at {
            Ok(ends_at)
        } else {
            Err(GrantRefused::HoursClose { closes: self.0.ends_at })
        }
    }

    fn still_open(&self, at: Timestamp) -> Result<(), GrantRefused> {
        match self.state(at) {
            GrantState::Scheduled | GrantState::Active => Ok(()),
            state => Err(GrantRefused::Over { state }),
        }
    }

    fn over(&self, how: GrantEnd, at: Timestamp, by: Option<PersonKey>, note: Option<String>) -> Self {
        let mut next = self.clone();
        next.0.ended = Some(Ended { how, at, by, note });
        next
    }
}

#[cfg(test)]
mod tests;
