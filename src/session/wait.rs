//! Waiting at the prompt for a grant: told where to ask, and let in the moment somebody approves.

use super::asking::Asking;
use super::parts::{Parts, Reach};
use super::refuse;
use super::waiters::Place;
use super::words;
use crate::contract::{Person, PersonKey, Wanted, may_ask};
use crate::grant::RequestState;
use crate::store::{Change, News, RequestFilter, Slice, StoredRequest};
use curfew_adapter::{Ask, BootTime, Connection, Notice, Refusal, RefusalKind, SignedIn, Teller};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};

/// How often a client that waits is told that it still does.
const REMINDER: Duration = Duration::from_secs(30);

/// How long a client that waits may leave unacknowledged what it is told, before it counts as gone.
pub const GONE: Duration = Duration::from_secs(30);

/// A client that waits, or is about to.
pub struct Waiting<'a> {
    parts: &'a Arc<Parts>,
    connection: &'a Connection,
    who: &'a SignedIn,
    ask: &'a Ask,
    tell: Teller,
    pace: Option<Pace>,
    place: Option<Place>,
    /// The latest request for this when the waiting began, or when it was last told of.
    told: Option<(curfew_adapter::RequestId, RequestState)>,
}

impl<'a> Waiting<'a> {
    /// Nobody waits yet.
    pub fn new(
        parts: &'a Arc<Parts>,
        connection: &'a Connection,
        who: &'a SignedIn,
        ask: &'a Ask,
        tell: Teller,
    ) -> Self {
        Self { parts, connection, who, ask, tell, pace: None, place: None, told: None }
    }

    /// There is no grant now: tells the client where to ask, and comes back when it is worth to look again.
    ///
    /// # Errors
    /// There is nothing to wait for, or no longer.
    pub async fn step(
        &mut self,
        news: &mut broadcast::Receiver<News>,
        person: &Person,
        reach: &Reach,
    ) -> Result<(), Refusal> {
        let contracts = self.contracts(person, reach);
        if contracts.is_empty() {
            return Err(refuse::not_allowed(self.parts, self.ask));
        }
        if self.pace.is_none() {
            self.begin(&contracts).await?;
        } else {
            self.progress().await?;
        }
        self.sleep(news, &contracts).await
    }

    /// The contracts that would give it, by name.
    fn contracts(&self, person: &Person, reach: &Reach) -> Vec<String> {
        let wanted = Wanted {
            target: &reach.facts,
            account: Some(&self.ask.account),
            database: self.ask.database.as_deref(),
        };
        let set = self.parts.contracts.current();
        let gives = set.iter().filter(|contract| may_ask(contract, person, &wanted).is_match());
        gives.map(|contract| contract.name.clone()).collect()
    }

    async fn begin(&mut self, contracts: &[String]) -> Result<(), Refusal> {
        let person = PersonKey::new(self.who.identity.person.clone());
        if let Some(notice) =
            self.parts.registry.just_cut_person(&person, &self.ask.target, &self.ask.account)
        {
            return Err(refuse::just_cut(&notice, self.ask, &self.tell).await);
        }
        if !self.ask.can_wait {
            return Err(refuse::no_grant(self.parts, self.ask, &named(contracts)));
        }
        self.place = Some(self.parts.waiters.wait(self.connection.peer.address.ip())?);
        self.connection.startup.pause();
        self.connection.socket.gone_after(Some(GONE));
        self.pace = Some(Pace::new(self.parts.clock.boot(), self.parts.patience));
        let latest = self.latest().await?.filter(|request| request.record.state == RequestState::Pending);
        self.told = latest.as_ref().map(|request| (request.record.id.clone(), request.record.state));
        if latest.is_none() && self.ask.can_answer {
            let Self { parts, connection, who, ask, tell, .. } = &*self;
            let asking = Asking { parts: parts.as_ref(), connection, who, ask, tell };
            let asked = tokio::time::timeout(self.parts.patience, asking.run()).await;
            return asked.unwrap_or_else(|_| Err(refuse::no_grant(self.parts, self.ask, &named(contracts))));
        }
        let Ask { target, account, .. } = self.ask;
        let notice = match latest {
            Some(request) => Notice {
                message: format!("your request for {target} as {account} waits for its approval"),
                detail: String::new(),
                hint: format!(
                    "see it: {}",
                    self.parts.site.absolute(&format!("/requests/{}", request.record.id))
                ),
            },
            None => Notice {
                message: format!(
                    "you have no grant for {target} as {account}; {} would give one",
                    named(contracts)
                ),
                detail: "this connection waits here, and goes on once the request is approved".to_owned(),
                hint: format!("ask for it: {}", words::ask_url(&self.parts.site, target, account)),
            },
        };
        self.tell.show(notice).await;
        Ok(())
    }

