//! Searching recordings.
//!
//! A search reads many recordings, so it is bounded in every way, tells what it left out, and works off the threads
//! that sessions live on. That somebody searched, and for what, is an event of the audit log; so is each recording that
//! something is shown of.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::{TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::api::acting::auditors_only;
use crate::api::body::Wanted;
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::audit::{Actor, What};
use crate::contract::PersonKey;
use crate::identity::person_key;
use crate::record::search::{Hit, Search};
use crate::store::{SessionFilter, SessionRecord, Slice, StoreError, with_causes};

/// Searches at once.
const AT_ONCE: usize = 2;
/// The longest text.
const TEXT_MAX: usize = 200;
/// Lines that are given where no number is asked for, and the most.
const HITS: usize = 200;
const HITS_MAX: usize = 1000;
/// Recordings that one search reads.
const SESSIONS_MAX: u64 = 1000;
/// Bytes of recordings, as they are stored, that one search reads.
const BYTES_MAX: usize = 512 * 1024 * 1024;
/// How long one search lasts.
const TIME_MAX: Duration = Duration::from_secs(60);
/// After so long without a find, an empty line is sent.
const BEAT: Duration = Duration::from_secs(5);
/// Sessions that are looked up at once.
const PAGE: u32 = 100;

/// How many may search at once.
#[derive(Debug)]
pub struct Searches(Arc<Semaphore>);

impl Default for Searches {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    text: String,
    target: Option<String>,
    who: Option<String>,
    since: Option<Timestamp>,
    before: Option<Timestamp>,
    limit: Option<usize>,
}

/// A line of the answer.
#[derive(Serialize)]
struct Found<'a> {
    session: &'a str,
    who: &'a str,
    target: &'a str,
    account: &'a str,
    at: Timestamp,
    #[serde(flatten)]
    hit: Place<'a>,
}

/// A [`Hit`] without its time.
#[derive(Serialize)]
struct Place<'a> {
    place: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<u32>,
    line: &'a str,
}

/// The last line of the answer.
#[derive(Serialize)]
struct Done {
    done: bool,
    /// Recordings that were read.
    sessions: u64,
    /// Recordings that could not be read to their end.
    unreadable: u64,
    /// Whether nothing was left out.
    complete: bool,
    /// Where to go on: sessions that started before this moment were not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Timestamp>,
}

