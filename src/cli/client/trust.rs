//! Whom the client believes to be the gate: TLS configurations over aws-lc-rs.
//!
//! Owns the choice of anchors. What was saved at login decides, and no other authority is let in beside it. The one
//! configuration that believes anybody exists to fetch an authority's certificate, which a person then confirms.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs::default_provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::cli::CliError;

/// Believes certificates that this authority signed.
pub fn authority(pem: &str) -> Result<ClientConfig, CliError> {
    let mut roots = RootCertStore::empty();
    roots
        .add(certificate(pem)?)
        .map_err(|error| CliError::failed(format!("the gate's authority can't be used: {error}")))?;
    Ok(builder()?.with_root_certificates(roots).with_no_client_auth())
}

/// Believes certificates that this machine's own authorities signed.
pub fn system() -> Result<ClientConfig, CliError> {
    Ok(builder()?
        .with_platform_verifier()
        .map_err(|error| CliError::failed(format!("this machine's authorities can't be read: {error}")))?
        .with_no_client_auth())
}

/// Believes anybody. Only for the certificate of an authority at first contact; never with a token.
pub fn anybody() -> Result<ClientConfig, CliError> {
    let verifier = Arc::new(Anybody(Arc::new(default_provider())));
    Ok(builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The first certificate of a PEM text.
pub fn certificate(pem: &str) -> Result<CertificateDer<'static>, CliError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| {
        CliError::failed(format!("the gate's authority is not a certificate in PEM: {error}"))
    })
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, CliError> {
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| CliError::failed(format!("TLS can't be set up: {error}")))
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
