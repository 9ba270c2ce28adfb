//! TLS towards targets: the modes that libpq knows, and nothing weaker by accident.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    Resumption, WantsClientCert, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor,
};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// How much TLS a target gets, in libpq's words (Postgres manual, 34.19.1 `sslmode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Never.
    Disable,
    /// If the target has it; the certificate is not looked at.
    Prefer,
    /// Always; the certificate is not looked at.
    Require,
    /// Always, and the certificate comes from the given authority.
    VerifyCa,
    /// Always, from the given authority, and made out to the target's host name.
    #[default]
    VerifyFull,
}

/// A certificate chain, the end entity first, and its key: what is shown to a target that asks who we are.
pub struct ClientCertificate {
    /// The chain.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key, which is in no log.
    pub key: PrivateKeyDer<'static>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({} certificates, …)", self.chain.len())
    }
}

/// A mode with everything needed to speak it.
#[derive(Clone, Debug)]
pub struct TargetTls {
    mode: TlsMode,
    verifier: Arc<dyn ServerCertVerifier>,
    config: Arc<ClientConfig>,
}

impl TargetTls {
    /// Prepares `mode`. `roots` are the authorities trusted by the two verifying modes.
    ///
    /// # Errors
    /// Where a verifying mode is given no authority, or the crypto provider lacks a protocol version.
    pub fn new(mode: TlsMode, roots: RootCertStore) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match mode {
            TlsMode::VerifyFull => WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| Error::General(error.to_string()))?,
            TlsMode::VerifyCa => Arc::new(Loose { roots: Some(roots), provider }),
            TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => {
                Arc::new(Loose { roots: None, provider })
            }
        };
        let config = begun(&verifier)?.with_no_client_auth();
        Ok(Self { mode, verifier, config: Arc::new(config) })
    }

    /// The same, showing `certificate` to a target that asks for one.
    ///
    /// # Errors
    /// Where the key is of no known kind, or not that of the certificate.
    pub fn showing(&self, certificate: ClientCertificate) -> Result<Self, Error> {
        let ClientCertificate { chain, key } = certificate;
        let mut config = begun(&self.verifier)?.with_client_auth_cert(chain, key)?;
        // A resumed session would carry this certificate over to whoever connects next.
        config.resumption = Resumption::disabled();
        Ok(Self { mode: self.mode, verifier: self.verifier.clone(), config: Arc::new(config) })
    }

    /// The mode.
    pub const fn mode(&self) -> TlsMode {
        self.mode
    }

    /// The rustls configuration that carries the mode out.
    pub fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }
}

fn begun(
    verifier: &Arc<dyn ServerCertVerifier>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier.clone()))
}

/// Checks less than a browser would: the chain without the name, or possession of the key alone.
#[derive(Debug)]
struct Loose {
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Loose {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let cert = ParsedCertificate::try_from(end_entity)?;
            if roots.is_empty() {
                return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
            }
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&cert, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
