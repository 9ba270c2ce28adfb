//! The HTTP client towards one provider: no redirects, a cap on what it reads, deadlines.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// Metadata, keys, tokens and claims are all far shorter, in bytes.
const BODY_MAX: usize = 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);

/// Why a provider was not heard.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, no answer in time, or a broken one.
    #[error("the request failed")]
    Http(#[from] reqwest::Error),
    /// It answered with more than 1 MiB.
    #[error("the answer is longer than 1 MiB")]
    TooLong,
    /// The answer could not be put together.
    #[error("the answer makes no sense")]
    Answer(#[from] openidconnect::http::Error),
}

/// The client.
#[derive(Clone, Debug)]
pub(super) struct Fetch(reqwest::Client);

impl Fetch {
    /// A client that trusts the machine's roots, or `roots` (PEM) alone where they are given.
    pub(super) fn new(roots: Option<&[u8]>) -> Result<Self, reqwest::Error> {
        // Whoever installed one before installed this one: there is no other in the binary.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .user_agent(concat!("curfew/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = roots {
            builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(pem)?);
        }
        Ok(Self(builder.build()?))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let mut answer = self.0.execute(request.try_into()?).await?;
        let mut built = openidconnect::http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            built = built.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > BODY_MAX {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(built.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
