//! One request: who, why, for what, its history, and what one can do about it.

use std::net::IpAddr;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use curfew_adapter::RequestId;
use jiff::Timestamp;
use serde::Deserialize;

use super::home::Held;
use super::words::{Length, When, lengths, span};
use crate::api::body::{PathId, none};
use crate::api::page::{Page, PageError, Shell};
use crate::api::problem::Problem;
use crate::api::who::Browser;
use crate::app::App;
use crate::grant::{Caller, GrantState, GrantView, RequestKind, RequestState, RequestView};
use crate::identity::{Method, person_key};
use crate::store::{RequestFilter, Slice, Verdict};

/// How often the page looks again while one waits for others, in seconds.
const LOOK: u32 = 5;
/// How many requests are searched for extensions of a grant.
const RECENT: u32 = 100;
/// How many open sign-ins of the requester are searched for clients elsewhere.
const SIGNINS: u32 = 50;

/// Something that happened.
struct Event {
    when: When,
    text: String,
    /// What was said with it.
    note: Option<String>,
    /// The request of an extension.
    link: Option<String>,
}

/// An answer to what the viewer has just done, or tried to do.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) good: bool,
    pub(super) text: String,
}

#[derive(Template)]
#[template(path = "pages/request.html")]
struct RequestPage {
    shell: Shell,
    here: &'static str,
    said: Option<Said>,
    request: RequestView,
    length: String,
    lapses: When,
    starts: Option<When>,
    /// Addresses of clients of the requester that are not where the request was made.
    elsewhere: Vec<IpAddr>,
    /// More approvals that it takes.
    missing: usize,
    lengths: Vec<Length>,
    grant: Option<Held>,
    events: Vec<Event>,
    own: bool,
}

impl RequestPage {
    fn can(&self, what: &str) -> bool {
        self.request.can.contains(&what)
    }

    fn pending(&self) -> bool {
        self.request.state == RequestState::Pending
    }

    fn extension(&self) -> bool {
        self.request.kind == "extension"
    }
}

/// The query.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wish {
    /// What the viewer has just done.
    done: Option<String>,
}

/// GET /requests/ID
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
    browser: Browser,
) -> Result<Response, PageError> {
    let around = browser.shell("");
    let read = async {
        let id = RequestId::read(&id).ok_or_else(none::<RequestId>)?;
        let caller = Caller::from(&browser);
        let request = app.grants.request(&caller, &id).await?;
        let grant = grant_of(&app, &caller, &request).await?;
        let said = wish.done.and_then(|what| done(&what, &browser, &request, grant.as_ref()));
        page(&app, &browser, request, grant, said).await
    };
    let page: Result<Response, Problem> = read.await;
    page.map_err(|problem| PageError::from(problem).within(&around))
}

/// The page once more, with why something did not happen.
pub(super) async fn again(
    app: &App,
    browser: &Browser,
    id: &RequestId,
    status: StatusCode,
    why: String,
) -> Result<Response, Problem> {
    let caller = Caller::from(browser);
    let request = app.grants.request(&caller, id).await?;
    let grant = grant_of(app, &caller, &request).await?;
    let page = page(app, browser, request, grant, Some(Said { good: false, text: why })).await?;
    Ok((status, page).into_response())
}

/// The grant that a request made, or asks to extend, if the viewer may see it.
async fn grant_of(app: &App, caller: &Caller, request: &RequestView) -> Result<Option<GrantView>, Problem> {
    let Some(id) = request.grant_id.as_ref().or(request.grant.as_ref()) else { return Ok(None) };
    Ok(app.grants.grant(caller, id).await.ok())
}

async fn page(
    app: &App,
    browser: &Browser,
    request: RequestView,
    grant: Option<GrantView>,
    said: Option<Said>,
) -> Result<Response, Problem> {
    let now = app.clock.wall();
    let own = request.can.contains(&"cancel") || request.requester.email == browser.viewer.identity.email;
    let title = format!("{} as {}", request.target, request.account);
    let mut shell = browser.shell(title);
    // A page with a form to fill in must not reload under the hands.
    if request.state == RequestState::Pending
        && !request.can.contains(&"approve")
        && said.as_ref().is_none_or(|s| s.good)
    {
        shell = shell.refresh(LOOK);
    }
    let page = RequestPage {
        shell,
        here: "/requests",
        said,
        length: span(request.duration_seconds),
        lapses: When::new(request.expires_at, now),
        starts: request.starts_at.map(|at| When::new(at, now)),
        elsewhere: elsewhere(app, &request, now).await?,
        missing: request.approvals_needed.saturating_sub(request.approvals),
        lengths: lengths(request.duration_seconds, request.duration_seconds),
        events: history(app, &request, grant.as_ref(), now).await?,
        grant: grant.map(|grant| Held::new(app, grant)),
        own,
        request,
    };
    Ok(Page(page).into_response())
}

