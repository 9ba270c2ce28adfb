//! Client certificates: the public key of a request, and contents that are ours alone.

use jiff::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, pem::PemObject};
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer};

use crate::{
    Authority, CertsError,
    authority::{pem, set_validity},
};

/// The URI in the subject alternative name of a client certificate: this, then the id of the sign-in.
pub(crate) const SIGNIN_URI: &str = "curfew:signin:";
/// A request for an accepted kind of key is under 1 KiB; more is not parsed.
const REQUEST_MAX: usize = 16 * 1024;

/// What a client certificate says about its holder.
#[derive(Debug, Clone)]
pub struct ClientSubject {
    /// The serial number: random, and how the store finds this certificate again.
    pub serial: [u8; 16],
    /// For people who look at the certificate; nothing is decided by it.
    pub email: String,
    /// The id of the sign-in that the certificate stands for: ASCII letters, digits, `-` and `_`.
    pub signin: String,
}

/// A client certificate, made.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// As clients keep it.
    pub pem: String,
    /// As it travels in TLS.
    pub der: CertificateDer<'static>,
}

impl Authority {
    /// Signs the public key of `request` (PKCS #10, RFC 2986; DER or PEM).
    ///
    /// The request must be signed by its own key, or anyone could have a certificate for a stranger's key. Keys are
    /// ECDSA P-256 or P-384, or Ed25519. Whatever else the request asks for (names, extensions, being an authority) is
    /// left aside. The certificate begins one minute before `not_before` and never outlives the authority.
    pub fn sign_client(
        &self,
        request: &[u8],
        subject: &ClientSubject,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<ClientCertificate, CertsError> {
        if request.len() > REQUEST_MAX {
            return Err(CertsError::Request(format!("it is longer than {REQUEST_MAX} bytes")));
        }
        let der = if request.trim_ascii_start().starts_with(b"-----BEGIN") {
            CertificateSigningRequestDer::from_pem_slice(request)
                .map_err(|error| CertsError::Request(error.to_string()))?
                .to_vec()
        } else {
            request.to_vec()
        };
        let key = proven_key(&der)?;
        self.issue_client(&key, subject, not_before, not_after)
    }

    pub(crate) fn issue_client(
        &self,
        key: &impl PublicKeyData,
        subject: &ClientSubject,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<ClientCertificate, CertsError> {
        if !is_signin_id(&subject.signin) {
            return Err(CertsError::Contents(
                "the sign-in's id has characters that don't fit in a URI".to_owned(),
            ));
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, subject.email.as_str());
        params.serial_number = Some(SerialNumber::from_slice(&subject.serial));
        params.subject_alt_names = vec![SanType::URI(format!("{SIGNIN_URI}{}", subject.signin).try_into()?)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, not_before, not_after.min(self.not_after))?;
        let der = params.signed_by(key, &self.issuer)?.der().clone();
        Ok(ClientCertificate { pem: pem("CERTIFICATE", &der), der })
    }
}

/// The public key of a request that has proved that its sender holds the private half.
fn proven_key(der: &[u8]) -> Result<SubjectPublicKeyInfo, CertsError> {
    let refused = |why: &str| CertsError::Request(why.to_owned());
    let (rest, request) =
        X509CertificationRequest::from_der(der).map_err(|_| refused("it is not a PKCS #10 request"))?;
    if !rest.is_empty() {
        return Err(refused("bytes follow it"));
    }
    request.verify_signature().map_err(|_| refused("it is not signed by its own key"))?;
    let key = SubjectPublicKeyInfo::from_der(request.certification_request_info.subject_pki.raw)
        .map_err(|_| refused("its kind of key is not known"))?;
    let accepted = [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];
    if !accepted.contains(&key.algorithm()) {
        return Err(refused("its key must be ECDSA P-256, ECDSA P-384 or Ed25519"));
    }
    Ok(key)
}

pub(crate) fn is_signin_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
