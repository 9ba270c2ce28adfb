//! From a dialled socket to a backend that is ready for queries.

use super::wire::Wire;
use super::{BackendKey, Failure, KeyCache, auth, secure};
use crate::codec::{Cursor, backend, frame, report, startup};
use crate::stream::Stream;
use curfew_adapter::{BootTime, EndReason, GuardedSocket, Session};
use std::time::Duration;

/// How long a target may take from the connection to its readiness.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// When it was ready, by which time it existed.
    pub ready: BootTime,
}

/// Connects to the target of `session` over `socket`, with `settings` for the backend. `keys` has those of
/// accounts that signed in before.
///
/// # Errors
/// Where there is no such backend in the end.
pub async fn connect(
    session: &Session,
    socket: GuardedSocket,
    settings: &[(String, String)],
    keys: &KeyCache,
) -> Result<Target, Failure> {
    let name = &session.terms().target.name;
    match tokio::time::timeout(PATIENCE, start(session, socket, settings, keys)).await {
        Ok(done) => done,
        Err(_) => Err(Failure::unreachable(name, "it was not ready within 10 seconds")),
    }
}

async fn start(
    session: &Session,
    socket: GuardedSocket,
    settings: &[(String, String)],
    keys: &KeyCache,
) -> Result<Target, Failure> {
    let terms = session.terms();
    let to = &terms.target;
    let failed = |why: &dyn std::fmt::Display| Failure::unreachable(&to.name, why);
    let Some(database) = terms.database.as_deref() else {
        return Err(failed(&"no database is configured for it"));
    };
    let secret = session.secret().await.map_err(Failure::no_secret)?;
    let stream = secure::secure(socket, &to.tls, &to.address.host).await.map_err(|e| failed(&e))?;
    let mut wire = Wire::new(stream);
    let mut out = Vec::new();
    let fixed = [("user", terms.account.as_str()), ("database", database)];
    let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    startup::startup(&mut out, fixed.into_iter().chain(settings));
    wire.send(&out).await.map_err(|e| failed(&e))?;
    auth::prove(&mut wire, &secret, keys).await.map_err(|e| failed(&e))?;
    drop(secret);
    let (mut key, mut greeting) = (None, Vec::new());
    loop {
        let (tag, body) = wire.message().await.map_err(|e| failed(&e))?;
        match tag {
            backend::PARAMETER_STATUS | backend::NOTICE => {
                frame::message(&mut greeting, tag, |out| out.extend_from_slice(body));
            }
            backend::KEY_DATA => {
                let mut body = Cursor::new(body);
                let process = body.int32().map_err(|e| failed(&e))?;
                key = Some(BackendKey { process, secret: body.rest().to_vec() });
            }
            backend::READY => {
                let ready = session.clock().boot();
                let (stream, behind) = wire.into_parts();
                return Ok(Target { stream, key, greeting, behind, ready });
            }
            backend::ERROR => {
                let told = report::read(body);
                return Err(failed(&format_args!("it says: {}", told.message)));
            }
            _ => {
                let failure = failed(&"it breaks the Postgres protocol");
                return Err(Failure { reason: EndReason::ProtocolError, ..failure });
            }
        }
    }
}
