//! Client certificates, for the key of whoever is signed in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::body::Creating;
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::identity::{Certified, CertifyError};

/// A request for a certificate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Csr {
    /// The request (PKCS #10) in PEM.
    csr: String,
}

/// A certificate.
#[derive(Debug, Serialize, ToSchema)]
pub struct CertificateView {
    /// In PEM, or for SSH as one line.
    certificate: String,
    /// When it ends; never after the sign-in.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Get a client certificate
///
/// With which clients connect in silence. It is worth nothing once the sign-in is over.
#[utoipa::path(
    post, path = "/api/v1/certificates", tag = "sign-in", request_body = Csr,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes only one in 24 hours, for one sign-in")),
    responses((status = 201, body = CertificateView))
)]
pub async fn certify(
    State(app): State<App>,
    caller: Caller,
    csr: Creating<Csr>,
) -> Result<(StatusCode, Json<CertificateView>), Problem> {
    let made =
        app.identities.certify(&caller.viewer, csr.value.csr.as_bytes(), csr.once).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Why a certificate was not made, as the answer to whoever asked for it.
pub(super) fn refused(error: CertifyError) -> Problem {
    match error {
        CertifyError::Request(why) => {
            Problem::unprocessable(format!("The certificate was not made, because {why}."))
        }
        why @ (CertifyError::BadKey | CertifyError::KeyReused) => {
            Problem::unprocessable(format!("{}.", crate::api::sentence(&why.to_string())))
        }
        CertifyError::Failed(cause) => Problem::internal(cause),
        CertifyError::Store(error) => error.into(),
    }
}

impl From<Certified> for CertificateView {
    fn from(made: Certified) -> Self {
        Self { certificate: made.text, expires_at: made.ends_at }
    }
}
