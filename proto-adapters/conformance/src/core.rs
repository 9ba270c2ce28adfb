//! A core made of script: who is signed in, what is admitted, and how the lease ends are the test's to say.

use crate::Script;
use crate::sink::MemorySink;
use curfew_adapter::{
    Ask, CertificateAsk, ClientCertificate, Closing, Connection, Core, Counters, Deadline, EndReason,
    GrantId, HostPort, Identity, IdentityId, IdentityKind, LeaseKeeper, Notice, Progress, Proof,
    RecordPolicy, Recorder, Refusal, RequestId, ScramVerifier, Secret, Session, SessionHost, SignedIn,
    SigninId, SocketHandle, TargetRoute, Terms,
};
use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How long the guard below TLS waits after the end, as in the core itself.
const GUARD: Duration = Duration::from_secs(2);

/// Less than a busy stream moves in a tenth of a second.
const NEXT_TO_NOTHING: u64 = 1000;

#[derive(Debug, Default)]
struct Seen {
    asks: Vec<(Ask, Proof)>,
    answers: Vec<Option<String>>,
    keepers: Vec<LeaseKeeper>,
    counters: Vec<Arc<Counters>>,
    closings: Vec<Closing>,
    abandoned: usize,
    waits: usize,
    given_up: usize,
}

/// The double of the core.
#[derive(Debug)]
pub struct FakeCore {
    script: Mutex<Script>,
    seen: Mutex<Seen>,
    changed: watch::Sender<u64>,
    go_on: Notify,
    sink: Arc<MemorySink>,
}

impl FakeCore {
    /// A core that follows `script`.
    pub fn new(script: Script) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script),
            seen: Mutex::default(),
            changed: watch::Sender::new(0),
            go_on: Notify::new(),
            sink: Arc::default(),
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen());
        self.changed.send_modify(|count| *count += 1);
    }

    fn script(&self) -> Script {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another script from the next connection on.
    pub fn rewrite(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whoever waits has been dealt with: a link opened, a request approved.
    pub fn go_on(&self) {
        self.go_on.notify_one();
    }

    /// The recording of all its sessions.
    pub fn sink(&self) -> &Arc<MemorySink> {
        &self.sink
    }

    /// What was asked for, and by which proof.
    pub fn asks(&self) -> Vec<(Ask, Proof)> {
        self.seen().asks.clone()
    }

    /// What was answered to the script's question so far.
    pub fn answers(&self) -> Vec<Option<String>> {
        self.seen().answers.clone()
    }

    /// How many sessions were dropped without being closed.
    pub fn abandoned(&self) -> usize {
        self.seen().abandoned
    }

    /// How many waits were given up because the client left.
    pub fn given_up(&self) -> usize {
        self.seen().given_up
    }

    /// The keeper of the first session's lease, once it is admitted.
    pub async fn keeper(&self) -> LeaseKeeper {
        self.until(|seen| seen.keepers.first().cloned()).await
    }

    /// How many bytes the first session's target has sent so far.
    pub async fn bytes_from_target(&self) -> u64 {
        self.until(|seen| seen.counters.first().map(|counters| counters.bytes().1)).await
    }

    /// How many bytes the first session's target has sent, once next to nothing more comes: everything between it and
    /// its client is full.
    pub async fn bytes_once_full(&self) -> u64 {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        let (mut before, mut still) = (0, 0);
        while still < 3 {
            looks.tick().await;
            let now = self.bytes_from_target().await;
            still = if now > 0 && now < before + NEXT_TO_NOTHING { still + 1 } else { 0 };
            before = now;
        }
        before
    }

    /// How sessions were closed so far, in that order.
    pub fn closings(&self) -> Vec<Closing> {
        self.seen().closings.clone()
    }

    /// How the first session was closed, once it is.
    pub async fn closing(&self) -> Closing {
        self.until(|seen| seen.closings.first().cloned()).await
    }

    /// Waits for a session to be dropped without being closed.
    pub async fn until_abandoned(&self) {
        self.until(|seen| (seen.abandoned > 0).then_some(())).await;
    }

    /// Waits for this many waits to have begun, over or not.
    pub async fn until_waits(&self, many: usize) {
        self.until(|seen| (seen.waits >= many).then_some(())).await;
    }

    /// Waits for a wait to be given up.
    pub async fn until_given_up(&self) {
        self.until(|seen| (seen.given_up > 0).then_some(())).await;
    }

    async fn until<T>(&self, find: impl Fn(&Seen) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(found) = find(&self.seen()) {
                return found;
            }
            // The sender lives in `self`.
            let _ = changed.changed().await;
        }
    }

    async fn wait(self: &Arc<Self>) {
        self.note(|seen| seen.waits += 1);
        let waiting = Waiting(Some(self.clone()));
        self.go_on.notified().await;
        waiting.over();
    }

    fn session(self: &Arc<Self>, who: SignedIn, ask: &Ask) -> Session {
        let script = self.script();
        let until =
            script.clock.wall() + SignedDuration::try_from(script.lease).unwrap_or(SignedDuration::ZERO);
        let notice = Notice {
            message: "curfew: your access has ended".to_owned(),
            detail: "The grant's time was up.".to_owned(),
            hint: "Ask again.".to_owned(),
        };
        let deadline = Deadline::at(until, &script.clock);
        let keeper = LeaseKeeper::new(script.clock.clone(), deadline, EndReason::Expired, notice);
        let terms = Terms {
            identity: who.identity,
            signin: who.signin,
            grant: GrantId::random(),
            request: RequestId::random(),
            contract: "a-contract".to_owned(),
            target: TargetRoute {
                name: ask.target.clone(),
                protocol: script.protocol,
                address: HostPort { host: script.target.ip().to_string(), port: script.target.port() },
                tls: script.tls.clone(),
                host_keys: script.host_keys.clone(),
                postgres: script.postgres.clone(),
            },
            account: ask.account.clone(),
            login: script.login.clone(),
            allow: script.allow.clone(),
            database: script.database.clone(),
            record: RecordPolicy {
                parameters: script.parameters,
                results: script.results,
                input: script.input,
                mask: Vec::new(),
                strict: true,
            },
            countdown: script.countdown.clone(),
            extend_hint: "curfew extend".to_owned(),
        };
        let lease = keeper.lease();
        let counters = Arc::new(Counters::default());
        self.note(|seen| {
            seen.counters.push(counters.clone());
            seen.keepers.push(keeper.clone());
        });
        let host = Arc::new(Host { core: self.clone(), keeper, account: ask.account.clone() });
        Session::admitted(Arc::new(terms), lease, Recorder::new(self.sink.clone()), counters, host)
    }
}

