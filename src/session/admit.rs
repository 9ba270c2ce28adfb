//! Admission: the one place where a [`Session`] comes from.
//!
//! Subscribes to changes before it looks, so that nothing that happens in between is missed; decides from
//! the contracts and the grants; and puts the session on record, durably, before a byte reaches the target.

use super::host::Host;
use super::judge::{Standing, judge};
use super::live::{About, Live};
use super::parts::{Parts, Reach};
use super::refuse;
use super::wait::Waiting;
use super::words;
use crate::audit::Actor;
use crate::contract::{Contract, Person, PersonKey};
use crate::grant::Grant;
use crate::record::{Opening, SessionRecorder};
use crate::store::{SessionEnd, SessionRecord, SessionStart, to_the_microsecond, with_causes};
use curfew_adapter::{
    Ask, Connection, Deadline, EndReason, LeaseKeeper, RecordPolicy, Recorder, Refusal, RefusalKind, Session,
    SessionId, SignedIn, Teller, Terms,
};
use std::sync::Arc;
use tracing::{error, info};

/// Admits `who` to what is asked, now or once there is a grant.
///
/// # Errors
/// A refusal to show.
pub async fn admit(
    parts: Arc<Parts>,
    connection: Connection,
    who: SignedIn,
    ask: Ask,
    tell: Teller,
) -> Result<Session, Refusal> {
    let person = PersonKey::new(who.identity.person.clone());
    if let Some(left) = parts.registry.barred(&person, &ask.target, &ask.account) {
        return Err(refuse::barred(left));
    }
    // Teleport CVE-2025-49825: what was given for one thing is worth nothing for another.
    if who.only.as_ref().is_some_and(|only| (&only.target, &only.account) != (&ask.target, &ask.account)) {
        return Err(refuse::not_allowed(&parts, &ask));
    }
    let Some(reach) =
        parts.targets.get(&ask.target).filter(|reach| reach.facts.protocol == connection.protocol)
    else {
        return Err(refuse::not_allowed(&parts, &ask));
    };
    let ask = Ask { database: ask.database.clone().or_else(|| reach.database.clone()), ..ask };
    if ask.database.is_none() && reach.has_databases {
        return Err(refuse::no_database(&ask.target));
    }
    let mut news = parts.store.changes();
    let mut waiting = Waiting::new(&parts, &connection, &who, &ask, tell);
    loop {
        // Also while it waited: a node that drains begins nothing.
        if parts.drain_until().is_some() {
            return Err(refuse::draining());
        }
        let identity = current(&parts, &who).await?;
        let who = SignedIn { identity, ..who.clone() };
        if let Some((grant, contract)) = pick(&parts, &who, &person, reach, &ask).await? {
            return open(&parts, &connection, &who, &ask, reach, grant, contract).await;
        }
        waiting.step(&mut news, &Person::from(&who.identity), reach).await?;
    }
}

/// The identity as the store knows it now.
async fn current(parts: &Parts, who: &SignedIn) -> Result<curfew_adapter::Identity, Refusal> {
    let standing = parts.identities.standing(&who.signin).await.map_err(|e| refuse::store_down(&e))?;
    match standing {
        Some(standing) if standing.over(parts.clock.wall()).is_none() => Ok(standing.identity),
        _ => Err(Refusal::new(RefusalKind::NotSignedIn, "your sign-in is over", "connect again to sign in")),
    }
}

/// The grant to run under: active, for this database, and still in order. The one that lasts longest.
async fn pick(
    parts: &Parts,
    who: &SignedIn,
    person: &PersonKey,
    reach: &Reach,
    ask: &Ask,
) -> Result<Option<(Grant, Arc<Contract>)>, Refusal> {
    let now = parts.clock.wall();
    let stored = parts
        .store
        .open_grants(person, &ask.target, &ask.account)
        .await
        .map_err(|e| refuse::store_down(&e))?;
    let human = Person::from(&who.identity);
    let wanted = crate::contract::Wanted {
        target: &reach.facts,
        account: Some(&ask.account),
        database: ask.database.as_deref(),
    };
    for grant in stored.into_iter().map(|stored| stored.grant).filter(|grant| grant.admits(now)) {
        if ask.database.as_deref().is_some_and(|database| !grant.record().terms.databases.allow(database)) {
            continue;
        }
        let pinned =
            parts.grants.pinned(&grant.record().contract).await.map_err(|error| refuse::grants(&error))?;
        let contracts = parts.contracts.current();
        let current = contracts.find(&pinned.name).map(AsRef::as_ref);
        // A link that was opened elsewhere than where the client is: somebody must have looked at it.
        if who.elsewhere.is_some() && pinned.approve.is_none() {
            continue;
        }
        if crate::contract::still_allowed(&pinned, current, &human, &wanted, now).is_ok() {
            return Ok(Some((grant, pinned)));
        }
    }
    Ok(None)
}

