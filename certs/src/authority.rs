//! The authority itself: one ECDSA P-256 key and its self-signed certificate (RFC 5280). The key leaves it only
//! through [`Authority::key_pem`], for the file that keeps it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, SerialNumber,
};
use rustls::pki_types::{CertificateDer, TrustAnchor, pem::PemObject};

use crate::{CertsError, client::ClientSubject};

/// How long an authority lives: ten years. Its certificate is what clients pin at their first login.
const AUTHORITY_DAYS: i64 = 3653;
/// Certificates begin this long before they are made, for clients whose clock is a little behind.
pub(crate) const BACKDATED: SignedDuration = SignedDuration::from_secs(60);

/// A certificate authority that signs for one gate.
pub struct Authority {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) anchor: TrustAnchor<'static>,
    /// Nothing that it signs outlives it.
    pub(crate) not_after: Timestamp,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

impl Authority {
    /// A fresh authority, valid from a minute before `now` for ten years. Its name carries random digits, so that a
    /// client that knows two authorities picks the right certificate by the hint that TLS gives it.
    pub fn generate(now: Timestamp) -> Result<Self, CertsError> {
        let key = KeyPair::generate()?;
        let serial = random_serial()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let tag: String = data_encoding::HEXLOWER.encode(&serial).chars().take(8).collect();
        params.distinguished_name.push(DnType::CommonName, format!("Curfew authority {tag}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let not_after = later(now, SignedDuration::from_hours(AUTHORITY_DAYS * 24))?;
        set_validity(&mut params, now, not_after)?;
        let certificate = params.self_signed(&key)?;
        Self::assemble(certificate.der().clone(), key)
    }

    /// The authority kept as a certificate and a PKCS #8 key, both PEM.
    ///
    /// A pair that does not belong together, or a certificate whose signatures would not verify, is an error here
    /// rather than at the first connection.
    pub fn load(certificate_pem: &str, key_pem: &str) -> Result<Self, CertsError> {
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|error| CertsError::Certificate(error.to_string()))?;
        let key = KeyPair::from_pem(key_pem).map_err(|error| CertsError::Key(error.to_string()))?;
        let authority = Self::assemble(certificate, key)?;
        authority.prove()?;
        Ok(authority)
    }

    fn assemble(certificate: CertificateDer<'static>, key: KeyPair) -> Result<Self, CertsError> {
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate)
            .map_err(|error| CertsError::Certificate(error.to_string()))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(CertsError::Mismatch);
        }
        // webpki takes any certificate for an anchor; clients with OpenSSL don't.
        if !parsed.is_ca() {
            return Err(CertsError::NotAnAuthority(
                "its basic constraints don't say that it is one".to_owned(),
            ));
        }
        let not_after = Timestamp::from_second(parsed.validity().not_after.timestamp())
            .map_err(|error| CertsError::Certificate(error.to_string()))?;
        let anchor = webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|error| CertsError::NotAnAuthority(error.to_string()))?
            .to_owned();
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| CertsError::NotAnAuthority(error.to_string()))?;
        Ok(Self { issuer, certificate, anchor, not_after })
    }

    /// Signs a throwaway client certificate and judges it: what holds now holds for every client later.
    fn prove(&self) -> Result<(), CertsError> {
        let key = KeyPair::generate()?;
        let subject = ClientSubject {
            serial: random_serial()?,
            email: "probe@curfew.invalid".to_owned(),
            signin: "probe".to_owned(),
        };
        let start = self.not_after - SignedDuration::from_hours(1);
        let probe = self.issue_client(&key, &subject, start, self.not_after)?;
        self.judge_client(&[probe.der], start)
            .map(drop)
            .map_err(|error| CertsError::NotAnAuthority(error.to_string()))
    }

    /// The authority's certificate as PEM: what clients save as their root.
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The authority's certificate as DER.
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The authority's private key, PKCS #8 in PEM. For the file that keeps it (mode 0600), and for nothing else.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// `SHA256:` and the base64 of the certificate's SHA-256, without padding: the form that ssh users know, shown at
    /// the first `curfew login`.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.certificate)
    }

    /// When the authority itself expires.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

/// `SHA256:BASE64` of any certificate, as [`Authority::fingerprint`] prints it.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    format!("SHA256:{}", data_encoding::BASE64_NOPAD.encode(digest.as_ref()))
}

/// DER as PEM (RFC 7468) under this label, such as `CERTIFICATE`.
pub fn pem(label: &str, der: &[u8]) -> String {
    let body = data_encoding::BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (index, character) in body.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

/// 16 random bytes with the top bit clear: a serial number is a positive integer (RFC 5280, 4.1.2.2).
pub(crate) fn random_serial() -> Result<[u8; 16], CertsError> {
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| CertsError::Random)?;
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(serial)
}

pub(crate) fn later(from: Timestamp, by: SignedDuration) -> Result<Timestamp, CertsError> {
    from.checked_add(by).map_err(|error| CertsError::Contents(error.to_string()))
}

/// Sets the window of `params`: from [`BACKDATED`] before `not_before`, to the whole second at or before `not_after`.
pub(crate) fn set_validity(
    params: &mut CertificateParams,
    not_before: Timestamp,
    not_after: Timestamp,
) -> Result<(), CertsError> {
    let start = later(not_before, -BACKDATED)?.as_second();
    let end = not_after.as_second();
    let (Ok(start), Ok(end)) = (u64::try_from(start), u64::try_from(end)) else {
        return Err(CertsError::Contents("a date before 1970".to_owned()));
    };
    if end <= start {
        return Err(CertsError::Contents("it would end before it begins".to_owned()));
    }
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(start);
    params.not_after = epoch + Duration::from_secs(end);
    Ok(())
}
