//! What a session asks of the core while it lives, and the one place where it is written down as over.

use super::live::Live;
use super::parts::Parts;
use super::refuse;
use crate::audit::Actor;
use crate::audit::event::{Cut, Recorded};
use crate::record::{Sealed, SessionRecorder};
use crate::store::{SessionEnd, with_causes};
use curfew_adapter::{
    CertificateAsk, ClientCertificate, Closing, CutReport, End, EndReason, Goodbye, Refusal, RefusalKind,
    Secret, SessionHost, SocketHandle,
};
use curfew_certs::SessionCertificate;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tracing::{error, info, warn};

/// How long after the end of the lease a socket may still carry what was encrypted, and the goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// The pauses between attempts to store an end.
const RETRIES: &[Duration] =
    &[Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];

/// One session's host.
#[derive(Debug)]
pub struct Host {
    parts: Arc<Parts>,
    live: Arc<Live>,
    recorder: Arc<SessionRecorder>,
    closed: AtomicBool,
}

impl Host {
    /// The host of `live`.
    pub fn new(parts: Arc<Parts>, live: Arc<Live>, recorder: Arc<SessionRecorder>) -> Arc<Self> {
        Arc::new(Self { parts, live, recorder, closed: AtomicBool::new(false) })
    }

    /// Watches the recording, and is the second guard: two seconds after the end of the lease every socket of the
    /// session is shut down, whoever holds it.
    pub fn guard(self: &Arc<Self>) {
        let (lease, recorder) = (self.live.keeper.lease(), self.recorder.clone());
        let (live, strict) = (Arc::downgrade(&self.live), self.parts.strict);
        let _entered = self.parts.runtime.enter();
        curfew_adapter::task::supervised("session.guard", async move {
            let end = tokio::select! {
                end = lease.ended() => end,
                () = recorder.failed(), if strict => {
                    if let Some(live) = live.upgrade() {
                        live.keeper.end(EndReason::RecordingFailed, refuse::recording_failed());
                    }
                    lease.ended().await
                }
            };
            let spent = lease.clock().boot().since(end.at);
            tokio::time::sleep(FAREWELL.saturating_sub(spent)).await;
            if let Some(live) = live.upgrade() {
                live.shut_down();
            }
        });
    }

    async fn write_down(self: Arc<Self>, closing: Closing) -> EndReason {
        let end = self.live.ended();
        let reason = end.as_ref().map_or(closing.reason, |end| end.reason);
        // A lease that nobody ended is ended now: its guard and its timers go with it.
        self.live.keeper.end(reason, curfew_adapter::Notice::default());
        if end.is_some() {
            self.parts.registry.remember_cut(&self.live);
        }
        let about = &self.live.about;
        let now = self.parts.clock.wall();
        let recorded = match self.recorder.seal(reason).await {
            Ok(sealed) => Some(recorded(sealed)),
            Err(cause) => {
                self.parts.metrics.recording_errors.inc();
                error!(session = %about.id, %cause, "the recording could not be sealed");
                None
            }
        };
        let (bytes_in, bytes_out) = self.live.counters.bytes();
        let cut = match (&end, &closing.cut) {
            (Some(end), Some(report)) => Some(self.measured(end, report)),
            _ => None,
        };
        if let Some(cause) = &closing.cause {
            warn!(session = %about.id, %reason, %cause, "the session failed");
        }
        let ended = SessionEnd {
            at: end.as_ref().map_or(now, |end| end.at_wall),
            reason,
            detail: closing.cause,
            cut,
            bytes_in,
            bytes_out,
            recording: recorded,
        };
        self.store_end(&ended).await;
        self.count(reason);
        self.parts.registry.remove(&about.id);
        let cut_us = ended.cut.map(|cut| cut.latency_us);
        info!(session = %about.id, %reason, bytes_in, bytes_out, cut_us, "session ended");
        reason
    }

    fn measured(&self, end: &End, report: &CutReport) -> Cut {
        let latency = report.blocked_at.since(end.at);
        let metrics = &self.parts.metrics;
        metrics.cut_latency.observe(latency.as_secs_f64());
        let no_goodbye = match report.goodbye {
            Goodbye::Sent => None,
            Goodbye::None(why) => Some(why.to_owned()),
        };
        metrics.goodbyes.with_label_values(&[if no_goodbye.is_none() { "sent" } else { "none" }]).inc();
        let goodbye = self.parts.clock.boot().since(report.blocked_at);
        Cut {
            latency_us: u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
            goodbye_us: no_goodbye.is_none().then(|| u64::try_from(goodbye.as_micros()).unwrap_or(u64::MAX)),
            no_goodbye,
            outstanding: report.outstanding.clone(),
            target_work: (!report.target_work.is_empty()).then(|| report.target_work.clone()),
        }
    }

