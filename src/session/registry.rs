//! The live sessions of this node, and who may not come back at once.
//!
//! Owns membership and nothing of the rules: `supervise` decides who is ended, `admit` who comes in.

use super::live::Live;
use crate::contract::PersonKey;
use curfew_adapter::{BootTime, Clock, EndReason, GrantId, SessionId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long a killed session's identity, target and account stay barred: clients reconnect by themselves.
pub const BAR: Duration = Duration::from_secs(60);

/// How long after a cut a client that comes back is told so at once, and never made to wait.
const JUST_CUT: Duration = Duration::from_secs(5);

/// Who is barred, or was cut, and from what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    who: Who,
    target: String,
    account: String,
}

/// A person, or an address where nobody has signed in yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Person(PersonKey),
    Address(IpAddr),
}

#[derive(Debug, Default)]
struct State {
    live: HashMap<SessionId, Arc<Live>>,
    barred: HashMap<Place, BootTime>,
    cut: HashMap<Place, (BootTime, Arc<curfew_adapter::Notice>)>,
}

/// The registry. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Registry {
    state: Arc<Mutex<State>>,
    count: Arc<watch::Sender<usize>>,
    clock: Clock,
}

impl Registry {
    /// An empty one.
    pub fn new(clock: Clock) -> Self {
        Self { state: Arc::default(), count: Arc::new(watch::Sender::new(0)), clock }
    }

    /// From now on the session is found by whoever ends sessions.
    pub fn insert(&self, live: Arc<Live>) {
        let count = {
            let mut state = self.lock();
            state.live.insert(live.about.id.clone(), live);
            state.live.len()
        };
        self.count.send_replace(count);
    }

    /// It is over.
    pub fn remove(&self, id: &SessionId) {
        let count = {
            let mut state = self.lock();
            state.live.remove(id);
            state.live.len()
        };
        self.count.send_replace(count);
    }

    /// A live session.
    pub fn find(&self, id: &SessionId) -> Option<Arc<Live>> {
        self.lock().live.get(id).cloned()
    }

    /// Every live session.
    pub fn all(&self) -> Vec<Arc<Live>> {
        self.lock().live.values().cloned().collect()
    }

    /// The live sessions that `pick` picks.
    pub fn matching(&self, pick: impl Fn(&Live) -> bool) -> Vec<Arc<Live>> {
        self.lock().live.values().filter(|live| pick(live)).cloned().collect()
    }

    /// How many run under this grant.
    pub fn under(&self, grant: &GrantId) -> usize {
        self.lock().live.values().filter(|live| live.about.grant_id() == grant).count()
    }

    /// Resolves once no session is live.
    pub async fn empty(&self) {
        // The sender lives in `self`.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Bars the session's person from its target and account for a minute.
    pub fn bar(&self, live: &Live) {
        let until = self.clock.boot().plus(BAR);
        let place =
            Self::place(Who::Person(live.about.person.clone()), &live.about.target.name, &live.about.account);
        self.lock().barred.insert(place, until);
    }

    /// For how long this person is still barred from it, if at all.
    pub fn barred(&self, person: &PersonKey, target: &str, account: &str) -> Option<Duration> {
        let now = self.clock.boot();
        let mut state = self.lock();
        state.barred.retain(|_, until| *until > now);
        let place = Self::place(Who::Person(person.clone()), target, account);
        state.barred.get(&place).map(|until| until.since(now))
    }

    /// Remembers a cut for the client that reconnects by itself.
    pub fn remember_cut(&self, live: &Live) {
        let Some(end) = live.ended() else { return };
        if counts(end.reason) {
            let until = self.clock.boot().plus(JUST_CUT);
            let mut state = self.lock();
            for place in Self::places(live) {
                state.cut.insert(place, (until, end.notice.clone()));
            }
        }
    }

    /// What a client from this address was told when it was cut off a moment ago.
    pub fn just_cut_at(
        &self,
        address: IpAddr,
        target: &str,
        account: &str,
    ) -> Option<Arc<curfew_adapter::Notice>> {
        self.just_cut(Who::Address(address), target, account)
    }

    /// What this person was told when they were cut off a moment ago.
    pub fn just_cut_person(
        &self,
        person: &PersonKey,
        target: &str,
        account: &str,
    ) -> Option<Arc<curfew_adapter::Notice>> {
        self.just_cut(Who::Person(person.clone()), target, account)
    }

    fn just_cut(&self, who: Who, target: &str, account: &str) -> Option<Arc<curfew_adapter::Notice>> {
        let now = self.clock.boot();
        let mut state = self.lock();
        state.cut.retain(|_, (until, _)| *until > now);
        let place = Self::place(who, target, account);
        if let Some((_, notice)) = state.cut.get(&place) {
            return Some(notice.clone());
        }
        // psql is back before its session is written down.
        let cut = state.live.values().filter(|live| Self::places(live).contains(&place));
        cut.filter_map(|live| live.ended()).find(|end| counts(end.reason)).map(|end| end.notice)
    }

    /// Where a session was: for its person, and for its address.
    fn places(live: &Live) -> [Place; 2] {
        let about = &live.about;
        [Who::Person(about.person.clone()), Who::Address(about.client.ip())]
            .map(|who| Self::place(who, &about.target.name, &about.account))
    }

    fn place(who: Who, target: &str, account: &str) -> Place {
        Place { who, target: target.to_owned(), account: account.to_owned() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a client that was cut for this reason is kept from waiting when it is back: after these others it may come
/// back at once, because the grant still runs, or it signs in again.
const fn counts(reason: EndReason) -> bool {
    !matches!(
        reason,
        EndReason::Idle | EndReason::SigninEnded | EndReason::ClientClosed | EndReason::TargetClosed
    )
}
