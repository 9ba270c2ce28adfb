//! Client certificates: made for a sign-in, and judged when one is presented.
//!
//! A certificate proves which sign-in its holder has. Whether that sign-in still stands, the store says each time.

use curfew_adapter::{SignedIn, SigninId, random_bytes};
use curfew_certs::{CertsError, ClientSubject};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

use super::service::Identities;
use super::signin::{EndWhy, Viewer};
use crate::store::{StoreError, with_causes};

/// A certificate, made.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The certificate as PEM.
    pub pem: String,
    /// When it ends: never after its sign-in.
    pub ends_at: Timestamp,
}

/// Why there is no certificate. The texts may be shown.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    /// The request is not one that can be signed.
    #[error("the certificate was not made, because {0}")]
    Request(String),
    /// Making it failed.
    #[error("the certificate could not be made: tell whoever runs Curfew")]
    Failed(#[source] CertsError),
    /// The store does not answer.
    #[error("{}", .0.sentence())]
    Store(#[from] StoreError),
}

impl Identities {
    /// Makes a client certificate for the key of `request` (PKCS #10, PEM or DER).
    ///
    /// # Errors
    /// The request can't be signed.
    pub async fn certify(&self, viewer: &Viewer, request: &[u8]) -> Result<Certified, CertifyError> {
        let (now, ends_at) = self.certificate_times(viewer);
        let serial: [u8; 16] = random_bytes();
        let subject = ClientSubject {
            serial,
            email: viewer.identity.email.clone(),
            signin: viewer.signin.id.to_string(),
        };
        let made =
            self.authority.sign_client(request, &subject, now, ends_at).map_err(|error| match error {
                CertsError::Request(_) => CertifyError::Request(error.to_string()),
                error => {
                    tracing::error!(cause = with_causes(&error), "a client certificate could not be made");
                    CertifyError::Failed(error)
                }
            })?;
        let mut tx = self.store.begin().await?;
        tx.certificate_made(&HEXLOWER.encode(&serial), &viewer.signin.id, now, ends_at).await?;
        tx.commit().await?;
        Ok(Certified { pem: made.pem, ends_at })
    }

    /// Now, and when a certificate of this sign-in ends that is made now.
    pub(super) fn certificate_times(&self, viewer: &Viewer) -> (Timestamp, Timestamp) {
        let now = self.now();
        let ends_at = now.saturating_add(self.certificate).unwrap_or(Timestamp::MAX);
        (now, ends_at.min(viewer.signin.ends_at))
    }

    /// Judges the chain that a client presented, whose key it has proved to hold.
    ///
    /// # Errors
    /// A sentence for the client: foreign, expired, its sign-in over, its identity disabled.
    pub async fn judge_certificate(&self, chain: &[CertificateDer<'_>]) -> Result<SignedIn, String> {
        let presented = self.authority.judge_client(chain, self.now()).map_err(|why| why.to_string())?;
        let foreign = || "the client certificate belongs to no sign-in of this gate".to_owned();
        let signin = SigninId::parse(&presented.signin).ok_or_else(foreign)?;
        let standing =
            self.store.certificate_standing(&presented.serial, &signin).await.map_err(|error| {
                tracing::error!(cause = with_causes(&error), "a client certificate could not be judged");
                error.sentence().to_owned()
            })?;
        let standing = standing.ok_or_else(foreign)?;
        match standing.over(self.now()) {
            None => Ok(SignedIn { identity: standing.identity, signin, elsewhere: None }),
            Some(why) => Err(is_over("the sign-in that the client certificate belongs to", why)),
        }
    }
}

/// The sentence for a proof whose sign-in is over.
pub(super) fn is_over(what: &str, why: EndWhy) -> String {
    match why {
        EndWhy::IdentityDisabled => "your identity was disabled".to_owned(),
        EndWhy::Logout => format!("{what} is over (you signed out)"),
        EndWhy::Revoked => format!("{what} is over (it was revoked)"),
        EndWhy::Expired => format!("{what} is over (its time was up)"),
    }
}
