//! Certificates that live as long as a test.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;

/// A server's configuration with a certificate for `localhost` and 127.0.0.1, and that certificate.
///
/// # Panics
/// Where no certificate can be made.
#[expect(clippy::expect_used, reason = "a test that can't begin has failed")]
pub fn self_signed() -> (Arc<ServerConfig>, CertificateDer<'static>) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let certificate = made.cert.der().clone();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a certificate with its key");
    (Arc::new(config), certificate)
}

/// The authorities of a target that shows `certificate`.
///
/// # Panics
/// Where it is not a certificate.
#[expect(clippy::expect_used, reason = "a test that can't begin has failed")]
pub fn target_roots(certificate: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a certificate");
    roots
}

/// A client's configuration that trusts `certificate`.
///
/// # Panics
/// Where it is not a certificate.
#[expect(clippy::expect_used, reason = "a test that can't begin has failed")]
pub fn client_config(certificate: &CertificateDer<'static>) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(target_roots(certificate))
        .with_no_client_auth();
    Arc::new(config)
}