/// Makes the session: registered first, so that whoever ends sessions finds it; then on record; then live.
async fn open(
    parts: &Arc<Parts>,
    connection: &Connection,
    who: &SignedIn,
    ask: &Ask,
    reach: &Reach,
    grant: Grant,
    pinned: Arc<Contract>,
) -> Result<Session, Refusal> {
    let record = grant.record().clone();
    let login = reach.logins.get(&ask.account).cloned().unwrap_or_default();
    let policy = RecordPolicy { strict: parts.strict, ..pinned.record.policy() };
    let about = About {
        id: SessionId::random(),
        identity: who.identity.clone(),
        person: PersonKey::new(who.identity.person.clone()),
        signin: who.signin.clone(),
        idle: record.terms.idle,
        grant,
        pinned,
        target: reach.facts.clone(),
        account: ask.account.clone(),
        database: ask.database.clone(),
        program: ask.program.clone(),
        client: connection.peer.address,
        started: to_the_microsecond(parts.clock.wall()),
    };
    let terms = Arc::new(Terms {
        identity: about.identity.clone(),
        signin: about.signin.clone(),
        grant: record.id.clone(),
        request: record.request.clone(),
        contract: record.contract.name.clone(),
        target: reach.route.clone(),
        account: ask.account.clone(),
        login,
        allow: record.terms.allow.iter().cloned().collect(),
        database: ask.database.clone(),
        record: policy,
        countdown: parts.countdown.clone(),
        extend_hint: about
            .pinned
            .end
            .extend
            .map_or_else(String::new, |_| format!("curfew extend {}", record.id)),
    });
    let until = Deadline::at(record.ends_at, &parts.clock);
    let notice = words::cut(&about, &parts.site, EndReason::Expired, record.ends_at, None);
    let keeper = LeaseKeeper::new(parts.clock.clone(), until, EndReason::Expired, notice);
    let live = Arc::new(Live::new(about, keeper, parts.clock.boot(), connection.socket.clone()));
    parts.registry.insert(live.clone());
    let begun = match still_in_order(parts, &live).await {
        Ok(()) => put_on_record(parts, &live, &terms).await,
        Err(refusal) => Err(refusal),
    };
    match begun {
        Ok(recorder) => {
            connection.startup.finish();
            // Whoever reads slowly in a session is not gone.
            connection.socket.gone_after(None);
            let recorder = Arc::new(recorder);
            let sink = Recorder::new(recorder.clone());
            let host = Host::new(parts.clone(), live.clone(), recorder);
            host.guard();
            let about = &live.about;
            let labels = [about.protocol().as_str(), about.target.name.as_str()];
            parts.metrics.sessions_live.with_label_values(&labels).inc();
            info!(session = %about.id, grant = %about.grant_id(), target_name = %about.target.name,
                account = %about.account, "session started");
            Ok(Session::admitted(terms, live.keeper.lease(), sink, live.counters.clone(), host))
        }
        Err(refusal) => {
            parts.registry.remove(&live.about.id);
            Err(refusal)
        }
    }
}

/// Judged once more, now that whoever ends sessions would find it: what ended between the first look and here is seen
/// by one of the two.
async fn still_in_order(parts: &Parts, live: &Live) -> Result<(), Refusal> {
    match judge(parts, &live.about, parts.clock.wall()).await {
        Ok(Standing::Until { at, reason, notice }) => {
            live.keeper.set_deadline(Deadline::at(at, &parts.clock), reason, notice);
            Ok(())
        }
        Ok(Standing::Over { notice, .. }) => {
            Err(Refusal { kind: RefusalKind::NoGrant, notice: Box::new(notice) })
        }
        Err(error) => Err(refuse::store_down(&error)),
    }
}

/// The audit event and the beginning of the recording, both durable when this returns.
async fn put_on_record(parts: &Parts, live: &Live, terms: &Terms) -> Result<SessionRecorder, Refusal> {
    let about = &live.about;
    let record = SessionRecord {
        id: about.id.clone(),
        grant: terms.grant.clone(),
        request: terms.request.clone(),
        identity: about.identity.id.clone(),
        person: about.person.clone(),
        signin: about.signin.clone(),
        contract: terms.contract.clone(),
        target: about.target.name.clone(),
        protocol: about.protocol(),
        account: about.account.clone(),
        database: about.database.clone(),
        client_address: about.client.ip(),
        program: (!about.program.is_empty()).then(|| about.program.clone()),
        started_at: about.started,
        ended: None,
    };
    let actor = Actor::Identity {
        identity: about.identity.id.to_string(),
        email: Some(about.identity.email.clone()),
        address: Some(about.client.ip()),
    };
    let limit = about.grant.record().terms.sessions;
    match parts.store.start_session(&record, limit, actor).await {
        Ok(SessionStart::Started) => {}
        Ok(SessionStart::TooMany) => return Err(refuse::too_many_sessions(limit.unwrap_or(0))),
        Ok(SessionStart::GrantOver) => return Err(refuse::grant_over()),
        Err(error) => return Err(refuse::store_down(&error)),
    }
    match parts.recordings.begin(&Opening::new(about.id.clone(), terms, about.client.ip())).await {
        Ok(recorder) => Ok(recorder),
        Err(cause) => {
            parts.metrics.recording_errors.inc();
            error!(session = %about.id, %cause, "the recording can't be started, so the session is refused");
            let ended = SessionEnd {
                at: parts.clock.wall(),
                reason: EndReason::RecordingFailed,
                detail: Some(cause.to_string()),
                cut: None,
                bytes_in: 0,
                bytes_out: 0,
                recording: None,
            };
            if let Err(error) = parts.store.end_session(&about.id, &ended, Actor::Curfew).await {
                error!(session = %about.id, cause = %with_causes(&error), "its end could not be stored");
            }
            Err(refuse::unavailable("this session can't be recorded, so it may not start"))
        }
    }
}
