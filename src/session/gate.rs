//! The core behind the adapters' gate: who signs in, and who is admitted.

use super::admit;
use super::menu;
use super::parts::Parts;
use super::refuse;
use crate::identity::Connecting;
use curfew_adapter::{
    Ask, Connection, Core, Notice, Progress, Proof, ProvedKey, Refusal, RefusalKind, ScramVerifier, Session,
    SignedIn, Teller,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tracing::info;

/// What somebody is told who does not know the secret of a credential, be there such a credential or not.
const WRONG_SECRET: &str = "the credential's name or secret is wrong";

/// The core, as adapters reach it.
#[derive(Debug)]
pub struct GateCore(Arc<Parts>);

impl GateCore {
    /// The core over its parts.
    pub fn new(parts: Arc<Parts>) -> Arc<Self> {
        Arc::new(Self(parts))
    }
}

impl Core for GateCore {
    fn scram_verifier(self: Arc<Self>, name: String) -> BoxFuture<'static, Result<ScramVerifier, Refusal>> {
        async move {
            let known = self.0.identities.scram_verifier(&name).await;
            known.map_err(|error| refuse::store_down(&error)).inspect_err(|refusal| refused(&self.0, refusal))
        }
        .boxed()
    }

    fn sign_in(self: Arc<Self>, connection: Connection, proof: Proof, ask: Ask) -> Progress<SignedIn> {
        let parts = self.0.clone();
        Progress::new(move |tell| async move {
            let outcome = sign_in(&parts, &connection, proof, &ask, &tell).await;
            connection.startup.resume();
            outcome.inspect_err(|refusal| refused(&parts, refusal))
        })
    }

    fn choose(self: Arc<Self>, connection: Connection, who: SignedIn, ask: Ask) -> Progress<Ask> {
        let parts = self.0.clone();
        Progress::new(move |tell| async move {
            let outcome = menu::choose(&parts, &connection, &who, ask, &tell).await;
            connection.startup.resume();
            outcome.inspect_err(|refusal| refused(&parts, refusal))
        })
    }

    fn admit(self: Arc<Self>, connection: Connection, who: SignedIn, ask: Ask) -> Progress<Session> {
        let parts = self.0.clone();
        Progress::new(move |tell| async move {
            let asked = (ask.target.clone(), ask.account.clone(), who.clone());
            let address = connection.peer.address.ip();
            let outcome = admit::admit(parts.clone(), connection, who, ask, tell).await;
            if let Err(refusal) = &outcome {
                refused(&parts, refusal);
                audit_refusal(&parts, asked, address, refusal).await;
            }
            outcome
        })
    }
}

async fn sign_in(
    parts: &Arc<Parts>,
    connection: &Connection,
    proof: Proof,
    ask: &Ask,
    tell: &Teller,
) -> Result<SignedIn, Refusal> {
    if parts.drain_until().is_some() {
        return Err(refuse::draining());
    }
    let address = connection.peer.address.ip();
    let judged = match &proof {
        Proof::Link { .. } => None,
        Proof::Credential(name) => Some(("credential", parts.identities.judge_credential(name).await)),
        // Nothing more is said: whether there is such a credential is nobody's business.
        Proof::WrongSecret(_) => Some(("credential", Err(WRONG_SECRET.to_owned()))),
        Proof::Certificate(chain) => Some(("certificate", parts.identities.judge_certificate(chain).await)),
        Proof::UserCertificate(line) => {
            Some(("certificate", parts.identities.judge_user_certificate(line).await))
        }
        Proof::Bearer(token) => Some(("token", parts.identities.judge_bearer(token.reveal()).await)),
        Proof::Key(key) => Some(("key", parts.identities.judge_key(&key.fingerprint).await)),
    };
    if let Some((method, judged)) = judged {
        let outcome = if judged.is_ok() { "ok" } else { "refused" };
        parts.metrics.signins.with_label_values(&[method, outcome]).inc();
        match judged {
            Ok(who) => return Ok(who),
            Err(why) => {
                info!(%why, method, "a proof was refused");
                if matches!(proof, Proof::Credential(_) | Proof::WrongSecret(_)) {
                    return Err(no_credential(&why));
                }
                if matches!(proof, Proof::Bearer(_)) {
                    // It is in the middle of its exchange, and knows where to get another.
                    let hint = "connect again, so that the client gets a new token";
                    return Err(Refusal::new(RefusalKind::NotSignedIn, why, hint));
                }
                if !ask.can_wait {
                    return Err(not_signed_in(parts, &why));
                }
                tell.show(Notice { message: why, ..Notice::default() }).await;
            }
        }
    }
    // Clients that ask nothing reconnect by themselves, and would wait for nobody.
    if !ask.can_answer
        && let Some(notice) = parts.registry.just_cut_at(address, &ask.target, &ask.account)
    {
        return Err(refuse::just_cut(&notice, ask, tell).await);
    }
    if !ask.can_wait {
        return Err(not_signed_in(parts, &format!("{} can't wait here while you sign in", program(ask))));
    }
    let key = if let Proof::Link { key } = proof { key } else { None };
    by_link(parts, connection, ask, tell, key.as_ref()).await
}