/// Search recordings
///
/// For auditors and admins. One line of JSON for each line that holds the text, whatever its case: `session`, `who`,
/// `target`, `account`, `at`, `place` (`terminal`, `statement`, `command`, `output`, `file`…), `channel`, `line`;
/// newest sessions first. Terminals are searched as they looked, not as escape sequences. Empty lines say that the
/// search goes on. The last line has `done`, and says whether anything was left out. What was searched for is written
/// in the audit log.
#[utoipa::path(
    get, path = "/api/v1/search", tag = "sessions",
    params(("text" = String, Query, description = "what to look for, 200 characters at most"),
           ("target" = Option<String>, Query, description = "only in sessions to this target"),
           ("who" = Option<String>, Query, description = "only in sessions of the person with this email"),
           ("since" = Option<String>, Query, description = "only what happened at this moment or later (RFC 3339)"),
           ("before" = Option<String>, Query, description = "only sessions that started before this moment (RFC 3339)"),
           ("limit" = Option<usize>, Query, description = "1 to 1000 lines")),
    responses((status = 200, body = String, content_type = "application/x-ndjson"))
)]
pub async fn search(
    State(app): State<App>,
    caller: Caller,
    Wanted(query): Wanted<Query>,
) -> Result<Response, Problem> {
    auditors_only(&caller.viewer)?;
    let text = query.text.trim();
    if text.is_empty() || text.chars().count() > TEXT_MAX {
        return Err(Problem::bad_request(format!("A text to search for has 1 to {TEXT_MAX} characters.")));
    }
    let limit = query.limit.unwrap_or(HITS);
    if !(1..=HITS_MAX).contains(&limit) {
        return Err(Problem::bad_request(format!("A limit is 1 to {HITS_MAX}.")));
    }
    let permit = app.searches.0.clone().try_acquire_owned().map_err(|_| {
        Problem::unavailable("As many searches run as may at once.").hint("Try again in a minute.")
    })?;
    let what = What::RecordingsSearched {
        text: text.to_owned(),
        target: query.target.clone(),
        who: query.who.clone(),
        since: query.since,
    };
    app.grants.store().audit([caller.actor().did(what)]).await?;
    let hunt = Hunt {
        actor: caller.actor(),
        text: text.to_owned(),
        since: query.since.map_or(i64::MIN, Timestamp::as_microsecond),
        filter: SessionFilter {
            person: query.who.map(|who| PersonKey::new(person_key(&who))),
            target: query.target,
            since: query.since,
            before: query.before,
            ..SessionFilter::default()
        },
        slice: Some(Slice { after: None, limit: PAGE }),
        waiting: VecDeque::new(),
        hits: limit,
        bytes: BYTES_MAX,
        until: Instant::now() + TIME_MAX,
        done: Done { done: true, sessions: 0, unreadable: 0, complete: true, before: None },
        over: false,
        _permit: permit,
        app,
    };
    let body = Body::from_stream(stream::try_unfold(hunt, |mut hunt| async move {
        Ok::<_, StoreError>(hunt.next().await?.map(|lines| (lines, hunt)))
    }));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// A search under way.
struct Hunt {
    app: App,
    actor: Actor,
    text: String,
    since: i64,
    filter: SessionFilter,
    /// The next piece of the list; none at its end.
    slice: Option<Slice>,
    waiting: VecDeque<SessionRecord>,
    /// What may still be given, and read.
    hits: usize,
    bytes: usize,
    until: Instant,
    done: Done,
    over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Hunt {
    /// The next lines; none after the last one.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let beat = Instant::now() + BEAT;
        while !self.over {
            let Some(session) = self.session().await? else {
                return Ok(Some(self.end(true)));
            };
            if self.is_spent() {
                return Ok(Some(self.end(false)));
            }
            self.done.sessions += 1;
            self.done.before = Some(session.started_at);
            let hits = self.look(&session).await;
            if !hits.is_empty() {
                return self.shown(&session, &hits).await.map(Some);
            }
            if Instant::now() >= beat {
                return Ok(Some(Bytes::from_static(b"\n")));
            }
        }
        Ok(None)
    }

    fn is_spent(&self) -> bool {
        self.hits == 0
            || self.bytes == 0
            || self.done.sessions >= SESSIONS_MAX
            || Instant::now() >= self.until
    }

    fn end(&mut self, complete: bool) -> Bytes {
        self.over = true;
        self.done.complete = complete;
        if complete {
            self.done.before = None;
        }
        line(&self.done)
    }

    async fn session(&mut self) -> Result<Option<SessionRecord>, StoreError> {
        while self.waiting.is_empty() {
            let Some(slice) = self.slice.take() else { return Ok(None) };
            let page = self.app.grants.store().sessions(&self.filter, &slice).await?;
            self.slice = page.next.map(|after| Slice { after: Some(after), limit: PAGE });
            self.waiting = page.items.into();
        }
        Ok(self.waiting.pop_front())
    }

    /// What is found in one recording. One that can't be read is counted, and is no reason to stop.
    async fn look(&mut self, session: &SessionRecord) -> Vec<Hit> {
        let mut pieces = Box::pin(self.app.recordings.file(&session.id));
        let mut search = Search::new(&self.text);
        loop {
            let piece = match pieces.try_next().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(session = %session.id, cause = with_causes(&error), "a search skips a recording");
                    self.done.unreadable += 1;
                    break;
                }
            };
            self.bytes = self.bytes.saturating_sub(piece.len());
            // Drawing terminals is work: it must not stand in the way of the sessions on this thread.
            let worked = tokio::task::spawn_blocking(move || {
                let sound = search.push(&piece).is_ok();
                (search, sound)
            });
            let Ok((back, sound)) = worked.await else {
                tracing::error!(session = %session.id, "a search broke down over a recording");
                self.done.unreadable += 1;
                return Vec::new();
            };
            search = back;
            if !sound {
                self.done.unreadable += 1;
            }
            if !sound || search.is_full() || self.bytes == 0 || Instant::now() >= self.until {
                break;
            }
        }
        let mut hits = search.hits();
        hits.retain(|hit| hit.at >= self.since);
        hits.truncate(self.hits);
        hits
    }

    /// The lines of one recording, once it is written down that they were read.
    async fn shown(&mut self, session: &SessionRecord, hits: &[Hit]) -> Result<Bytes, StoreError> {
        let what = What::RecordingRead { session: session.id.to_string(), how: "search".to_owned() };
        self.app.grants.store().audit([self.actor.clone().did(what)]).await?;
        self.hits = self.hits.saturating_sub(hits.len());
        let lines = hits.iter().map(|hit| {
            line(&Found {
                session: session.id.as_str(),
                who: session.person.as_str(),
                target: &session.target,
                account: &session.account,
                at: Timestamp::from_microsecond(hit.at).unwrap_or_default(),
                hit: Place { place: hit.place, channel: hit.channel, line: &hit.line },
            })
        });
        Ok(lines.collect::<Vec<_>>().concat().into())
    }
}

fn line(value: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
