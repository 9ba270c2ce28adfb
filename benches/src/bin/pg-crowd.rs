//! A crowd of Postgres sessions, each over a connection of its own: some idle after one query, some in a query that goes
//! on giving rows.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use clap::Parser;
use curfew_benches::crowd::{self, Failure, Marker};
use futures_util::{StreamExt, join};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio_postgres::{Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

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
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(all(arguments))
}

async fn all(arguments: Arguments) -> Result<(), Failure> {
    let tls = MakeRustlsConnect::new(tls(&arguments)?);
    let mut config = Config::new();
    config.host(arguments.address.ip().to_string()).port(arguments.address.port());
    config.user(&arguments.user).dbname(&arguments.database);
    if let Some(password) = &arguments.password {
        config.password(password);
    }
    crowd::run((arguments.idle, arguments.streaming), |streams, marker| {
        let query = streams.then(|| arguments.query.clone());
        open(config.clone(), tls.clone(), query, marker)
    })
    .await
}

/// Connects, and asks.
async fn open(
    config: Config,
    tls: MakeRustlsConnect,
    query: Option<String>,
    marker: Marker,
) -> Result<(), Failure> {
    let (client, connection) = config.connect(tls).await?;
    let query = query.unwrap_or_else(|| "select 'here'".to_owned());
    #[expect(clippy::disallowed_methods, reason = "ends with the session, and the process with all of them")]
    tokio::spawn(async move {
        let connected = async {
            // However it ends: it never ends by itself.
            let _ = connection.await;
            marker.told();
        };
        let asking = async {
            let Ok(rows) = client.simple_query_raw(&query).await else { return };
            let mut rows = pin!(rows);
            while let Some(message) = rows.next().await {
                match message {
                    Ok(SimpleQueryMessage::Row(_)) => marker.came(),
                    Ok(_) => {}
                    Err(_) => {
                        marker.told();
                        break;
                    }
                }
            }
        };
        join!(connected, asking);
        // Dropped earlier, the client would close the session.
        drop(client);
        marker.over();
    });
    Ok(())
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
