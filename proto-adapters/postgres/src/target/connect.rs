//! From a dialled socket to a backend that is ready for queries.

use super::auth::{self, Channel, Claim, Unproved};
use super::place::{BackendKey, Place};
use super::wire::Wire;
use super::{Failure, KeyCache, secure};
use crate::binding;
use crate::codec::{Cursor, backend, frame, frontend, limits, report, startup};
use crate::stream::Stream;
use curfew_adapter::{EndReason, GuardedSocket, PasswordProof, PostgresRoute, Secret};

/// A backend that is ready.
#[derive(Debug)]
pub struct Target {
    /// The connection.
    pub stream: Stream,
    /// Names it in a CancelRequest; none where the server gave none.
    pub key: Option<BackendKey>,
    /// Its settings and notices, as they are to be passed on to the client.
    pub greeting: Vec<u8>,
    /// What came behind its first ReadyForQuery.
    pub behind: Vec<u8>,
    /// What it is, as far as was asked.
    pub state: State,
    /// How the account's password was proved; none where none was asked for.
    pub proved: Option<PasswordProof>,
}

/// What a server says that it is (Postgres manual, 34.1.2 `target_session_attrs`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Whether it is in hot standby.
    pub in_hot_standby: Option<bool>,
    /// Whether transactions there are read-only by default.
    pub read_only: Option<bool>,
}

/// What a connection begins with.
#[derive(Clone, Copy, Debug)]
pub struct Begin<'a> {
    /// The target's name, for what is told.
    pub target: &'a str,
    /// The account.
    pub account: &'a str,
    /// The database.
    pub database: &'a str,
    /// How passwords are proved there, and which version is spoken.
    pub route: &'a PostgresRoute,
    /// Settings for the backend.
    pub settings: &'a [(String, String)],
    /// The account's password; none where it signs in by certificate.
    pub secret: Option<&'a Secret>,
    /// The keys of accounts that signed in before.
    pub keys: &'a KeyCache,
    /// Whether it matters what the server is.
    pub asks_state: bool,
}

/// Connects to `place`, which `socket` leads to.
///
/// # Errors
/// Where there is no such backend in the end.
pub async fn connect(socket: GuardedSocket, place: Place, begin: Begin<'_>) -> Result<Target, Failure> {
    let failed = |why: &dyn std::fmt::Display| Failure::unreachable(begin.target, why);
    let stream = secure::secure(socket, &place).await.map_err(|e| failed(&e))?;
    let channel = channel(&stream);
    let mut wire = Wire::new(stream);
    let mut out = Vec::new();
    let fixed = [("user", begin.account), ("database", begin.database)];
    let settings = begin.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    startup::startup(&mut out, begin.route.minor, fixed.into_iter().chain(settings));
    wire.send(&out).await.map_err(|e| failed(&e))?;
    let claim = Claim {
        account: begin.account,
        secret: begin.secret,
        weakest: begin.route.weakest,
        channel: &channel,
        minor: begin.route.minor,
    };
    let proved = auth::prove(&mut wire, claim, begin.keys).await.map_err(|unproved| {
        let failure = failed(&unproved);
        Failure { conclusive: concludes(&unproved), ..failure }
    })?;
    let (mut key, mut greeting, mut state) = (None, Vec::new(), State::default());
    loop {
        let (tag, body) = wire.message().await.map_err(|e| failed(&e))?;
        match tag {
            backend::PARAMETER_STATUS | backend::NOTICE => {
                if tag == backend::PARAMETER_STATUS {
                    state.notice(body);
                }
                frame::message(&mut greeting, tag, |out| out.extend_from_slice(body));
            }
            backend::KEY_DATA => {
                let mut body = Cursor::new(body);
                let process = body.int32().map_err(|e| failed(&e))?;
                let secret = body.rest();
                if !limits::CANCEL_SECRET.contains(&secret.len()) {
                    return Err(failed(&"it gives a key to cancel by of absurd length").broken());
                }
                key = Some(BackendKey { place: place.clone(), process, secret: secret.into() });
            }
            backend::READY => break,
            backend::ERROR => {
                let told = report::read(body);
                return Err(failed(&format_args!("it says: {}", told.message)));
            }
            _ => return Err(failed(&"it breaks the Postgres protocol").broken()),
        }
    }
    if begin.asks_state && !state.is_known() {
        state = ask_state(&mut wire).await.map_err(|why| failed(&why))?;
    }
    let (stream, behind) = wire.into_parts();
    Ok(Target { stream, key, greeting, behind, state, proved })
}

/// What a password exchange can be bound to.
fn channel(stream: &Stream) -> Channel {
    let shown = stream.peer_certificates();
    let hash = shown.as_deref().and_then(<[_]>::first).and_then(|first| binding::server_end_point(first));
    hash.map_or(Channel::Nothing, Channel::EndPoint)
}

/// Whether another host would not be asked after this: the account or its proof is the matter, and not the server.
fn concludes(unproved: &Unproved) -> bool {
    match unproved {
        // Invalid authorization (class 28), and no such database (3D000).
        Unproved::Said(_, code) => code.starts_with("28") || code == "3D000",
        Unproved::Method(_) | Unproved::Unbound(_) | Unproved::NoPassword | Unproved::Scram(_) => true,
        Unproved::Protocol | Unproved::Io(_) => false,
    }
}

impl State {
    const fn is_known(self) -> bool {
        self.in_hot_standby.is_some() && self.read_only.is_some()
    }

    /// Servers from Postgres 14 on say both by themselves.
    fn notice(&mut self, status: &[u8]) {
        let on = |value: &[u8]| Some(value == b"on");
        let mut parts = status.split(|byte| *byte == 0);
        match (parts.next(), parts.next()) {
            (Some(b"in_hot_standby"), Some(value)) => self.in_hot_standby = on(value),
            (Some(b"default_transaction_read_only"), Some(value)) => self.read_only = on(value),
            _ => {}
        }
    }
}

/// What a server before Postgres 14, or a pooler in front of one, says when it is asked.
async fn ask_state(wire: &mut Wire) -> Result<State, String> {
    let mut out = Vec::new();
    frontend::write_query(
        &mut out,
        "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')",
    );
    wire.send(&out).await.map_err(|error| error.to_string())?;
    let mut state = State::default();
    loop {
        let (tag, body) = wire.message().await.map_err(|error| error.to_string())?;
        match tag {
            backend::DATA_ROW => {
                // The count of columns, and then each with its length.
                let mut row = Cursor::new(body.get(2..).unwrap_or_default());
                let mut value = || {
                    let length = usize::try_from(row.int32().ok()?).ok()?;
                    Some(matches!(row.take(length).ok()?, b"t" | b"on"))
                };
                state = State { in_hot_standby: value(), read_only: value() };
            }
            backend::ERROR => return Err(format!("it says: {}", report::read(body).message)),
            backend::READY if state.is_known() => return Ok(state),
            backend::READY => return Err("it does not say whether it is a standby".to_owned()),
            _ => {}
        }
    }
}

impl Failure {
    /// The target's own fault, and the end of the session for that reason.
    fn broken(self) -> Self {
        Self { reason: EndReason::ProtocolError, ..self }
    }
}
