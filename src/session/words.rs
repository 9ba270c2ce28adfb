//! The sentences that people read when they are refused, when they wait, and when they are cut off.
//!
//! Each says what happened, why, and what to do next with the link.

use super::live::About;
use crate::api::site::Site;
use curfew_adapter::{EndReason, Notice};
use jiff::Timestamp;

/// A time of day that people read without a calendar: `15:04:05 UTC`.
pub fn clock_time(at: Timestamp) -> String {
    at.strftime("%H:%M:%S UTC").to_string()
}

/// A duration as people say it, from seconds: `1 h 30 min`, `45 s`.
pub fn span(seconds: i64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "min"), (rest, "s")];
    let said: Vec<_> = parts.iter().filter(|(n, _)| *n != 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if said.is_empty() { "0 s".to_owned() } else { said.join(" ") }
}

/// What a session's client is told when its lease ends for `reason`. `why` says who did it, or more of it.
pub fn cut(about: &About, site: &Site, reason: EndReason, at: Timestamp, why: Option<&str>) -> Notice {
    let what = format!("access to {} as {} has ended", about.target.name, about.account);
    let because = match reason {
        EndReason::Expired => format!("its time was up at {}", clock_time(at)),
        EndReason::Revoked => "it was revoked".to_owned(),
        EndReason::Returned => "it was returned".to_owned(),
        EndReason::Killed => "an admin ended this session".to_owned(),
        EndReason::Idle => "nothing happened for longer than the contract allows".to_owned(),
        EndReason::SigninEnded => "your sign-in is over".to_owned(),
        EndReason::IdentityDisabled => "your identity was disabled".to_owned(),
        EndReason::NoLongerAllowed => "its contract no longer allows it".to_owned(),
        EndReason::RecordingFailed => "it can no longer be recorded".to_owned(),
        EndReason::StoreLost => "Curfew lost its store".to_owned(),
        EndReason::Drained => "Curfew is being shut down".to_owned(),
        other => other.to_string().replace('_', " "),
    };
    let message = match why {
        Some(why) => format!("{what}: {because} ({why})"),
        None => format!("{what}: {because}"),
    };
    let record = about.grant.record();
    let length = record.ends_at.duration_since(record.starts_at).as_secs();
    let detail = format!("grant {} of {} under contract {}", record.id, span(length), record.contract.name);
    Notice { message, detail, hint: next_step(about, site, reason) }
}

fn next_step(about: &About, site: &Site, reason: EndReason) -> String {
    match reason {
        EndReason::Idle => "connect again: the grant still runs".to_owned(),
        EndReason::SigninEnded => "connect again to sign in".to_owned(),
        EndReason::Drained | EndReason::StoreLost | EndReason::RecordingFailed => {
            "connect again in a moment, or tell whoever runs Curfew".to_owned()
        }
        EndReason::IdentityDisabled => "ask an admin of Curfew".to_owned(),
        EndReason::Killed => {
            "ask the admins of Curfew why; a new connection is refused for a minute".to_owned()
        }
        _ => format!("ask again: {}", ask_url(site, &about.target.name, &about.account)),
    }
}

/// Where access to this account is asked for.
pub fn ask_url(site: &Site, target: &str, account: &str) -> String {
    let mut url = site.absolute("/requests/new");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("target", target)
        .append_pair("account", account)
        .finish();
    url.push('?');
    url.push_str(&query);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_words() {
        assert_eq!(span(5400), "1 h 30 min");
        assert_eq!(span(45), "45 s");
        assert_eq!(span(0), "0 s");
    }
}
