//! Is a session still in order, and until when?
//!
//! Owns that question for a session that is about to start and for one that lives, with the same answer
//! for both. It reads; it ends nothing.

use super::live::About;
use super::parts::Parts;
use super::words;
use crate::contract::{NoLonger, Person, Wanted, still_allowed};
use crate::grant::{Grant, GrantEnd};
use crate::identity::EndWhy;
use crate::store::StoreError;
use curfew_adapter::{EndReason, Notice};
use jiff::Timestamp;

/// The answer.
#[derive(Clone, Debug)]
pub enum Standing {
    /// In order until `at`, where it ends for `reason`.
    Until {
        /// The instant.
        at: Timestamp,
        /// What ends it there.
        reason: EndReason,
        /// What the client is told then.
        notice: Notice,
    },
    /// Over.
    Over {
        /// Why.
        reason: EndReason,
        /// What the client is told.
        notice: Notice,
    },
}

/// Judges the session at `now`.
///
/// # Errors
/// The store can't be read: the caller decides how long it may go on without.
pub async fn judge(parts: &Parts, about: &About, now: Timestamp) -> Result<Standing, StoreError> {
    let over = |reason, why: Option<&str>| {
        Ok(Standing::Over { reason, notice: words::cut(about, &parts.site, reason, now, why) })
    };
    let Some(signin) = parts.identities.standing(&about.signin).await? else {
        return over(EndReason::SigninEnded, None);
    };
    match signin.over(now) {
        Some(EndWhy::IdentityDisabled) => return over(EndReason::IdentityDisabled, None),
        Some(_) => return over(EndReason::SigninEnded, None),
        None => {}
    }
    let (granted_until, last) = match granted_until(parts, about, now).await? {
        Granted::Until(at) => (at, EndReason::Expired),
        Granted::Over(reason, why) => return over(reason, why.as_deref()),
    };
    let contracts = parts.contracts.current();
    let person = Person::from(&signin.identity);
    let wanted =
        Wanted { target: &about.target, account: Some(&about.account), database: about.database.as_deref() };
    let current = contracts.find(&about.pinned.name).map(AsRef::as_ref);
    let hours = match still_allowed(&about.pinned, current, &person, &wanted, now) {
        Ok(hours) => hours,
        Err(no) => return over(EndReason::NoLongerAllowed, Some(&said(&no))),
    };
    let mut ends = vec![(granted_until, last), (signin.signin.ends_at, EndReason::SigninEnded)];
    ends.extend(hours.map(|closes| (closes, EndReason::Expired)));
    ends.extend(parts.drain_until().map(|at| (at, EndReason::Drained)));
    // The list is never empty; the first of equals stays, so that a grant's end names itself.
    let (at, reason) = ends.into_iter().min_by_key(|(at, _)| *at).unwrap_or((now, EndReason::Expired));
    if at <= now {
        return over(reason, None);
    }
    Ok(Standing::Until { at, reason, notice: words::cut(about, &parts.site, reason, at, None) })
}

enum Granted {
    Until(Timestamp),
    Over(EndReason, Option<String>),
}

/// Until when grants carry the session: its own, and those of the same person whose terms contain its.
async fn granted_until(parts: &Parts, about: &About, now: Timestamp) -> Result<Granted, StoreError> {
    let open = parts.store.open_grants(&about.person, &about.target.name, &about.account).await?;
    let carries = |grant: &&Grant| {
        (grant.record().id == *about.grant_id() || grant.may_prolong(&about.grant)) && grant.admits(now)
    };
    let carrying = open.iter().map(|stored| &stored.grant).filter(carries);
    if let Some(at) = carrying.map(|grant| grant.record().ends_at).max() {
        return Ok(Granted::Until(at));
    }
    let Some(own) = parts.store.grant(about.grant_id()).await?.map(|stored| stored.grant) else {
        return Ok(Granted::Over(EndReason::Revoked, None));
    };
    if own.admits(now) {
        return Ok(Granted::Until(own.record().ends_at));
    }
    let reason = own.state(now).ends_sessions().unwrap_or(EndReason::NoLongerAllowed);
    Ok(Granted::Over(reason, who_ended(&own)))
}

fn who_ended(grant: &Grant) -> Option<String> {
    let ended = grant.record().ended.as_ref()?;
    if ended.how != GrantEnd::Revoked {
        return None;
    }
    let by = ended.by.as_ref().map(|by| format!("by {by}"));
    match (by, &ended.note) {
        (Some(by), Some(note)) => Some(format!("{by}: {note}")),
        (by, note) => by.or_else(|| note.clone()),
    }
}

fn said(no: &NoLonger) -> String {
    match no {
        NoLonger::Withdrawn => "the contract was withdrawn".to_owned(),
        NoLonger::Pinned(reasons) | NoLonger::Current(reasons) => {
            reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
    }
}
