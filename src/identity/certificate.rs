//! Client certificates: made for a sign-in, and judged when one is presented.
//!
//! A certificate proves which sign-in its holder has. Whether that sign-in still stands, the store says each time.

use curfew_adapter::{SignedIn, SigninId, random_bytes};
use curfew_certs::{CertsError, ClientSubject};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::service::Identities;
use super::signin::{EndWhy, Viewer};
use crate::audit::Digest;
use crate::contract::PersonKey;
use crate::store::{Before, Once, StoreError, with_causes};

/// A certificate, made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certified {
    /// The certificate: PEM, or for SSH one line.
    pub text: String,
    /// When it ends: never after its sign-in.
    pub ends_at: Timestamp,
}

/// Why there is no certificate. The texts may be shown.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    /// The request is not one that can be signed.
    #[error("the certificate was not made, because {0}")]
    Request(String),
    /// The idempotency key is not one.
    #[error("an Idempotency-Key has 1 to 200 printable ASCII characters: take such a one")]
    BadKey,
    /// The idempotency key was used for something else, or under another sign-in.
    #[error("this Idempotency-Key was used for another request: take a new one")]
    KeyReused,
    /// Making it failed.
    #[error("the certificate could not be made: tell whoever runs Curfew")]
    Failed(#[source] CertsError),
    /// The store does not answer.
    #[error("{}", .0.sentence())]
    Store(#[from] StoreError),
}

impl Identities {
    /// Makes a client certificate for the key of `request` (PKCS #10, PEM or DER). A call that is repeated with the
    /// same key within a day gets the same certificate; under another sign-in it is another call.
    ///
    /// # Errors
    /// The request can't be signed.
    pub async fn certify(
        &self,
        viewer: &Viewer,
        request: &[u8],
        once: Option<Once>,
    ) -> Result<Certified, CertifyError> {
        self.made_once(viewer, once, |now, ends_at| {
            let serial: [u8; 16] = random_bytes();
            let subject = ClientSubject {
                serial,
                email: viewer.identity.email.clone(),
                signin: viewer.signin.id.to_string(),
            };
            let made = self.authority.sign_client(request, &subject, now, ends_at)?;
            Ok((HEXLOWER.encode(&serial), made.pem))
        })
        .await
    }

    /// Makes a certificate with `make`, which is given its times and answers with its serial number and its text;
    /// or finds the one that the same call made before.
    pub(super) async fn made_once(
        &self,
        viewer: &Viewer,
        once: Option<Once>,
        make: impl FnOnce(Timestamp, Timestamp) -> Result<(String, String), CertsError> + Send,
    ) -> Result<Certified, CertifyError> {
        if once.as_ref().is_some_and(|once| !once.is_a_key()) {
            return Err(CertifyError::BadKey);
        }
        let now = self.now();
        let ends_at = now.saturating_add(self.certificate).unwrap_or(Timestamp::MAX);
        let ends_at = ends_at.min(viewer.signin.ends_at);
        let person = PersonKey::new(viewer.identity.person.clone());
        let bound = |once: Once| {
            let (asked, signin) = (once.body.to_string(), viewer.signin.id.to_string());
            Once { body: Digest::of_parts(&[asked.as_bytes(), b"\n", signin.as_bytes()]), ..once }
        };
        let once = once.map(bound);
        let mut tx = self.store.begin().await?;
        if let Some(once) = &once {
            match tx.made_once(&person, once, now).await? {
                Before::Fresh => {}
                Before::Made(text) => {
                    let made = serde_json::from_str(&text).map_err(|_| StoreError::damaged("made"));
                    tx.commit().await?;
                    return Ok(made?);
                }
                Before::Other => return Err(CertifyError::KeyReused),
            }
        }
        let (serial, text) = make(now, ends_at).map_err(|error| match error {
            CertsError::Request(_) => CertifyError::Request(error.to_string()),
            error => {
                tracing::error!(cause = with_causes(&error), "a client's certificate could not be made");
                CertifyError::Failed(error)
            }
        })?;
        let made = Certified { text, ends_at };
        tx.certificate_made(&serial, &viewer.signin.id, now, ends_at).await?;
        if let Some(once) = &once {
            let text = serde_json::to_string(&made).map_err(|_| StoreError::damaged("made"))?;
            tx.remember_once(&person, once, &text, now).await?;
        }
        tx.commit().await?;
        Ok(made)
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
            None => Ok(SignedIn::new(standing.identity, signin)),
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