/// Notices when a wait is dropped.
struct Waiting(Option<Arc<FakeCore>>);

impl Waiting {
    fn over(mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(core) = &self.0 {
            core.note(|seen| seen.given_up += 1);
        }
    }
}

impl Core for FakeCore {
    fn sign_in(self: Arc<Self>, _: Connection, proof: Proof, ask: Ask) -> Progress<SignedIn> {
        self.note(|seen| seen.asks.push((ask, proof)));
        Progress::new(|teller| async move {
            let script = self.script();
            if let Some(question) = script.question {
                let answer = teller.ask(question, true).await;
                self.note(|seen| seen.answers.push(answer));
            }
            if let Some(link) = script.link {
                teller.show(link).await;
                self.wait().await;
            }
            match script.refuse_sign_in {
                Some(refusal) => Err(refusal),
                None => Ok(SignedIn { only: script.only, ..SignedIn::new(alice(), SigninId::random()) }),
            }
        })
    }

    fn scram_verifier(self: Arc<Self>, name: String) -> BoxFuture<'static, Result<ScramVerifier, Refusal>> {
        Box::pin(async move {
            Ok(match self.script().credential {
                Some((known, secret)) if known == name => ScramVerifier::of(&Secret::new(secret)),
                _ => ScramVerifier::decoy(&[7; 32], &name),
            })
        })
    }

    fn choose(self: Arc<Self>, _: Connection, _: SignedIn, ask: Ask) -> Progress<Ask> {
        Progress::new(|teller| async move {
            let target = teller.ask("target: ", true).await.unwrap_or_default();
            Ok(Ask { target, account: "made-up".to_owned(), ..ask })
        })
    }

    fn admit(self: Arc<Self>, _: Connection, who: SignedIn, ask: Ask) -> Progress<Session> {
        Progress::new(|teller| async move {
            let script = self.script();
            if let Some(pending) = script.pending {
                teller.show(pending).await;
                self.wait().await;
            }
            match script.refuse {
                Some(refusal) => Err(refusal),
                None => Ok(self.session(who, &ask)),
            }
        })
    }
}

fn alice() -> Identity {
    Identity {
        id: IdentityId::random(),
        person: "alice@example.com".to_owned(),
        email: "alice@example.com".to_owned(),
        name: "Alice".to_owned(),
        groups: Vec::new(),
        kind: IdentityKind::User,
    }
}

struct Host {
    core: Arc<FakeCore>,
    keeper: LeaseKeeper,
    account: String,
}

impl SessionHost for Host {
    fn secret(&self) -> BoxFuture<'_, Result<Secret, Refusal>> {
        let secret = Secret::new(self.core.script().secret);
        Box::pin(async move { Ok(secret) })
    }

    fn client_certificate(&self) -> BoxFuture<'_, Result<Option<ClientCertificate>, Refusal>> {
        let made = self.core.script().client_certificate.map(|make| make());
        Box::pin(std::future::ready(Ok(made)))
    }

    fn certify(&self, ask: CertificateAsk) -> BoxFuture<'_, Result<String, Refusal>> {
        let certificate = (self.core.script().certify)(&ask, &self.account);
        Box::pin(async move { Ok(certificate) })
    }

    fn hold(&self, socket: SocketHandle) {
        let lease = self.keeper.lease();
        drop(curfew_adapter::task::supervised("guard", async move {
            lease.ended().await;
            tokio::time::sleep(GUARD).await;
            socket.shutdown();
        }));
    }

    fn close(self: Arc<Self>, closing: Closing) -> BoxFuture<'static, EndReason> {
        Box::pin(async move {
            let reason = self.keeper.ended().map_or(closing.reason, |end| end.reason);
            self.core.note(|seen| seen.closings.push(closing));
            reason
        })
    }

    fn abandoned(self: Arc<Self>) {
        self.core.note(|seen| seen.abandoned += 1);
    }
}
