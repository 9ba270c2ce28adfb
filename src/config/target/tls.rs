//! `tls` of a Postgres target, and the certificates that its accounts show.

use std::path::{Path, PathBuf};

use curfew_adapter::{ClientCertificate, TargetTls, TlsMode};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::config::{refuse_readable_by_others, resolve};
use crate::toml_doc::{Section, Value};

/// A certificate and its key, each in a PEM file. They are read when they are needed, so that renewed ones need no
/// restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, the account's own certificate first.
    pub cert: PathBuf,
    /// The private key, which nobody else may read.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// `cert` and `key` of this section: both, or neither (`Some(None)`).
    pub(super) fn read_section(section: &Section<'_>, base: &Path) -> Option<Option<Self>> {
        let file = |key: &str| {
            section.get(key).map(|value| {
                let path = resolve(base, &value.string()?);
                value.check(match std::fs::File::open(&path) {
                    Ok(_) => Ok(path),
                    Err(error) => Err(format!("names {}, which can't be read: {error}", path.display())),
                })
            })
        };
        match (file("cert"), file("key")) {
            (None, None) => Some(None),
            (Some(cert), Some(key)) => Some(Some(Self { cert: cert?, key: key? })),
            _ => {
                section.problem(
                    "must have both `cert` and `key`, or neither: a certificate is shown with its key",
                );
                None
            }
        }
    }

    /// Reads them, as they are now.
    ///
    /// # Errors
    /// A sentence for the operator, where they can't be used. A key that others may read is one that can't.
    pub async fn read(&self) -> Result<ClientCertificate, String> {
        let fail = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = tokio::fs::read(&self.cert).await.map_err(|error| fail(&self.cert, &error))?;
        let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| fail(&self.cert, &error))?;
        if chain.is_empty() {
            return Err(fail(&self.cert, &"it holds no PEM certificate"));
        }
        let mut file = tokio::fs::File::open(&self.key).await.map_err(|error| fail(&self.key, &error))?;
        let metadata = file.metadata().await.map_err(|error| fail(&self.key, &error))?;
        refuse_readable_by_others(&self.key, &metadata).map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut file, &mut text)
            .await
            .map_err(|error| fail(&self.key, &error))?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| fail(&self.key, &error))?;
        Ok(ClientCertificate { chain, key })
    }
}

/// The target's `tls`, and the certificate for those of its accounts that have none of their own.
pub(super) fn read_tls(section: &Section<'_>, base: &Path) -> Option<(TargetTls, Option<CertificateFiles>)> {
    let modes = [
        ("verify-full", TlsMode::VerifyFull),
        ("verify-ca", TlsMode::VerifyCa),
        ("require", TlsMode::Require),
        ("prefer", TlsMode::Prefer),
        ("disable", TlsMode::Disable),
    ];
    let mode = section.get("mode").map_or(Some(TlsMode::default()), |value| value.one_of(&modes));
    let verifies = matches!(mode, Some(TlsMode::VerifyFull | TlsMode::VerifyCa));
    let roots = match if verifies { section.require("ca", "\"ca/internal.pem\"") } else { section.get("ca") }
    {
        Some(value) => read_roots(&value, base),
        None => (!verifies).then(RootCertStore::empty),
    };
    let files = CertificateFiles::read_section(section, base);
    let tls = TargetTls::new(mode?, roots?);
    let tls =
        tls.map_err(|error| section.problem(format!("TLS to the target can't be set up: {error}"))).ok();
    Some((tls?, files?))
}

fn read_roots(value: &Value<'_>, base: &Path) -> Option<RootCertStore> {
    let path = resolve(base, &value.string()?);
    let read = || {
        let text = std::fs::read(&path).map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        if roots.is_empty() { Err("it holds no PEM certificate".to_owned()) } else { Ok(roots) }
    };
    value.check(read().map_err(|error| format!("names {}, which can't be used: {error}", path.display())))
}