/// Where clients are that the requester signed in by a link, if not where the request was made: an approver must see
/// both.
async fn elsewhere(app: &App, request: &RequestView, now: Timestamp) -> Result<Vec<IpAddr>, Problem> {
    let Some(identity) = request.requester.identity.as_ref() else { return Ok(Vec::new()) };
    if request.state != RequestState::Pending {
        return Ok(Vec::new());
    }
    let open = app.grants.store().open_signins(Some(identity), now, SIGNINS).await?;
    let linked = open.into_iter().filter(|standing| standing.signin.method == Method::Link);
    let mut found: Vec<_> = linked
        .filter_map(|standing| standing.signin.address)
        .filter(|at| Some(*at) != request.address)
        .collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

async fn history(
    app: &App,
    request: &RequestView,
    grant: Option<&GrantView>,
    now: Timestamp,
) -> Result<Vec<Event>, Problem> {
    let mut told: Vec<(Timestamp, String, Option<String>, Option<String>)> = Vec::new();
    let length = span(request.duration_seconds);
    told.push((request.created_at, format!("{} asked for {length}", request.requester.email), None, None));
    for vote in &request.votes {
        let text = match (vote.verdict, vote.duration_seconds) {
            (Verdict::Approve, Some(seconds)) if seconds < request.duration_seconds => {
                format!("{} approved {}", vote.email, span(seconds))
            }
            (Verdict::Approve, _) => format!("{} approved", vote.email),
            (Verdict::Deny, _) => format!("{} denied", vote.email),
        };
        told.push((vote.at, text, vote.note.clone(), None));
    }
    let decided = request.decided_at.unwrap_or(now);
    match request.state {
        RequestState::Cancelled => told.push((decided, "Cancelled".to_owned(), None, None)),
        RequestState::Expired if decided < request.expires_at => {
            told.push((decided, "The access that it would have extended was over".to_owned(), None, None));
        }
        RequestState::Expired => told.push((decided, "Nobody decided in time".to_owned(), None, None)),
        RequestState::Approved if request.votes.is_empty() => {
            told.push((decided, "Granted at once, as the contract says".to_owned(), None, None));
        }
        RequestState::Approved | RequestState::Pending | RequestState::Denied => {}
    }
    if let Some(grant) = grant.filter(|_| request.grant_id.is_some()) {
        for (at, id, state) in extensions(app, request, grant).await? {
            told.push((at, format!("More time asked for: {state}"), None, Some(id)));
        }
        let by = grant.ended_by.as_deref().unwrap_or_default();
        let text = match grant.state {
            GrantState::Scheduled | GrantState::Active => None,
            GrantState::Expired => Some("The access ended, its time was up".to_owned()),
            GrantState::Revoked => Some(format!("{by} revoked the access")),
            GrantState::Returned => Some(format!("{by} returned the access")),
        };
        if let (Some(text), Some(at)) = (text, grant.ended_at) {
            told.push((at, text, grant.end_note.clone(), None));
        }
    }
    told.sort_by_key(|(at, ..)| *at);
    Ok(told
        .into_iter()
        .map(|(at, text, note, link)| Event { when: When::new(at, now), text, note, link })
        .collect())
}

/// When an extension of the grant was asked for, its request's id, and how that stands.
async fn extensions(
    app: &App,
    request: &RequestView,
    grant: &GrantView,
) -> Result<Vec<(Timestamp, String, &'static str)>, Problem> {
    let filter = RequestFilter {
        party: Some(crate::contract::PersonKey::new(person_key(&request.requester.email))),
        state: None,
        target: Some(request.target.clone()),
        account: Some(request.account.clone()),
    };
    let slice = Slice { after: None, limit: RECENT };
    let found = app.grants.store().requests(&filter, &slice).await?.items;
    let of_this =
        |kind: &RequestKind| matches!(kind, RequestKind::Extension { grant: id } if *id == grant.id);
    Ok(found
        .into_iter()
        .map(|stored| stored.record)
        .filter(|record| of_this(&record.kind))
        .map(|record| (record.asked_at, record.id.to_string(), record.state.word()))
        .collect())
}

/// The confirmation of what the viewer has just done: only if it is so.
fn done(what: &str, browser: &Browser, request: &RequestView, grant: Option<&GrantView>) -> Option<Said> {
    let me = &browser.viewer.identity.email;
    let voted = |verdict| request.votes.iter().any(|vote| vote.email == *me && vote.verdict == verdict);
    let mine = request.requester.email == *me;
    let over = |state| grant.is_some_and(|grant| grant.state == state && grant.ended_by.as_ref() == Some(me));
    let text = match what {
        "asked" if mine && request.state == RequestState::Approved && request.votes.is_empty() => {
            "You have it: nobody needed to approve."
        }
        "asked" if mine && request.state == RequestState::Approved => "You have it.",
        "asked" if mine && request.state == RequestState::Pending => "You asked. This page shows the answer.",
        "approved" if voted(Verdict::Approve) && request.state == RequestState::Pending => {
            "Your approval counts. It takes another one."
        }
        "approved-again" if voted(Verdict::Approve) && request.state == RequestState::Pending => {
            "Your approval had been counted already: it counts once, as you gave it last. It takes another one."
        }
        "approved" | "approved-again" if voted(Verdict::Approve) => "You approved.",
        "denied" if voted(Verdict::Deny) => "You denied.",
        "cancelled" if mine && request.state == RequestState::Cancelled => "You took your request back.",
        "returned" if over(GrantState::Returned) => "You returned the access. Thank you.",
        "revoked" if over(GrantState::Revoked) => "You revoked the access. Its sessions have ended.",
        _ => return None,
    };
    Some(Said { good: true, text: text.to_owned() })
}

/// Whether the request stands as this act would have made it: the same form was sent twice.
pub(super) fn is_done(what: &str, browser: &Browser, request: &RequestView) -> bool {
    let me = &browser.viewer.identity.email;
    let voted = |verdict| request.votes.iter().any(|vote| vote.email == *me && vote.verdict == verdict);
    match what {
        "approve" => voted(Verdict::Approve),
        "deny" => voted(Verdict::Deny),
        "cancel" => request.state == RequestState::Cancelled,
        _ => false,
    }
}
