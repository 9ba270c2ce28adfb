//! An admitted session: the only thing that reaches a target.

use crate::{
    BootTime, ClientCertificate, Clock, EndReason, Ended, GuardedSocket, Lease, Leased, Recorder, Refusal,
    Secret, SocketHandle, Terms,
};
use futures_util::future::BoxFuture;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a target may take to accept a TCP connection.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that passed, and when the last one did.
#[derive(Debug, Default)]
pub struct Counters {
    from_client: AtomicU64,
    from_target: AtomicU64,
    last: AtomicU64,
}

impl Counters {
    /// `bytes` came from the client at `now`.
    pub fn from_client(&self, bytes: usize, now: BootTime) {
        self.from_client.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// `bytes` came from the target at `now`.
    pub fn from_target(&self, bytes: usize, now: BootTime) {
        self.from_target.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Bytes from the client, bytes from the target.
    pub fn bytes(&self) -> (u64, u64) {
        (self.from_client.load(Ordering::Relaxed), self.from_target.load(Ordering::Relaxed))
    }

    /// When the last byte passed; boot itself if none has.
    pub fn last_activity(&self) -> BootTime {
        BootTime::from_nanos(self.last.load(Ordering::Relaxed))
    }
}

/// What became of the goodbye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goodbye {
    /// The client was told.
    Sent,
    /// It was not, for this reason.
    None(&'static str),
}

/// How a cut went, for the audit log.
#[derive(Clone, Debug)]
pub struct CutReport {
    /// When the last byte of the session was handed to a socket; the end of the lease, where that came later.
    pub blocked_at: BootTime,
    /// The goodbye.
    pub goodbye: Goodbye,
    /// What was running or half sent at the end.
    pub outstanding: Option<String>,
    /// What was done about the target's work, and how it went.
    pub target_work: String,
}

/// What an adapter says when a session is over.
#[derive(Clone, Debug)]
pub struct Closing {
    /// Why, as the adapter saw it. Where the lease ended, the lease's reason counts.
    pub reason: EndReason,
    /// The cause for the operator's log, where something failed.
    pub cause: Option<String>,
    /// The cut, where there was one.
    pub cut: Option<CutReport>,
}

impl Closing {
    /// An end without a cut.
    pub const fn because(reason: EndReason) -> Self {
        Self { reason, cause: None, cut: None }
    }

    /// Adds the cause for the operator.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }
}

/// A certificate wanted for one session; who, as which account and until when are the core's to say.
#[derive(Clone, Debug)]
pub struct CertificateAsk {
    /// The key to certify, made for this session: one line, algorithm and base64.
    pub key: String,
    /// The address of the gate as the target sees it.
    pub source: std::net::IpAddr,
    /// The extensions that it shall carry (`permit-pty`; OpenSSH, PROTOCOL.certkeys).
    pub extensions: Vec<&'static str>,
}

/// What a session needs of the core while it lives; the core implements it.
pub trait SessionHost: Send + Sync {
    /// The account's secret, fresh.
    fn secret(&self) -> BoxFuture<'_, Result<Secret, Refusal>>;

    /// The client certificate that the account signs in with, or shows besides its secret, fresh; none where it has none.
    fn client_certificate(&self) -> BoxFuture<'_, Result<Option<ClientCertificate>, Refusal>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// A user certificate for the account, good until the lease's deadline, as one line.
    fn certify(&self, ask: CertificateAsk) -> BoxFuture<'_, Result<String, Refusal>>;

    /// From now on this socket is shut down two seconds after the lease ends, whoever holds it.
    fn hold(&self, socket: SocketHandle);

    /// Seals the recording, writes `session.ended`, counts it, lets go. Answers with the one reason.
    fn close(self: Arc<Self>, closing: Closing) -> BoxFuture<'static, EndReason>;

    /// The adapter dropped the session without closing it.
    fn abandoned(self: Arc<Self>);
}

/// One connection through the gate, under one lease.
pub struct Session {
    terms: Arc<Terms>,
    lease: Lease,
    recorder: Recorder,
    counters: Arc<Counters>,
    host: Option<Arc<dyn SessionHost>>,
}

impl Session {
    /// Makes a session. Only `session::admit` may: `cargo xtask lint` sees to it.
    pub fn admitted(
        terms: Arc<Terms>,
        lease: Lease,
        recorder: Recorder,
        counters: Arc<Counters>,
        host: Arc<dyn SessionHost>,
    ) -> Self {
        Self { terms, lease, recorder, counters, host: Some(host) }
    }

    /// Who, where, and how it is recorded. Immutable.
    pub fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    /// The right to move bytes.
    pub const fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The recording.
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The counters, which also tell an idle session from a busy one.
    pub const fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// The clock that the session goes by.
    pub fn clock(&self) -> &Clock {
        self.lease.clock()
    }

    /// Puts the first guard around a plaintext stream.
    pub fn guard<Io>(&self, io: Io) -> Leased<Io> {
        Leased::new(io, self.lease.clone())
    }

    /// The account's secret.
    ///
    /// # Errors
    /// A refusal to show, where it can't be had.
    pub async fn secret(&self) -> Result<Secret, Refusal> {
        match &self.host {
            Some(host) => host.secret().await,
            None => Err(over()),
        }
    }

    /// The client certificate of the account in TLS, where it has one.
    ///
    /// # Errors
    /// A refusal to show, where it can't be had.
    pub async fn client_certificate(&self) -> Result<Option<ClientCertificate>, Refusal> {
        match &self.host {
            Some(host) => host.client_certificate().await,
            None => Err(over()),
        }
    }

    /// A user certificate for the account on the target, made for this session alone: one line, algorithm and base64.
    ///
    /// # Errors
    /// A refusal to show, where it can't be had.
    pub async fn certify(&self, ask: CertificateAsk) -> Result<String, Refusal> {
        match &self.host {
            Some(host) => host.certify(ask).await,
            None => Err(over()),
        }
    }

    /// Connects to the target, to the first place where it listens, under the second guard.
    ///
    /// # Errors
    /// Where the target does not answer within ten seconds, or the name does not resolve.
    pub async fn dial(&self) -> io::Result<GuardedSocket> {
        let to = &self.terms.target.address;
        Ok(self.held(connect(TcpStream::connect((to.host.as_str(), to.port))).await?))
    }

    /// Connects to this address of the target, under the second guard.
    ///
    /// # Errors
    /// As [`Session::dial`].
    pub async fn dial_to(&self, address: SocketAddr) -> io::Result<GuardedSocket> {
        Ok(self.held(connect(TcpStream::connect(address)).await?))
    }

    /// Connects to this address of the target to stop the work that the session left there: past the end of the
    /// lease, so not under the guard. Nothing of the client's may be sent on it.
    ///
    /// # Errors
    /// As [`Session::dial`].
    pub async fn dial_for_cleanup(&self, address: SocketAddr) -> io::Result<GuardedSocket> {
        connect(TcpStream::connect(address)).await
    }

    fn held(&self, socket: GuardedSocket) -> GuardedSocket {
        if let Some(host) = &self.host {
            host.hold(socket.handle());
        }
        socket
    }

    /// Ends it: the recording is sealed and the audit event written when this returns.
    pub async fn close(mut self, closing: Closing) -> Ended {
        match self.host.take() {
            Some(host) => Ended::Session(host.close(closing).await),
            None => Ended::Session(closing.reason),
        }
    }
}

async fn connect(dial: impl Future<Output = io::Result<TcpStream>>) -> io::Result<GuardedSocket> {
    match tokio::time::timeout(DIAL_TIMEOUT, dial).await {
        Ok(stream) => Ok(GuardedSocket::new(stream?)),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 10 seconds")),
    }
}

fn over() -> Refusal {
    Refusal::new(crate::RefusalKind::Unavailable, "the session is over", "")
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(host) = self.host.take() {
            host.abandoned();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("grant", &self.terms.grant).finish_non_exhaustive()
    }
}
