//! The gate, as an adapter sees it: sign in, be admitted, or be refused with a sentence.

use crate::{
    ConnectionId, Identity, Notice, Progress, Protocol, ScramVerifier, Secret, Session, SigninId,
    SocketHandle, StartupClock,
};
use futures_util::future::BoxFuture;
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address; from the PROXY protocol where the listener asks for it of a trusted proxy.
    pub address: SocketAddr,
}

/// A connection that is not yet a session.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The id in logs and in the tracing span.
    pub id: ConnectionId,
    /// What it speaks.
    pub protocol: Protocol,
    /// Who is at the other end.
    pub peer: Peer,
    /// Reaches its socket.
    pub socket: SocketHandle,
    /// The deadline until which it must have become a session.
    pub startup: StartupClock,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The target's name, exactly as the client spelled it.
    pub target: String,
    /// The account, exactly as the client spelled it.
    pub account: String,
    /// The database, where the client named one apart from the target.
    pub database: Option<String>,
    /// The program, as it calls itself (`psql`); shown to people, trusted in nothing.
    pub program: String,
    /// Whether it shows what it is told before it is signed in, and can wait there.
    pub can_wait: bool,
    /// Whether it can be asked while it waits, so that its user types an answer.
    pub can_answer: bool,
}

/// A public key that the client has proved to hold, by a signature on this very connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProvedKey {
    /// The key as one line, algorithm and base64, without a comment (RFC 4253, section 6.6).
    pub line: String,
    /// `SHA256:` and the hash of its blob, in base64 without padding.
    pub fingerprint: String,
}

/// How a client proves who it is.
#[derive(Clone, Debug)]
pub enum Proof {
    /// By a link that its user opens in a browser. A key that the client holds may be bound to the sign-in.
    Link {
        /// The key, where the client has proved one.
        key: Option<ProvedKey>,
    },
    /// By a key that was bound to a sign-in before.
    Key(ProvedKey),
    /// By an OpenSSH user certificate of Curfew's own authority, whose key the client has proved to hold: one line,
    /// algorithm and base64 (OpenSSH, PROTOCOL.certkeys).
    UserCertificate(String),
    /// By the connection credential of this name, whose secret the client has proved to know.
    Credential(String),
    /// By the credential of this name, and not by its secret: the core counts it, and refuses it.
    WrongSecret(String),
    /// By a client certificate, whose key the client has proved to hold in TLS. First the end entity.
    Certificate(Vec<CertificateDer<'static>>),
    /// By a bearer token of Curfew's own (RFC 6750), as its client brought it: nothing about it has been looked at.
    Bearer(Secret),
}

/// An identity, with the sign-in that vouches for it.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub identity: Identity,
    /// Under which sign-in: what runs under it ends with it.
    pub signin: SigninId,
    /// The browser's address, where a link was opened from another one than the client's. Access then needs an
    /// approver, who is shown both.
    pub elsewhere: Option<IpAddr>,
    /// The only thing that the proof is good for, where it is good for one alone.
    pub only: Option<Only>,
}

/// A target, and an account on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Only {
    /// The target's name.
    pub target: String,
    /// The account.
    pub account: String,
}

impl SignedIn {
    /// Under this sign-in, for whatever contracts give.
    pub const fn new(identity: Identity, signin: SigninId) -> Self {
        Self { identity, signin, elsewhere: None, only: None }
    }

    /// What is asked for, where the proof names target and account itself: then the client has named at most the
    /// database, as TARGET, as TARGET/DATABASE, or by itself. Programs that know no database name their user.
    #[must_use]
    pub fn completes(&self, ask: Ask) -> Ask {
        let Some(Only { target, account }) = self.only.clone() else { return ask };
        let database = match (ask.target, ask.database) {
            (named, database) if named == target => database,
            (named, None) => (named != ask.account).then_some(named),
            (named, Some(rest)) => Some(format!("{named}/{rest}")),
        };
        Ask { target, account, database, ..ask }
    }
}

/// Why a client is refused; adapters translate it into their protocol's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// Nobody signed in: the link expired, the certificate is worthless, the program can't wait.
    NotSignedIn,
    /// Signed in, and not allowed; or there is no such target. The two look the same.
    NotAllowed,
    /// Allowed to ask, but there is no grant.
    NoGrant,
    /// Barred for a moment, or back too soon after a cut.
    Barred,
    /// Too many of something.
    TooMany,
    /// Something that Curfew needs is down: provider, store, recording, the target's secret.
    Unavailable,
    /// Curfew is shutting down.
    Draining,
}