    /// Something changed: tells of the request, or gives up with it.
    async fn progress(&mut self) -> Result<(), Refusal> {
        let Some(latest) = self.latest().await? else { return Ok(()) };
        let now = (latest.record.id.clone(), latest.record.state);
        if self.told.as_ref() == Some(&now) {
            return Ok(());
        }
        let known = self.told.as_ref().is_some_and(|(id, _)| *id == now.0);
        let asked_here = known || latest.record.asked_at >= self.waiting_since();
        if !asked_here {
            return Ok(());
        }
        let url = self.parts.site.absolute(&format!("/requests/{}", latest.record.id));
        let decided = latest.record.decided.as_ref();
        let by = decided.and_then(|d| d.by.as_ref()).map_or_else(String::new, |by| format!(" by {by}"));
        let note = decided.and_then(|d| d.note.as_ref()).map_or_else(String::new, |note| format!(": {note}"));
        let no = |word: &str| {
            let message =
                format!("your request for {} as {} was {word}{by}{note}", self.ask.target, self.ask.account);
            Refusal::new(RefusalKind::NoGrant, message, format!("see it: {url}"))
        };
        match latest.record.state {
            RequestState::Pending => {
                let message = format!("your request {} waits for its approval", latest.record.id);
                self.tell
                    .show(Notice { message, detail: String::new(), hint: format!("see it: {url}") })
                    .await;
            }
            // The grant is there, or starts later: the next look tells.
            RequestState::Approved => {}
            RequestState::Denied => return Err(no("denied")),
            RequestState::Cancelled => return Err(no("cancelled")),
            RequestState::Expired => return Err(no("not decided in time, so it expired")),
        }
        self.told = Some(now);
        Ok(())
    }

    /// Waits for news that could matter, and says every half minute that it does.
    async fn sleep(
        &mut self,
        news: &mut broadcast::Receiver<News>,
        contracts: &[String],
    ) -> Result<(), Refusal> {
        loop {
            let due = self.pace.as_mut().map_or(Due::Over, |pace| pace.due(self.parts.clock.boot()));
            match due {
                Due::Over => {
                    let mut refusal = refuse::no_grant(self.parts, self.ask, &named(contracts));
                    let whole = i64::try_from(self.parts.patience.as_secs()).unwrap_or(i64::MAX);
                    refusal.notice.detail =
                        format!("this connection waited {} for an approval", words::span(whole));
                    return Err(refusal);
                }
                Due::Reminder => {
                    if self.parts.drain_until().is_some() {
                        return Err(refuse::draining());
                    }
                    let Ask { target, account, .. } = self.ask;
                    let message = format!("still waiting for a grant for {target} as {account}");
                    self.tell.show(Notice { message, ..Notice::default() }).await;
                }
                Due::In(left) => tokio::select! {
                    told = news.recv() => match told.map(|news| news.change) {
                        Ok(Change::Audit(_) | Change::Session(_)) => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => return Ok(()),
                        Err(RecvError::Closed) => return Err(refuse::draining()),
                    },
                    () = tokio::time::sleep(left) => {}
                },
            }
        }
    }

    async fn latest(&self) -> Result<Option<StoredRequest>, Refusal> {
        let filter = RequestFilter {
            party: Some(PersonKey::new(self.who.identity.person.clone())),
            target: Some(self.ask.target.clone()),
            account: Some(self.ask.account.clone()),
            ..RequestFilter::default()
        };
        let page = self.parts.store.requests(&filter, &Slice { after: None, limit: 1 }).await;
        Ok(page.map_err(|error| refuse::store_down(&error))?.items.into_iter().next())
    }

    fn waiting_since(&self) -> jiff::Timestamp {
        let now = self.parts.clock.boot();
        let waited = self.pace.as_ref().map_or(Duration::ZERO, |pace| now.since(pace.since));
        self.parts.clock.wall().checked_sub(waited).unwrap_or(jiff::Timestamp::MIN)
    }
}

/// When a client that waits is told that it still does, and when it has waited enough. Both count from the beginning,
/// whatever else happens meanwhile.
#[derive(Debug)]
struct Pace {
    since: BootTime,
    told: BootTime,
    patience: Duration,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    /// Nothing, for so long.
    In(Duration),
    /// To say that it waits.
    Reminder,
    /// The end of its patience.
    Over,
}

impl Pace {
    const fn new(now: BootTime, patience: Duration) -> Self {
        Self { since: now, told: now, patience }
    }

    fn due(&mut self, now: BootTime) -> Due {
        let left = self.patience.saturating_sub(now.since(self.since));
        let until_told = REMINDER.saturating_sub(now.since(self.told));
        if left.is_zero() {
            return Due::Over;
        }
        if until_told.is_zero() {
            self.told = now;
            return Due::Reminder;
        }
        Due::In(left.min(until_told))
    }
}

fn named(contracts: &[String]) -> String {
    match contracts {
        [one] => format!("the contract {one}"),
        many => format!("one of the contracts {}", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curfew_adapter::Clock;

    #[test]
    fn a_client_that_waits_is_told_every_half_minute_until_its_patience_ends() {
        let begin = Clock::system().boot();
        let at = |seconds: u64| begin.plus(Duration::from_secs(seconds));
        let mut pace = Pace::new(begin, Duration::from_secs(300));
        let mut told = Vec::new();
        // Looked at each second, as by a store in which something happens all the time.
        for second in 0..300 {
            match pace.due(at(second)) {
                Due::In(left) => {
                    let next = (second / 30 + 1) * 30;
                    assert_eq!(left, Duration::from_secs(next - second), "at {second} s");
                }
                Due::Reminder => told.push(second),
                Due::Over => panic!("over after {second} s"),
            }
        }
        assert_eq!(told, [30, 60, 90, 120, 150, 180, 210, 240, 270]);
        assert_eq!(pace.due(at(300)), Due::Over);
        assert_eq!(pace.due(at(301)), Due::Over);
    }

    #[test]
    fn a_patience_of_less_than_half_a_minute_ends_without_a_reminder() {
        let begin = Clock::system().boot();
        let mut pace = Pace::new(begin, Duration::from_secs(2));
        assert_eq!(pace.due(begin), Due::In(Duration::from_secs(2)));
        assert_eq!(pace.due(begin.plus(Duration::from_secs(2))), Due::Over);
    }
}
