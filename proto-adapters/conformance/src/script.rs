//! What the double of the core is to say and do.

use curfew_adapter::{
    CertificateAsk, ClientCertificate, Clock, HostKeys, Login, Notice, Only, ParameterPolicy, PostgresRoute,
    Protocol, Refusal, ResultPolicy, TargetTls, TlsMode,
};
use rustls::RootCertStore;
use std::net::SocketAddr;
use std::time::Duration;

/// What the core is to say and do.
#[derive(Clone, Debug)]
pub struct Script {
    /// Shown before the sign-in, which then waits for [`FakeCore::go_on`].
    pub link: Option<Notice>,
    /// Shown before the admission, which then waits for [`FakeCore::go_on`].
    pub pending: Option<Notice>,
    /// Refuses the sign-in.
    pub refuse_sign_in: Option<Refusal>,
    /// The only thing that the proof is good for.
    pub only: Option<Only>,
    /// The name and the secret of the one credential that there is.
    pub credential: Option<(String, String)>,
    /// Refuses the admission.
    pub refuse: Option<Refusal>,
    /// Asked before the sign-in, which goes on with whatever is answered.
    pub question: Option<String>,
    /// Where the target is.
    pub target: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// By what it is known.
    pub host_keys: HostKeys,
    /// What only a Postgres target has.
    pub postgres: PostgresRoute,
    /// How the gate signs in to it.
    pub login: Login,
    /// Makes a certificate of what a session asks for, for [`Login::Certificate`].
    pub certify: fn(&CertificateAsk, account: &str) -> String,
    /// Makes the account's client certificate in TLS, where it has one.
    pub client_certificate: Option<fn() -> ClientCertificate>,
    /// What may be done there.
    pub allow: Vec<String>,
    /// How TLS is spoken to it.
    pub tls: TargetTls,
    /// The account's secret.
    pub secret: String,
    /// The database.
    pub database: Option<String>,
    /// How long the lease lives.
    pub lease: Duration,
    /// The steps of the countdown.
    pub countdown: Vec<Duration>,
    /// How much of parameters is recorded.
    pub parameters: ParameterPolicy,
    /// How much of what comes back is recorded.
    pub results: ResultPolicy,
    /// Whether what is typed is recorded.
    pub input: bool,
    /// The clock of the leases.
    pub clock: Clock,
}

impl Script {
    /// Everything goes well: signed in and admitted at once, for an hour, without TLS to the target.
    ///
    /// # Panics
    /// Where rustls has no protocol version to offer.
    #[expect(clippy::expect_used, reason = "a test that can't begin has failed")]
    pub fn fine(target: SocketAddr) -> Self {
        Self {
            link: None,
            pending: None,
            refuse_sign_in: None,
            only: None,
            credential: None,
            refuse: None,
            question: None,
            target,
            protocol: Protocol::Postgres,
            host_keys: HostKeys::default(),
            postgres: PostgresRoute::default(),
            login: Login::Password,
            certify: |_, _| String::new(),
            client_certificate: None,
            allow: Vec::new(),
            tls: TargetTls::new(TlsMode::Disable, RootCertStore::empty()).expect("a mode without demands"),
            secret: "the account's secret".to_owned(),
            database: Some("orders".to_owned()),
            lease: Duration::from_secs(3600),
            countdown: Vec::new(),
            parameters: ParameterPolicy::Full,
            results: ResultPolicy::None,
            input: false,
            clock: Clock::system(),
        }
    }
}
