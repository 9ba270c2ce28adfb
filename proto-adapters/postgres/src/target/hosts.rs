//! Which of a target's hosts a session gets, as libpq picks one (Postgres manual, 34.1.1.3 and 34.1.2): the entry's order,
//! each address of each name, until one is what `target_session_attrs` asks for.
//!
//! Where a host refuses the account or its proof, the others are not asked: that is not about the host.

use super::cleanup::{Found, take_leave};
use super::connect::{Begin, State, Target, connect};
use super::place::Place;
use super::{Failure, KeyCache};
use curfew_adapter::{HostPort, Login, Secret, Session, SessionAttrs, TargetTls};
use std::fmt::Write;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long it may take until one of several hosts is ready, whatever their number.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long one of them may take, from the dialling to its readiness.
const EACH: Duration = Duration::from_secs(10);

/// Connects to the target of `session`, with `settings` for the backend. `keys` has those of accounts that signed in
/// before.
///
/// # Errors
/// Where none of the hosts will do.
pub async fn reach(
    session: &Session,
    settings: &[(String, String)],
    keys: &KeyCache,
) -> Result<Target, Failure> {
    let route = &session.terms().target;
    let wanted = route.postgres.wanted;
    let (secret, tls) = (secret(session).await?, tls(session).await?);
    let asks_state = wanted != SessionAttrs::Any;
    let begin = Begin { asks_state, ..begin(session, settings, secret.as_ref(), keys)? };
    let rounds: &[_] = match wanted {
        SessionAttrs::PreferStandby => &[SessionAttrs::Standby, SessionAttrs::Any],
        _ => &[wanted],
    };
    let hosts: Vec<&HostPort> = route.addresses().collect();
    let until = Instant::now() + PATIENCE;
    let mut left = u32::try_from(hosts.len() * rounds.len()).unwrap_or(u32::MAX);
    let mut misses = Vec::new();
    for round in rounds {
        misses.clear();
        for (number, host) in hosts.iter().enumerate() {
            let share = until.saturating_duration_since(Instant::now()) / left.max(1);
            left = left.saturating_sub(1);
            let missed = |failure| Missed { number, place: host.to_string(), failure };
            let addresses = match timeout(share.min(EACH), host.resolve()).await {
                Ok(Ok(addresses)) => addresses,
                Ok(Err(error)) => {
                    misses.push(missed(Failure::unreachable(&route.name, error)));
                    continue;
                }
                Err(_) => {
                    misses
                        .push(missed(Failure::unreachable(&route.name, "its name is not resolved in time")));
                    continue;
                }
            };
            for address in addresses {
                let place = Place { host: (*host).clone(), address, tls: tls.clone() };
                let failure = match open(session, place, begin, share.min(EACH)).await {
                    Ok(target) => match unfit(*round, target.state, settings) {
                        None => {
                            tracing::debug!(target_name = route.name, %address, "the target is reached");
                            return Ok(target);
                        }
                        Some(why) => {
                            leave(target).await;
                            Failure::unreachable(&route.name, why)
                        }
                    },
                    Err(failure) if failure.conclusive => return Err(failure),
                    Err(failure) => failure,
                };
                misses.push(Missed { number, place: format!("{host} ({address})"), failure });
            }
        }
    }
    Err(in_all(&route.name, hosts.len(), misses))
}

/// Connects once more to the place where the session is, past its end, as the same account.
///
/// # Errors
/// Where that can't be.
pub async fn connect_again(
    session: &Session,
    place: &Place,
    settings: &[(String, String)],
    keys: &KeyCache,
) -> Result<Target, Failure> {
    let name = &session.terms().target.name;
    let secret = secret(session).await?;
    let begin = begin(session, settings, secret.as_ref(), keys)?;
    let socket = session.dial_for_cleanup(place.address).await;
    let socket = socket.map_err(|error| Failure::unreachable(name, error))?;
    connect(socket, place.clone(), begin).await
}

async fn open(
    session: &Session,
    place: Place,
    begin: Begin<'_>,
    patience: Duration,
) -> Result<Target, Failure> {
    let name = &session.terms().target.name;
    let opening = async {
        let socket = session.dial_to(place.address).await;
        let socket = socket.map_err(|error| Failure::unreachable(name, error))?;
        connect(socket, place, begin).await
    };
    match timeout(patience, opening).await {
        Ok(done) => done,
        Err(_) => {
            let seconds = patience.as_secs_f32().ceil();
            Err(Failure::unreachable(name, format_args!("it was not ready within {seconds} seconds")))
        }
    }
}

/// What a connection of this session begins with.
fn begin<'a>(
    session: &'a Session,
    settings: &'a [(String, String)],
    secret: Option<&'a Secret>,
    keys: &'a KeyCache,
) -> Result<Begin<'a>, Failure> {
    let terms = session.terms();
    let Some(database) = terms.database.as_deref() else {
        return Err(Failure::unreachable(&terms.target.name, "no database is configured for it"));
    };
    let (account, route) = (terms.account.as_str(), &terms.target.postgres);
    let target = terms.target.name.as_str();
    Ok(Begin { target, account, database, route, settings, secret, keys, asks_state: false })
}

