//! Judging a client's certificate, after TLS has proved that the client holds its key. Every way of being wrong has a
//! variant of its own, so that the client can be told in a sentence; no input panics.

use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::{
    Authority,
    client::{SIGNIN_URI, is_signin_id},
};

/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2 (RFC 5280, 4.2.1.12), as the contents of a DER object identifier.
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
/// [`crate::ClientSubject::serial`] has this many bytes; a longer one is not ours.
const SERIAL_BYTES: usize = 16;

/// Which sign-in a certificate stands for. Whether that sign-in still lives is for the store to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The serial number, 32 lower-case hexadecimal digits.
    pub serial: String,
    /// The id of the sign-in.
    pub signin: String,
    /// From when on the certificate is not valid.
    pub not_after: Timestamp,
}

/// Why a certificate proves nothing. The texts may be shown to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientCertError {
    /// Signed by someone else, or by nobody.
    #[error("the client certificate was not signed by this gate")]
    Foreign,
    /// Signed by this authority, but not for clients.
    #[error("the certificate was not made for clients of this gate")]
    WrongPurpose,
    /// Its time is over.
    #[error("the client certificate expired at {at}")]
    Expired {
        /// The last second at which it was valid.
        at: Timestamp,
    },
    /// Its time has not begun.
    #[error("the client certificate is not valid before {from}")]
    NotYetValid {
        /// The first second at which it is valid.
        from: Timestamp,
    },
    /// Not a certificate, or not in the form that this authority gives its own.
    #[error("the client certificate can't be read")]
    Malformed,
}

impl Authority {
    /// Judges the chain that a client presented, end-entity certificate first. Only certificates signed by this
    /// authority's own key count: what follows the first is not looked at, for the authority has no intermediates.
    pub fn judge_client(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<ClientIdentity, ClientCertError> {
        let first = chain.first().ok_or(ClientCertError::Malformed)?;
        let (rest, parsed) =
            x509_parser::parse_x509_certificate(first).map_err(|_| ClientCertError::Malformed)?;
        if !rest.is_empty() {
            return Err(ClientCertError::Malformed);
        }
        let start = parsed.validity().not_before.timestamp();
        let end = parsed.validity().not_after.timestamp();

        // The signature first, as of the certificate's own first second: of a stranger's certificate nothing else is
        // believed, and one of ours that is over is told apart from a stranger's.
        let entity = EndEntityCert::try_from(first).map_err(|_| ClientCertError::Malformed)?;
        let at = u64::try_from(start).map_err(|_| ClientCertError::Malformed)?;
        entity
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                std::slice::from_ref(&self.anchor),
                &[],
                UnixTime::since_unix_epoch(Duration::from_secs(at)),
                KeyUsage::required(CLIENT_AUTH),
                None,
                None,
            )
            .map_err(|error| why_not(&error))?;

        let start = Timestamp::from_second(start).map_err(|_| ClientCertError::Malformed)?;
        let end = Timestamp::from_second(end).map_err(|_| ClientCertError::Malformed)?;
        if now < start {
            return Err(ClientCertError::NotYetValid { from: start });
        }
        // The named second still counts (RFC 5280, 4.1.2.5).
        if now.as_second() > end.as_second() {
            return Err(ClientCertError::Expired { at: end });
        }
        Ok(ClientIdentity { serial: serial(&entity)?, signin: signin(&entity)?, not_after: end })
    }
}

fn why_not(error: &webpki::Error) -> ClientCertError {
    use webpki::Error;
    match error {
        Error::UnknownIssuer
        | Error::InvalidSignatureForPublicKey
        | Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => ClientCertError::Foreign,
        Error::RequiredEkuNotFoundContext(_) | Error::CaUsedAsEndEntity => ClientCertError::WrongPurpose,
        _ => ClientCertError::Malformed,
    }
}

fn serial(certificate: &EndEntityCert<'_>) -> Result<String, ClientCertError> {
    let bytes = certificate.serial();
    let digits = bytes.strip_prefix(&[0]).unwrap_or(bytes);
    if digits.len() > SERIAL_BYTES {
        return Err(ClientCertError::Malformed);
    }
    Ok(format!("{:0>32}", data_encoding::HEXLOWER.encode(digits)))
}

fn signin(certificate: &EndEntityCert<'_>) -> Result<String, ClientCertError> {
    let mut ids = certificate.valid_uri_names().filter_map(|uri| uri.strip_prefix(SIGNIN_URI));
    match (ids.next(), ids.next()) {
        (Some(id), None) if is_signin_id(id) => Ok(id.to_owned()),
        _ => Err(ClientCertError::Malformed),
    }
}