impl RefusalKind {
    /// A bounded label for metrics and the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSignedIn => "not_signed_in",
            Self::NotAllowed => "not_allowed",
            Self::NoGrant => "no_grant",
            Self::Barred => "barred",
            Self::TooMany => "too_many",
            Self::Unavailable => "unavailable",
            Self::Draining => "draining",
        }
    }
}

/// A no that may be shown to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The kind.
    pub kind: RefusalKind,
    /// What the person is told. Boxed, because a refusal travels in many `Result`s.
    pub notice: Box<Notice>,
}

impl Refusal {
    /// A refusal of `kind` with one sentence, and what to do next.
    pub fn new(kind: RefusalKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let notice = Notice { message: message.into(), detail: String::new(), hint: hint.into() };
        Self { kind, notice: Box::new(notice) }
    }
}

/// What stands behind the gate: implemented by the core, and by doubles in tests.
pub trait Core: Send + Sync + 'static {
    /// Signs the client of `connection` in. A certificate that is worth nothing falls back to the link
    /// where the client can wait.
    fn sign_in(self: Arc<Self>, connection: Connection, proof: Proof, ask: Ask) -> Progress<SignedIn>;

    /// What is to be known of the credential of this name: of one that there is not, a decoy, which no proof fits.
    ///
    /// # Errors
    /// A refusal to show: it can't be known now.
    fn scram_verifier(self: Arc<Self>, name: String) -> BoxFuture<'static, Result<ScramVerifier, Refusal>>;

    /// Lets the user of a client that named no target pick one, of those that this identity may reach or ask for.
    /// Answers with the ask completed.
    fn choose(self: Arc<Self>, connection: Connection, who: SignedIn, ask: Ask) -> Progress<Ask>;

    /// Admits it to what it asks for, once there is a grant.
    fn admit(self: Arc<Self>, connection: Connection, who: SignedIn, ask: Ask) -> Progress<Session>;
}

/// The gate of one connection.
#[derive(Clone)]
pub struct Gate {
    core: Arc<dyn Core>,
    connection: Connection,
}

impl Gate {
    /// The gate through which `connection` may pass.
    pub fn new(core: Arc<dyn Core>, connection: Connection) -> Self {
        Self { core, connection }
    }

    /// Signs in; see [`Core::sign_in`].
    pub fn sign_in(&self, proof: Proof, ask: &Ask) -> Progress<SignedIn> {
        self.core.clone().sign_in(self.connection.clone(), proof, ask.clone())
    }

    /// What proofs of a credential are checked with; see [`Core::scram_verifier`].
    ///
    /// # Errors
    /// A refusal to show.
    pub async fn scram_verifier(&self, name: &str) -> Result<ScramVerifier, Refusal> {
        self.core.clone().scram_verifier(name.to_owned()).await
    }

    /// Lets the user pick a target; see [`Core::choose`].
    pub fn choose(&self, who: SignedIn, ask: &Ask) -> Progress<Ask> {
        self.core.clone().choose(self.connection.clone(), who, ask.clone())
    }

    /// Asks for a session; see [`Core::admit`].
    pub fn admit(&self, who: SignedIn, ask: &Ask) -> Progress<Session> {
        self.core.clone().admit(self.connection.clone(), who, ask.clone())
    }

    /// The connection.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("connection", &self.connection).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_says_what_is_asked_for_and_the_client_which_database() {
        let identity = Identity {
            id: crate::IdentityId::random(),
            person: String::new(),
            email: String::new(),
            name: String::new(),
            groups: Vec::new(),
            kind: crate::IdentityKind::User,
        };
        let only = Only { target: "orders".to_owned(), account: "reader".to_owned() };
        let who = SignedIn { only: Some(only), ..SignedIn::new(identity, SigninId::random()) };
        let asked = |target: &str, database: Option<&str>| {
            let ask = Ask {
                target: target.to_owned(),
                account: "c-abc".to_owned(),
                database: database.map(str::to_owned),
                program: String::new(),
                can_wait: false,
                can_answer: false,
            };
            let Ask { target, account, database, .. } = who.completes(ask);
            assert_eq!((target.as_str(), account.as_str()), ("orders", "reader"));
            database
        };
        assert_eq!(asked("orders", None), None);
        assert_eq!(asked("orders", Some("sales")).as_deref(), Some("sales"));
        assert_eq!(asked("sales", None).as_deref(), Some("sales"));
        assert_eq!(asked("sales", Some("x")).as_deref(), Some("sales/x"));
        assert_eq!(asked("c-abc", None), None);
    }
}
