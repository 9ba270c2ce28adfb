//! The Postgres adapter: `psql` on one side, a Postgres server on the other, the lease in between.
//!
//! - `codec`: the protocol as pure bytes.
//! - `client`: TLS, startup, sign-in, refusals.
//! - `target`: the account's connection, and the end of what it left behind.
//! - `relay`: bytes both ways, recorded before they are forwarded.
//! - `session`: from admission to close.
//!
//! It never sees the store, the configuration or HTTP, and it decides nothing: the gate does.

mod binding;
mod cancel;
mod client;
mod codec;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod goodbye;
mod limit;
mod relay;
mod session;
mod stream;
mod target;

#[cfg(test)]
mod tests;

pub use target::check;

use cancel::CancelKeys;
use client::{Client, Greeting, Left, Parameters, Sentence, credential, oauth};
use codec::{backend, startup::NEWEST};
use curfew_adapter::{Adapter, AdapterError, ClientIo, Ended, Gate, Peer, Proof, Protocol};
use futures_util::future::BoxFuture;
use session::Admitted;
use std::sync::Arc;
use target::KeyCache;

/// The name of the protocol in TLS (IANA's registry of ALPN protocol IDs).
const ALPN: &[u8] = b"postgresql";

/// What may differ between listeners.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Sessions without TLS are allowed. For loopback and tests.
    pub plaintext: bool,
    /// The issuer of the tokens that clients may sign in with (RFC 8414), such as `https://gate.example.com`; `None`
    /// where none may.
    pub issuer: Option<String>,
    /// Hosts under which each target has a name of its own: `TARGET.HOST`, as the client calls it in TLS (SNI).
    pub hosts: Vec<String>,
}

impl Options {
    /// The target that is meant by this name of ours.
    fn target_of(&self, name: &str) -> Option<String> {
        let under = |host: &String| {
            let target = name.strip_suffix(host.as_str())?.strip_suffix('.')?;
            (!target.is_empty()).then(|| target.to_owned())
        };
        self.hosts.iter().find_map(under)
    }
}

/// Speaks Postgres.
#[derive(Debug)]
pub struct PostgresAdapter {
    tls: Arc<rustls::ServerConfig>,
    options: Options,
    cancels: Arc<CancelKeys>,
    keys: Arc<KeyCache>,
}

impl PostgresAdapter {
    /// Serves clients with the certificate in `tls`. A client certificate that it asks for must be
    /// checked for possession there; what it is worth is the gate's to say.
    pub fn new(tls: Arc<rustls::ServerConfig>, options: Options) -> Self {
        let mut tls = Arc::unwrap_or_clone(tls);
        tls.alpn_protocols = vec![ALPN.to_vec()];
        Self { tls: Arc::new(tls), options, cancels: Arc::default(), keys: Arc::default() }
    }

    /// Until there is a session, or there is none.
    async fn startup(
        &self,
        io: ClientIo,
        peer: Peer,
        gate: Gate,
    ) -> Result<Result<Admitted, Ended>, AdapterError> {
        let (stream, startup, pending) = match client::greet(io, self.tls.clone(), &self.options).await? {
            Greeting::Startup(stream, startup, pending) => (stream, startup, pending),
            Greeting::Cancel(stream, key) => {
                client::serve_cancel(stream, key, peer, &self.cancels).await;
                return Ok(Err(Ended::Cancel));
            }
            Greeting::Refused(stream, sentence) => {
                let broken = sentence.code == "08P01";
                let cause = sentence.notice.message.clone();
                Client::new(stream, Vec::new(), false).refuse(&sentence).await;
                return if broken { Err(AdapterError::Protocol(cause)) } else { Ok(Err(Ended::Refused)) };
            }
            Greeting::Gone => return Ok(Err(Ended::Refused)),
        };
        let minor = startup.minor;
        let certificates = stream.peer_certificates();
        let named = stream.server_name().and_then(|name| self.options.target_of(name));
        let mut client = Client::new(stream, pending, false);
        let read = client::read_parameters(startup, named);
        let Parameters { ask, settings, unknown_options, by_token } = match read {
            Ok(parameters) => parameters,
            Err(sentence) => {
                client.refuse(&sentence).await;
                return Ok(Err(Ended::Refused));
            }
        };
        client.shows(ask.can_wait);
        if minor > NEWEST || !unknown_options.is_empty() {
            let unknown = unknown_options.iter().map(String::as_str);
            backend::negotiate(&mut client.unsent, minor.min(NEWEST), unknown);
        }
        let startup = gate.connection().startup.clone();
        let admitted = async {
            let by_name = !by_token && credential::is_name(&ask.account);
            let proof = if by_name {
                match credential::prove(&mut client, &gate, &ask.account).await? {
                    Ok(proof) => proof,
                    Err(sentence) => return Ok(Err(sentence)),
                }
            } else {
                certificates.map_or(Proof::Link { key: None }, Proof::Certificate)
            };
            if by_name {
                // Whoever is not let in has not been authenticated.
                client.shows(false);
            }
            let signed_in = if by_token {
                oauth::sign_in(&mut client, &gate, &ask, self.options.issuer.as_deref()).await?
            } else {
                client.follow(&mut gate.sign_in(proof, &ask), &startup).await?
            };
            let who = match signed_in {
                Ok(who) => who,
                Err(sentence) if by_name => return Ok(Err(credential::refused(sentence))),
                Err(sentence) => return Ok(Err(sentence)),
            };
            client.shows(ask.can_wait);
            let ask = who.completes(ask);
            client.follow(&mut gate.admit(who, &ask), &startup).await
        };
        match admitted.await {
            Ok(Ok(session)) => {
                startup.finish();
                let cancels = self.cancels.register(minor);
                Ok(Ok(Admitted { session, client, settings, cancels }))
            }
            Ok(Err(sentence)) => {
                client.refuse(&sentence).await;
                Ok(Err(Ended::Refused))
            }
            Err(Left::Gone) => Ok(Err(Ended::Refused)),
            Err(Left::Flood) => {
                let what = "it talks before the session begins";
                client.refuse(&Sentence::protocol(what)).await;
                Err(AdapterError::Protocol(what.to_owned()))
            }
        }
    }
}

impl Adapter for PostgresAdapter {
    fn protocol(&self) -> Protocol {
        Protocol::Postgres
    }

    fn serve(
        self: Arc<Self>,
        io: ClientIo,
        peer: Peer,
        gate: Gate,
    ) -> BoxFuture<'static, Result<Ended, AdapterError>> {
        Box::pin(async move {
            // Boxed by itself: what a startup takes is given back before the session begins.
            match Box::pin(self.startup(io, peer, gate)).await? {
                Ok(admitted) => Ok(session::run(admitted, &self.keys).await),
                Err(ended) => Ok(ended),
            }
        })
    }
}
