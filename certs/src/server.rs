//! Server certificates: the authority's own, renewed in time, and an operator's from files.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SerialNumber,
};
use rustls::{
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, SingleCertAndKey},
};

use crate::{
    Authority, CertsError,
    authority::{later, random_serial, set_validity},
};

/// Tells the time, for what has to look at it by itself.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A server's chain and key, as rustls takes them.
#[derive(Debug)]
pub struct ServerCertificate {
    /// The server's certificate, then the authority's: a client that logs in for the first time finds there what to
    /// show the fingerprint of.
    pub chain: Vec<CertificateDer<'static>>,
    /// The server's private key, PKCS #8.
    pub key: PrivateKeyDer<'static>,
    /// When the certificate ends.
    pub not_after: Timestamp,
}

impl Authority {
    /// A server certificate for `names` (DNS names and IP addresses, as text), with a fresh key.
    pub fn server_certificate(
        &self,
        names: &[String],
        now: Timestamp,
        validity: SignedDuration,
    ) -> Result<ServerCertificate, CertsError> {
        let Some(first) = names.first() else {
            return Err(CertsError::Contents("a server certificate needs a name".to_owned()));
        };
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, first.as_str());
        params.serial_number = Some(SerialNumber::from_slice(&random_serial()?));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let not_after = later(now, validity)?.min(self.not_after);
        set_validity(&mut params, now, not_after)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(ServerCertificate {
            chain: vec![certificate.der().clone(), self.certificate.clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            not_after,
        })
    }
}

/// A server certificate of the gate's own authority that is made afresh when two thirds of its time are over.
pub struct OwnCertificate {
    authority: Arc<Authority>,
    names: Vec<String>,
    validity: SignedDuration,
    now: Now,
    current: Mutex<Current>,
}

struct Current {
    key: Arc<CertifiedKey>,
    renew_at: Timestamp,
}

impl OwnCertificate {
    /// Makes the first certificate at once, so that wrong names are an error at start.
    pub fn new(
        authority: Arc<Authority>,
        names: Vec<String>,
        validity: SignedDuration,
        now: Now,
    ) -> Result<Arc<Self>, CertsError> {
        let current = make(&authority, &names, validity, now())?;
        Ok(Arc::new(Self { authority, names, validity, now, current: Mutex::new(current) }))
    }
}

fn make(
    authority: &Authority,
    names: &[String],
    validity: SignedDuration,
    now: Timestamp,
) -> Result<Current, CertsError> {
    let made = authority.server_certificate(names, now, validity)?;
    let key = CertifiedKey::from_der(made.chain, made.key, &default_provider())?;
    let renew_at = later(now, made.not_after.duration_since(now) / 3 * 2)?;
    Ok(Current { key: Arc::new(key), renew_at })
}

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let now = (self.now)();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // Where renewing fails, the old one has a third of its time left and the next client tries again.
        if now >= current.renew_at
            && let Ok(fresh) = make(&self.authority, &self.names, self.validity, now)
        {
            *current = fresh;
        }
        Some(Arc::clone(&current.key))
    }
}

impl std::fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnCertificate").field("names", &self.names).finish_non_exhaustive()
    }
}

/// An operator's certificate: a PEM chain, server first, and its PEM key (PKCS #8, PKCS #1 or SEC 1).
pub fn fixed_certificate(
    chain_pem: &[u8],
    key_pem: &[u8],
) -> Result<Arc<dyn ResolvesServerCert>, CertsError> {
    let chain = CertificateDer::pem_slice_iter(chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CertsError::Certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(CertsError::Certificate("there is none in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| CertsError::Key(error.to_string()))?;
    match CertifiedKey::from_der(chain, key, &default_provider()) {
        Ok(certified) => Ok(Arc::new(SingleCertAndKey::from(certified))),
        Err(rustls::Error::InconsistentKeys(_)) => Err(CertsError::Mismatch),
        Err(rustls::Error::InvalidCertificate(error)) => Err(CertsError::Certificate(error.to_string())),
        Err(error) => Err(CertsError::Key(error.to_string())),
    }
}
