//! What can go wrong when certificates are made or loaded, in words for the operator. Never holds key material.

/// Why a certificate could not be made, loaded or put to use.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// The text given as a certificate is not one.
    #[error(
        "the certificate can't be read: {0}; expected PEM text that begins with -----BEGIN CERTIFICATE-----"
    )]
    Certificate(String),
    /// The text given as a private key is not one.
    #[error("the private key can't be read: {0}; expected PEM text with a PKCS #8 private key")]
    Key(String),
    /// A key and a certificate that don't belong together.
    #[error("the private key does not belong to the certificate; give the pair that was made together")]
    Mismatch,
    /// The certificate and key are a pair, but what they sign does not verify.
    #[error("the certificate can't act as an authority: {0}; make a fresh pair with `curfew init`")]
    NotAnAuthority(String),
    /// A certificate signing request that is malformed, unsigned, or for a kind of key that is not accepted.
    #[error("the certificate signing request is refused: {0}")]
    Request(String),
    /// A name, sign-in id or date that does not fit in a certificate.
    #[error("the certificate can't be made: {0}")]
    Contents(String),
    /// The TLS library refused the configuration.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

impl From<rcgen::Error> for CertsError {
    fn from(error: rcgen::Error) -> Self {
        Self::Contents(error.to_string())
    }
}