    /// Tries until the end is on record: a store that is away for a moment must not lose it. What is never
    /// written is closed as interrupted at the next start.
    async fn store_end(&self, ended: &SessionEnd) {
        let id = &self.live.about.id;
        for pause in RETRIES {
            match self.parts.store.end_session(id, ended, self.actor(ended.reason)).await {
                Ok(_) => return,
                Err(cause) => error!(session = %id, %cause, "the end of the session could not be stored"),
            }
            tokio::time::sleep(*pause).await;
        }
    }

    /// Who made it end: the client by leaving, else Curfew.
    fn actor(&self, reason: EndReason) -> Actor {
        let about = &self.live.about;
        match reason {
            EndReason::ClientClosed => Actor::Identity {
                identity: about.identity.id.to_string(),
                email: Some(about.identity.email.clone()),
                address: Some(about.client.ip()),
            },
            _ => Actor::Curfew,
        }
    }

    fn count(&self, reason: EndReason) {
        let about = &self.live.about;
        let labels = [about.protocol().as_str(), about.target.name.as_str()];
        let metrics = &self.parts.metrics;
        metrics.sessions_live.with_label_values(&labels).dec();
        let [protocol, target] = labels;
        metrics.sessions.with_label_values(&[protocol, target, reason.as_str()]).inc();
        self.live.count_bytes(metrics);
    }
}

impl SessionHost for Host {
    fn secret(&self) -> BoxFuture<'_, Result<Secret, Refusal>> {
        async {
            let about = &self.live.about;
            let unavailable = || {
                let message = format!(
                    "the secret of {} on {} can't be read, so Curfew can't sign in there",
                    about.account, about.target.name
                );
                Refusal::new(RefusalKind::Unavailable, message, "tell whoever runs Curfew: its log has the cause")
            };
            let source = self
                .parts
                .targets
                .get(&about.target.name)
                .and_then(|reach| reach.accounts.get(&about.account))
                .ok_or_else(unavailable)?;
            source.read().await.map_err(|cause| {
                error!(target_name = %about.target.name, account = %about.account, %cause, "an account's secret can't be read");
                unavailable()
            })
        }
        .boxed()
    }

    fn client_certificate(&self) -> BoxFuture<'_, Result<Option<ClientCertificate>, Refusal>> {
        async {
            let about = &self.live.about;
            let reach = self.parts.targets.get(&about.target.name);
            let Some(files) = reach.and_then(|reach| reach.certificates.get(&about.account)) else {
                return Ok(None);
            };
            files.read().await.map(Some).map_err(|cause| {
                error!(target_name = %about.target.name, account = %about.account, %cause, "an account's certificate can't be read");
                let message = format!(
                    "the certificate of {} on {} can't be read, so Curfew can't sign in there",
                    about.account, about.target.name
                );
                Refusal::new(RefusalKind::Unavailable, message, "tell whoever runs Curfew: its log has the cause")
            })
        }
        .boxed()
    }

    fn certify(&self, ask: CertificateAsk) -> BoxFuture<'_, Result<String, Refusal>> {
        let about = &self.live.about;
        let key_id = format!("curfew session {} of {}", about.id, about.identity.email);
        let certificate = SessionCertificate {
            key: &ask.key,
            key_id: &key_id,
            account: &about.account,
            source: ask.source,
            extensions: &ask.extensions,
            not_after: self.live.keeper.until().wall,
        };
        let made = self.parts.certifier.certify_session(&certificate, self.parts.clock.wall());
        let made = made.map_err(|error| {
            error!(session = %about.id, cause = %with_causes(&error), "a session's certificate could not be made");
            refuse::unavailable("the certificate for the target could not be made")
        });
        std::future::ready(made).boxed()
    }

    fn hold(&self, socket: SocketHandle) {
        self.live.hold(socket);
    }

    fn close(self: Arc<Self>, closing: Closing) -> BoxFuture<'static, EndReason> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return std::future::ready(closing.reason).boxed();
        }
        // On the core's runtime: what is begun here is finished, also where the connection is dropped.
        let (done, reason) = tokio::sync::oneshot::channel();
        let (fallback, runtime) = (closing.reason, self.parts.runtime.clone());
        let _entered = runtime.enter();
        curfew_adapter::task::supervised("session.close", async move {
            let _ = done.send(self.write_down(closing).await);
        });
        async move { reason.await.unwrap_or(fallback) }.boxed()
    }

    fn abandoned(self: Arc<Self>) {
        self.live.shut_down();
        drop(self.close(Closing::because(EndReason::Interrupted).caused_by("its connection was dropped")));
    }
}

/// A sealed recording, as the audit log names it.
pub fn recorded(sealed: Sealed) -> Recorded {
    let Sealed { chain, lost } = sealed;
    Recorded { chunks: chain.chunks, events: chain.events, lost, head: chain.head }
}
