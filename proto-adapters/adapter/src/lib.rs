//! The interface between Curfew's core and its protocol adapters.
//!
//! An adapter speaks one protocol to a client and to a target. All that it may know of the core is
//! here: a [`Gate`] to sign in and to be admitted through, a [`Session`] with immutable [`Terms`], a
//! [`Lease`] that ends, two guards that stop bytes when it does, and a [`Recorder`]. It never sees the
//! store, the configuration, HTTP or another adapter.
//!
//! The life of a connection is drawn in docs/architecture.md.

mod clock;
mod countdown;
mod end;
mod event;
mod gate;
mod ids;
mod lease;
mod leased;
mod progress;
mod record;
mod route;
mod scram;
mod secret;
mod session;
mod socket;
mod startup;
pub mod task;
mod terms;
mod tls;
mod words;

pub use clock::{BootTime, Clock, ManualClock};
pub use countdown::Countdown;
pub use end::{End, EndReason, Notice};
pub use event::{Column, Event, Hex, Parameter, Terminal, Text, TypeName};
pub use gate::{Ask, Connection, Core, Gate, Only, Peer, Proof, ProvedKey, Refusal, RefusalKind, SignedIn};
pub use ids::{ConnectionId, GrantId, IdentityId, LinkId, RequestId, SessionId, SigninId, random_bytes};
pub use lease::{Deadline, Lease, LeaseKeeper, Warning};
pub use leased::{Farewell, Leased};
pub use progress::{Progress, Question, Step, Teller};
pub use record::{RecordError, RecordSink, Recorder};
pub use route::{HostKeys, HostPort, Login, PasswordProof, PostgresRoute, SessionAttrs, TargetRoute};
pub use scram::{CREDENTIAL, SCRAM, SCRAM_PLUS, ScramVerifier, scram_mac};
pub use secret::Secret;
pub use session::{CertificateAsk, Closing, Counters, CutReport, Goodbye, Session, SessionHost};
pub use socket::{ClientIo, GuardedSocket, SocketHandle};
pub use startup::StartupClock;
pub use terms::{Identity, IdentityKind, ParameterPolicy, RecordPolicy, ResultPolicy, Terms};
pub use tls::{ClientCertificate, TargetTls, TlsMode};
pub use words::Words;

use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::Arc;

/// A protocol that the gate speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The Postgres frontend/backend protocol, version 3.
    Postgres,
    /// The secure shell, version 2 (RFC 4251).
    Ssh,
}

impl Protocol {
    /// The word used in configuration, contracts, metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Ssh => "ssh",
        }
    }

    /// Every protocol, for parsing and for messages that list them.
    pub const ALL: &'static [Self] = &[Self::Postgres, Self::Ssh];
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a connection came to, once it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A session was admitted, and ended for this reason.
    Session(EndReason),
    /// The client was told no, or left before it was admitted.
    Refused,
    /// A connection that only asks for a running statement to stop; no session.
    Cancel,
}

/// Why a connection failed before it became a session, for the operator's log and the counter of
/// startup failures. Never shown to the client.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// The client broke the protocol.
    #[error("the client broke the protocol: {0}")]
    Protocol(String),
    /// The client's TLS handshake failed.
    #[error("TLS with the client failed: {0}")]
    Tls(std::io::Error),
    /// The connection broke while it was being set up.
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
}

impl AdapterError {
    /// A bounded label for metrics: `protocol`, `tls` or `io`.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Protocol(_) => "protocol",
            Self::Tls(_) => "tls",
            Self::Io(_) => "io",
        }
    }
}

/// One protocol, spoken to clients on one side and to targets on the other.
pub trait Adapter: Send + Sync + 'static {
    /// The protocol that it speaks.
    fn protocol(&self) -> Protocol;

    /// Speaks to one client until it is over. Dropping the future closes both sockets.
    ///
    /// The future runs its whole life on one thread (docs/adr/0002): it must never block.
    fn serve(
        self: Arc<Self>,
        io: ClientIo,
        peer: Peer,
        gate: Gate,
    ) -> BoxFuture<'static, Result<Ended, AdapterError>>;
}