async fn by_link(
    parts: &Arc<Parts>,
    connection: &Connection,
    ask: &Ask,
    tell: &Teller,
    key: Option<&ProvedKey>,
) -> Result<SignedIn, Refusal> {
    let _place = parts.waiters.wait(connection.peer.address.ip())?;
    let pending = parts.links.open(Connecting {
        protocol: connection.protocol,
        program: ask.program.clone(),
        client: connection.peer.address.ip(),
        target: ask.target.clone(),
        account: ask.account.clone(),
        types: ask.can_answer,
    });
    connection.startup.pause();
    connection.socket.gone_after(Some(super::wait::GONE));
    parts.metrics.links_pending.inc();
    let _counted = Counted(&parts.metrics.links_pending);
    let what = if ask.target.is_empty() {
        String::new()
    } else {
        format!(" to reach {} as {}", ask.target, ask.account)
    };
    let hint = if ask.can_answer {
        "open the link in any browser, agree, and type here the six digits that it shows"
    } else {
        "open the link in a browser on this machine; this connection waits"
    };
    let message = format!("sign in{what}: {}", pending.url());
    tell.show(Notice { message, detail: String::new(), hint: hint.to_owned() }).await;
    if !ask.can_answer {
        return pending.wait(tell).await;
    }
    let who = pending.typed(tell).await?;
    if let Some(key) = key {
        offer_to_bind(parts, connection, &who, key, tell).await;
    }
    Ok(who)
}

/// Offers to bind the key that the client has proved to the sign-in. Whatever comes of it, the person is signed in.
async fn offer_to_bind(
    parts: &Parts,
    connection: &Connection,
    who: &SignedIn,
    key: &ProvedKey,
    tell: &Teller,
) {
    tell.show(Notice {
        message: format!(
            "your key {} can stand for this sign-in, so that the next connection needs no link",
            key.fingerprint
        ),
        detail: String::new(),
        hint: "it is good until the sign-in ends; see and revoke keys with `curfew keys`".to_owned(),
    })
    .await;
    let yes = tell.ask("bind it? [y/N] ", true).await;
    if !yes.is_some_and(|answer| matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")) {
        return;
    }
    let address = connection.peer.address.ip();
    let message = match parts.identities.bind_key(who, key, address).await {
        Ok(bound) => format!(
            "the key {} is bound to your sign-in until {}",
            bound.fingerprint,
            super::words::clock_time(bound.ends_at)
        ),
        Err(error) => {
            info!(cause = crate::store::with_causes(&error), "a key was not bound");
            format!("the key was not bound: {error}")
        }
    };
    tell.show(Notice { message, ..Notice::default() }).await;
}

/// A program with a credential is not offered the link: its user typed a password.
fn no_credential(why: &str) -> Refusal {
    let hint = "`curfew connect TARGET`, or the target's page in the browser, makes another one";
    Refusal::new(RefusalKind::NotSignedIn, why, hint)
}

fn not_signed_in(parts: &Parts, why: &str) -> Refusal {
    let url = parts.site.origin();
    let hint =
        format!("run `curfew login {url}`, then connect with `curfew psql TARGET` or with its certificate");
    Refusal::new(RefusalKind::NotSignedIn, why, hint)
}

fn program(ask: &Ask) -> &str {
    if ask.program.is_empty() { "this program" } else { &ask.program }
}

fn refused(parts: &Parts, refusal: &Refusal) {
    parts.metrics.refusals.with_label_values(&[refusal.kind.as_str()]).inc();
    info!(kind = refusal.kind.as_str(), why = %refusal.notice.message, "refused");
}

/// A refusal of somebody known is an event; the log of one that can't be written has the cause.
async fn audit_refusal(
    parts: &Parts,
    (target, account, who): (String, String, SignedIn),
    address: std::net::IpAddr,
    refusal: &Refusal,
) {
    let actor = crate::audit::Actor::Identity {
        identity: who.identity.id.to_string(),
        email: Some(who.identity.email.clone()),
        address: Some(address),
    };
    let what = crate::audit::What::SessionRefused {
        target: Some(target),
        account: Some(account),
        why: refusal.notice.message.clone(),
    };
    if let Err(error) = parts.store.audit([actor.did(what)]).await {
        tracing::error!(cause = %crate::store::with_causes(&error), "a refusal could not be audited");
    }
}

/// Counts a pending link out when the wait ends, however it ends.
struct Counted<'a>(&'a prometheus::IntGauge);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
