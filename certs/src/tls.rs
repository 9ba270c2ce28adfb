//! rustls configurations for the gate's listeners: TLS 1.2 and 1.3 over aws-lc-rs.
//!
//! A client's certificate is asked for, never demanded, and TLS checks possession of its key alone. Whose it is and
//! whether it still holds is judged afterwards ([`crate::Authority::judge_client`]): an expired certificate must end in
//! a sentence, and an alert has no room for one. So a chain taken from TLS is a claim, not yet an identity.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, aws_lc_rs::default_provider, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        NoServerSessionStorage, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use webpki::RawPublicKeyEntity;

use crate::{Authority, CertsError};

/// Whether a listener asks its clients for a certificate.
#[derive(Debug, Clone, Copy)]
pub enum ClientCertificates<'a> {
    /// Ask, naming this authority as the one whose certificates are wanted.
    Ask(&'a Authority),
    /// Don't ask: for HTTP, where browsers would pop up a dialog.
    Ignore,
}

/// A server's configuration. `alpn` lists the application protocols that it speaks (`postgresql`, `http/1.1`); a client
/// that names none is served all the same.
pub fn server_config(
    certificate: Arc<dyn ResolvesServerCert>,
    clients: ClientCertificates<'_>,
    alpn: &[&str],
) -> Result<Arc<ServerConfig>, CertsError> {
    let provider = Arc::new(default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let mut config = match clients {
        ClientCertificates::Ask(authority) => {
            let hint = DistinguishedName::in_sequence(&authority.anchor.subject);
            let verifier = Possession { hints: vec![hint], algorithms };
            let mut config =
                builder.with_client_cert_verifier(Arc::new(verifier)).with_cert_resolver(certificate);
            // A resumed session would carry the certificate over without a fresh proof of possession.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            config
        }
        ClientCertificates::Ignore => builder.with_no_client_auth().with_cert_resolver(certificate),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(Arc::new(config))
}

/// Checks that the client holds the key of the certificate that it shows, and nothing else.
#[derive(Debug)]
struct Possession {
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Possession {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    // rustls has no such function for the raw key in TLS 1.2, where one scheme stands for several algorithms.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = public_key(certificate)?;
        let entity = RawPublicKeyEntity::try_from(&key).map_err(|_| unreadable())?;
        let candidates = self
            .algorithms
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == signed.scheme)
            .map(|(_, algorithms)| *algorithms)
            .unwrap_or_default();
        if candidates
            .iter()
            .any(|algorithm| entity.verify_signature(*algorithm, message, signed.signature()).is_ok())
        {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(Error::InvalidCertificate(rustls::CertificateError::BadSignature))
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature_with_raw_key(message, &public_key(certificate)?, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The key alone is read, by a lenient parser: an old-fashioned certificate of someone else's deserves its sentence too.
fn public_key(certificate: &CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| unreadable())?;
    Ok(SubjectPublicKeyInfoDer::from(parsed.public_key().raw.to_vec()))
}

fn unreadable() -> Error {
    Error::InvalidCertificate(rustls::CertificateError::BadEncoding)
}
