//! The core behind the adapters' gate: who signs in, and who is admitted.

use super::admit;
use super::parts::Parts;
use super::refuse;
use crate::identity::Connecting;
use curfew_adapter::{
    Ask, Connection, Core, Notice, Progress, Proof, Refusal, RefusalKind, Session, SignedIn, Teller,
};
use std::sync::Arc;
use tracing::info;

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
    fn sign_in(self: Arc<Self>, connection: Connection, proof: Proof, ask: Ask) -> Progress<SignedIn> {
        let parts = self.0.clone();
        Progress::new(move |tell| async move {
            let outcome = sign_in(&parts, &connection, proof, &ask, &tell).await;
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
    if let Proof::Certificate(chain) = proof {
        match parts.identities.judge_certificate(&chain).await {
            Ok(who) => {
                parts.metrics.signins.with_label_values(&["certificate", "ok"]).inc();
                return Ok(who);
            }
            Err(why) => {
                parts.metrics.signins.with_label_values(&["certificate", "refused"]).inc();
                info!(%why, "a client certificate was refused");
                if !ask.can_wait {
                    return Err(not_signed_in(parts, &why.to_string()));
                }
                tell.show(Notice { message: why.to_string(), ..Notice::default() }).await;
            }
        }
    }
    if let Some(notice) = parts.registry.just_cut_at(address, &ask.target, &ask.account) {
        return Err(refuse::just_cut(&notice, ask, tell).await);
    }
    if !ask.can_wait {
        return Err(not_signed_in(parts, &format!("{} can't wait here while you sign in", program(ask))));
    }
    by_link(parts, connection, ask, tell).await
}

async fn by_link(
    parts: &Arc<Parts>,
    connection: &Connection,
    ask: &Ask,
    tell: &Teller,
) -> Result<SignedIn, Refusal> {
    let _place = parts.waiters.wait(connection.peer.address.ip())?;
    let pending = parts.links.open(Connecting {
        protocol: connection.protocol,
        program: ask.program.clone(),
        client: connection.peer.address.ip(),
        target: ask.target.clone(),
        account: ask.account.clone(),
    });
    connection.startup.pause();
    parts.metrics.links_pending.inc();
    let _counted = Counted(&parts.metrics.links_pending);
    tell.show(Notice {
        message: format!("sign in to reach {} as {}: {}", ask.target, ask.account, pending.url()),
        detail: String::new(),
        hint: "open the link in a browser on this machine; this connection waits".to_owned(),
    })
    .await;
    pending.wait(tell).await
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
