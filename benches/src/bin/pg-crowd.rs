//! Many Postgres sessions from one process, each over a connection of its own: some idle after one query, some in a
//! query that goes on giving rows.
//!
//! It prints what ssh-crowd prints: `open` once all of them have had a row, and when all are over, a line for each:
//! `ended`, what it did (`idle` or `stream`), when its last row came and when it first heard of its end, in microseconds
//! since 1970 (`-` where that never was). Told to end, and telling nothing itself: it never closes a session.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Parser;
use futures_util::{StreamExt, join};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_postgres::{Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

type Failure = Box<dyn Error + Send + Sync>;

/// Sessions that are being opened at the same time.
const AT_ONCE: usize = 8;

#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Where to.
    #[arg(long)]
    address: SocketAddr,
    /// The account.
    #[arg(long)]
    user: String,
    /// The database, or the target.
    #[arg(long)]
    database: String,
    /// The password, where one is asked for.
    #[arg(long, env = "PGPASSWORD")]
    password: Option<String>,
    /// The client certificate.
    #[arg(long, requires = "key")]
    certificate: Option<PathBuf>,
    /// Its private key.
    #[arg(long)]
    key: Option<PathBuf>,
    /// Idle sessions.
    #[arg(long)]
    idle: usize,
    /// Sessions that stream.
    #[arg(long)]
    streaming: usize,
    /// What these ask.
    #[arg(long)]
    query: String,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(crowd(arguments))
}

async fn crowd(arguments: Arguments) -> Result<(), Failure> {
    let tls = MakeRustlsConnect::new(tls(&arguments)?);
    let mut config = Config::new();
    config.host(arguments.address.ip().to_string()).port(arguments.address.port());
    config.user(&arguments.user).dbname(&arguments.database);
    if let Some(password) = &arguments.password {
        config.password(password);
    }
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let all = arguments.idle + arguments.streaming;
    let mut opening = JoinSet::new();
    for number in 0..all {
        // Mixed, so that neither kind is the older one.
        let streams = number * arguments.streaming / all != (number + 1) * arguments.streaming / all;
        let query = streams.then(|| arguments.query.clone());
        let (permits, config, tls) = (permits.clone(), config.clone(), tls.clone());
        opening.spawn(async move {
            let _permit = permits.acquire_owned().await?;
            open(&config, tls, query).await
        });
    }
    let mut sessions = Vec::new();
    while let Some(opened) = opening.join_next().await {
        sessions.push(opened??);
    }
    println!("open");
    for session in &mut sessions {
        // One that is gone has seen its end.
        let _ = session.marks.wait_for(|marks| marks.over).await;
    }
    for session in sessions {
        let Marks { last, told, .. } = *session.marks.borrow();
        let shown = |at: Option<u128>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        println!("ended {} {} {}", if session.streams { "stream" } else { "idle" }, shown(last), shown(told));
    }
    Ok(())
}

/// One session that is open.
struct Open {
    streams: bool,
    marks: watch::Receiver<Marks>,
}

/// What came of one session, in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    last: Option<u128>,
    told: Option<u128>,
    over: bool,
}

/// Connects, asks, and returns at the first row.
async fn open(config: &Config, tls: MakeRustlsConnect, query: Option<String>) -> Result<Open, Failure> {
    let (client, connection) = config.connect(tls).await?;
    let streams = query.is_some();
    let query = query.unwrap_or_else(|| "select 'here'".to_owned());
    let (sender, mut marks) = watch::channel(Marks::default());
    #[expect(clippy::disallowed_methods, reason = "ends with the session, and the process with all of them")]
    tokio::spawn(async move {
        let told = || {
            let now = now();
            sender.send_modify(|marks| _ = marks.told.get_or_insert(now));
        };
        let connected = async {
            // However it ends: it never ends by itself.
            let _ = connection.await;
            told();
        };
        let asking = async {
            let Ok(rows) = client.simple_query_raw(&query).await else { return };
            let mut rows = pin!(rows);
            while let Some(message) = rows.next().await {
                match message {
                    Ok(SimpleQueryMessage::Row(_)) => {
                        let now = now();
                        sender.send_modify(|marks| marks.last = Some(now));
                    }
                    Ok(_) => {}
                    Err(_) => {
                        told();
                        break;
                    }
                }
            }
        };
        join!(connected, asking);
        // Dropped earlier, the client would close the session.
        drop(client);
        sender.send_modify(|marks| marks.over = true);
    });
    let over = marks.wait_for(|marks| marks.last.is_some() || marks.over).await?.over;
    if over { Err("a session was over before it began".into()) } else { Ok(Open { streams, marks }) }
}

#[expect(clippy::disallowed_methods, reason = "compared with what the gate says, which is the time of day")]
fn now() -> u128 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map(|since| since.as_micros())
        .unwrap_or_default()
}

fn tls(arguments: &Arguments) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)));
    Ok(match (&arguments.certificate, &arguments.key) {
        (Some(certificate), Some(key)) => {
            let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key)?)?
        }
        _ => config.with_no_client_auth(),
    })
}

/// Trusts any server: nothing is told to it that matters.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