/// The account's password, where it signs in by one.
async fn secret(session: &Session) -> Result<Option<Secret>, Failure> {
    match session.terms().login {
        Login::Certificate => Ok(None),
        _ => session.secret().await.map(Some).map_err(Failure::no_secret),
    }
}

/// How TLS is spoken for this account.
async fn tls(session: &Session) -> Result<TargetTls, Failure> {
    let route = &session.terms().target;
    match session.client_certificate().await.map_err(Failure::no_secret)? {
        None => Ok(route.tls.clone()),
        Some(certificate) => route.tls.showing(certificate).map_err(|error| {
            let why = format_args!("the account's certificate can't be used: {error}");
            Failure { conclusive: true, ..Failure::unreachable(&route.name, why) }
        }),
    }
}

/// Why a server in this state is not what is wanted; none where it is. A client that asked for read-only transactions
/// itself says nothing about the server by that.
fn unfit(wanted: SessionAttrs, state: State, settings: &[(String, String)]) -> Option<&'static str> {
    let standby = state.in_hot_standby == Some(true);
    let asked = settings.iter().any(|(name, _)| name == "default_transaction_read_only");
    let read_only = standby || (!asked && state.read_only == Some(true));
    let (fits, why) = match wanted {
        SessionAttrs::Any | SessionAttrs::PreferStandby => (true, ""),
        SessionAttrs::ReadWrite => (!read_only, "it is read-only, and its entry asks for read-write"),
        SessionAttrs::ReadOnly => (read_only, "it is not read-only, as its entry asks"),
        SessionAttrs::Primary => (!standby, "it is a standby, and its entry asks for a primary"),
        SessionAttrs::Standby => (standby, "it is no standby, as its entry asks"),
    };
    (!fits).then_some(why)
}

/// A backend that ran nothing is told to go.
async fn leave(target: Target) {
    let found = Found { outstanding: None, queued: false, between_messages: true, told: false };
    take_leave(target.stream, &found).await;
}

/// A host that would not do, or one of its addresses.
struct Missed {
    number: usize,
    place: String,
    failure: Failure,
}

/// One failure of them all. Users are told hosts by their number: where they stand is the operator's to know.
fn in_all(name: &str, hosts: usize, mut misses: Vec<Missed>) -> Failure {
    if hosts == 1 {
        let none = || Failure::unreachable(name, "its entry has no address");
        return misses.pop().map_or_else(none, |missed| missed.failure);
    }
    let (mut told, mut cause) = (String::new(), String::new());
    for Missed { number, place, failure } in &misses {
        let between = if told.is_empty() { "" } else { "; " };
        let _ = write!(told, "{between}host {} of {hosts}: {}", number + 1, failure.cause);
        let _ = write!(cause, "{between}{place}: {}", failure.cause);
    }
    Failure { cause, ..Failure::unreachable(name, told) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn state(standby: bool, read_only: bool) -> State {
        State { in_hot_standby: Some(standby), read_only: Some(read_only) }
    }

    #[test]
    fn servers_fit_as_libpq_has_it() {
        use SessionAttrs::{Any, PreferStandby, Primary, ReadOnly, ReadWrite, Standby};
        let (primary, read_only, standby) = (state(false, false), state(false, true), state(true, false));
        let table = [
            (Any, [true, true, true]),
            (ReadWrite, [true, false, false]),
            (ReadOnly, [false, true, true]),
            (Primary, [true, true, false]),
            (Standby, [false, false, true]),
            (PreferStandby, [true, true, true]),
        ];
        for (wanted, fits) in table {
            let found = [primary, read_only, standby].map(|state| unfit(wanted, state, &[]).is_none());
            assert_eq!(found, fits, "{wanted:?}");
        }
        let asked = [("default_transaction_read_only".to_owned(), "on".to_owned())];
        assert_eq!(unfit(ReadWrite, read_only, &asked), None);
        assert!(unfit(ReadWrite, standby, &asked).is_some());
    }

    #[test]
    fn users_are_told_hosts_by_their_number_and_operators_by_their_address() {
        let missed = |number, why: &str| Missed {
            number,
            place: format!("db-{number}.internal:5432"),
            failure: Failure::unreachable("orders", why),
        };
        let one = in_all("orders", 1, vec![missed(0, "no")]);
        assert_eq!(one.sentence.notice.message, "curfew: the target orders can't be reached: no");
        let two = in_all("orders", 2, vec![missed(0, "no"), missed(1, "never")]);
        assert!(two.sentence.notice.message.ends_with(": host 1 of 2: no; host 2 of 2: never"));
        assert_eq!(two.cause, "db-0.internal:5432: no; db-1.internal:5432: never");
    }
}
