//! How a request and a grant look: as a row of a list, and with all that is known.
//!
//! Owns the wording that several commands share. It asks the gate nothing.

use std::time::Duration;

use super::CliError;
use super::client::wire::{Grant, Request};
use super::output::{Cell, Output, Table, Tone, clean};
use crate::toml_doc::show_duration;

/// `1h30m`.
pub fn length(seconds: u64) -> String {
    show_duration(Duration::from_secs(seconds))
}

/// Requests, one a row.
pub fn requests(list: &[Request], out: &Output) -> Table {
    let mut table = Table::new(&["id", "state", "who", "target", "account", "for", "asked", "reason"]);
    for request in list {
        table.row([
            Cell::from(&request.id),
            Cell::state(&request.state),
            Cell::from(request.requester.shown()),
            Cell::from(&request.target),
            Cell::from(&request.account),
            Cell::from(length(request.duration_seconds)),
            Cell::from(out.when(request.created_at)),
            Cell::from(request.reason.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

/// Everything about one request.
pub fn request(request: &Request, out: &mut Output) -> Result<(), CliError> {
    let state = out.paint(Tone::of_state(&request.state), &clean(&request.state));
    let kind = if request.kind == "extension" { "extension, " } else { "" };
    out.line(format!("{}  {kind}{state}", clean(&request.id)))?;
    out.fact("who", clean(request.requester.shown()))?;
    out.fact("what", format!("{} as {}", clean(&request.target), clean(&request.account)))?;
    let start = request.starts_at.map_or_else(String::new, |at| format!(", from {}", out.when(at)));
    out.fact("for", format!("{}{start}", length(request.duration_seconds)))?;
    out.fact("contract", clean(&request.contract))?;
    out.fact("reason", clean(request.reason.as_deref().unwrap_or_default()))?;
    out.fact("ticket", clean(request.ticket.as_deref().unwrap_or_default()))?;
    let from = request.address.as_deref().map_or_else(String::new, |at| format!(", from {}", clean(at)));
    let asked = out.when(request.created_at);
    out.fact("asked", format!("{asked}{from}"))?;
    for vote in &request.votes {
        let by = clean(vote.email.as_deref().unwrap_or("somebody"));
        let shorter = vote.duration_seconds.map_or_else(String::new, |s| format!(" for {}", length(s)));
        let note = vote.note.as_deref().map_or_else(String::new, |note| format!(": {}", clean(note)));
        let at = out.when(vote.at);
        out.fact(&clean(&vote.verdict), format!("by {by}{shorter} {at}{note}"))?;
    }
    if request.state == "pending" {
        let waits = waits_for(request, out);
        out.fact("waits", waits)?;
    }
    out.fact("grant", clean(request.grant_id.as_deref().unwrap_or_default()))?;
    out.fact("page", clean(&request.url))
}

/// `for 1 of 2 approvals by group sre-leads; lapses in 2 h (17:00 UTC)`.
pub fn waits_for(request: &Request, out: &Output) -> String {
    let left = request.approvals_needed.saturating_sub(request.approvals).max(1);
    let more = if request.approvals > 0 { " more" } else { "" };
    let s = if left == 1 { "" } else { "s" };
    let from = match request.approvers.as_slice() {
        [] => String::new(),
        names => format!(" by {}", clean(&names.join(" or "))),
    };
    let lapses = request.expires_at.map_or_else(String::new, |at| format!("; lapses {}", out.when(at)));
    format!("for {left}{more} approval{s}{from}{lapses}")
}

/// Grants, one a row.
pub fn grants(list: &[Grant], out: &Output) -> Table {
    let mut table = Table::new(&["id", "state", "holder", "target", "account", "ends", "live", "extend"]);
    for grant in list {
        table.row([
            Cell::from(&grant.id),
            Cell::state(&grant.state),
            Cell::from(grant.holder.shown()),
            Cell::from(&grant.target),
            Cell::from(&grant.account),
            Cell::from(ends(grant, out)),
            Cell::from(grant.sessions_live.to_string()),
            Cell::from(if may_go_on(grant) {
                format!("{} left", grant.extensions_left)
            } else {
                String::new()
            }),
        ]);
    }
    table
}

/// Everything about one grant.
pub fn grant(grant: &Grant, out: &mut Output) -> Result<(), CliError> {
    let state = out.paint(Tone::of_state(&grant.state), &clean(&grant.state));
    out.line(format!("{}  {state}", clean(&grant.id)))?;
    out.fact("holder", clean(grant.holder.shown()))?;
    out.fact("what", format!("{} as {}", clean(&grant.target), clean(&grant.account)))?;
    out.fact("contract", clean(&grant.contract))?;
    let (from, until) = (out.when(grant.starts_at), ends(grant, out));
    out.fact("from", from)?;
    out.fact("until", until)?;
    if grant.ended_at.is_some() {
        let by = grant.ended_by.as_ref().map(named).unwrap_or_default();
        let note = grant.end_note.as_deref().unwrap_or_default();
        out.fact("ended by", clean(&by))?;
        out.fact("because", clean(note))?;
    }
    out.fact("sessions", format!("{} live", grant.sessions_live))?;
    if may_go_on(grant) {
        out.fact("extended", format!("{} times, {} left", grant.extensions, grant.extensions_left))?;
    }
    out.fact("request", clean(&grant.request))?;
    out.fact("page", clean(&grant.url))
}

/// When it ended, or will.
fn ends(grant: &Grant, out: &Output) -> String {
    out.when(grant.ended_at.unwrap_or(grant.ends_at))
}

fn may_go_on(grant: &Grant) -> bool {
    matches!(grant.state.as_str(), "active" | "scheduled")
}

/// A person, given by name or as an object.
fn named(who: &serde_json::Value) -> String {
    let field = |name| who.get(name).and_then(serde_json::Value::as_str);
    who.as_str().or_else(|| field("email")).or_else(|| field("name")).unwrap_or_default().to_owned()
}
