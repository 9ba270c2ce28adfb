//! The client of a gate's HTTP API.
//!
//! Owns the connection, the token on it, and the reading of answers. The token goes to the gate that gave it and
//! nowhere else: redirects are not followed, and it is in no error and no `Debug`.

mod home;
mod lines;
mod problem;
pub mod trust;
mod url;
pub mod wire;

use std::time::Duration;

use curfew_adapter::{Secret, random_bytes};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::url::GateUrl;
pub use home::{About, Home, Saved, SshAbout, Trust};
pub use lines::Lines;

use crate::cli::CliError;

/// The longest answer that is read whole. Lists come in pages of 500; recordings are streamed.
const BODY_MAX: usize = 32 * 1024 * 1024;
/// How many items a page of a list has: the most that the API gives.
const PAGE: &str = "500";

/// A gate, as one person signed in there sees it, or as anybody does.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: GateUrl,
    token: Option<Secret>,
}

impl Client {
    /// With the sign-in that is saved for this gate.
    ///
    /// # Errors
    /// Nobody is signed in there.
    pub fn signed_in(saved: &Saved) -> Result<Self, CliError> {
        let token = saved.token()?;
        Ok(Self { token: Some(token), ..Self::saved(saved)? })
    }

    /// Without a sign-in, but believing what was saved about this gate.
    ///
    /// # Errors
    /// Nobody ever signed in there.
    pub fn saved(saved: &Saved) -> Result<Self, CliError> {
        let url = saved.url();
        let known = saved.about().zip(saved.authority());
        let (about, authority) = known.ok_or_else(|| {
            CliError::not_signed_in(format!("nothing is saved about {url}"))
                .hint(format!("type `curfew login {url}`"))
        })?;
        match about.trust {
            Trust::Authority => Self::believing(url, trust::authority(&authority)?),
            Trust::System => Self::believing(url, trust::system()?),
        }
    }

    /// Without a sign-in, believing whom this configuration believes.
    ///
    /// # Errors
    /// The HTTP client can't be made.
    pub fn believing(url: &GateUrl, tls: rustls::ClientConfig) -> Result<Self, CliError> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("curfew/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(60));
        if url.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| CliError::failed(format!("the HTTP client can't be set up: {error}")))?;
        Ok(Self { http, url: url.clone(), token: None })
    }

    /// The gate.
    pub fn url(&self) -> &GateUrl {
        &self.url
    }

    /// `GET /api/v1/PATH`.
    ///
    /// # Errors
    /// Refused, or not reached.
    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Body, CliError> {
        self.answer(self.http.get(self.api(path)).query(query)).await
    }

    /// All pages of a list, as one.
    ///
    /// # Errors
    /// Refused, not reached, or not a list.
    pub async fn list(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Listing, CliError> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.push(("limit", PAGE));
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor));
            }
            let mut page: Page = self.get(path, &query).await?.read()?;
            items.append(&mut page.items);
            match page.next {
                // A cursor that comes back would go round for ever.
                Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
                _ => return Ok(Listing(items)),
            }
        }
    }

    /// `GET /api/v1/PATH`, line by line.
    ///
    /// # Errors
    /// Refused, or not reached.
    pub async fn lines(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Lines, CliError> {
        let response = self.stream(path, query).await?;
        Ok(Lines { url: self.url.clone(), response, held: lines::Cutter::default() })
    }

    /// `GET /api/v1/PATH`, piece by piece into `to`.
    ///
    /// # Errors
    /// Refused, not reached, or what `to` says.
    pub async fn download(
        &self,
        path: &[&str],
        mut to: impl FnMut(&[u8]) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let mut response = self.stream(path, &[]).await?;
        while let Some(bytes) =
            response.chunk().await.map_err(|error| problem::unreached(&self.url, &error))?
        {
            to(&bytes)?;
        }
        Ok(())
    }

    /// `POST /api/v1/PATH`.
    ///
    /// # Errors
    /// Refused, or not reached.
    pub async fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Body, CliError> {
        self.answer(self.http.post(self.api(path)).json(body)).await
    }

    /// `POST /api/v1/PATH` where it creates something: under a key, so that it can be sent again when the answer got
    /// lost on the way.
    ///
    /// # Errors
    /// Refused, or not reached twice.
    pub async fn create(&self, path: &[&str], body: &impl Serialize) -> Result<Body, CliError> {
        let key = data_encoding::HEXLOWER.encode(&random_bytes::<16>());
        let request = || self.http.post(self.api(path)).header("Idempotency-Key", &key).json(body);
        match self.send(request()).await {
            Err(error) if error.is_request() && !error.is_connect() && !problem::is_distrust(&error) => {
                self.answer(request()).await
            }
            Err(error) => Err(problem::unreached(&self.url, &error)),
            Ok(response) => self.read(response).await,
        }
    }

    /// Sends a form to an OAuth endpoint of the gate and gives the status and the body, whatever they are: there, an
    /// error is part of the protocol.
    ///
    /// # Errors
    /// Not reached.
    pub async fn form(&self, to: ::url::Url, fields: &[(&str, &str)]) -> Result<(bool, Body), CliError> {
        let response = self
            .http
            .post(to)
            .form(fields)
            .send()
            .await
            .map_err(|error| problem::unreached(&self.url, &error))?;
        let fine = response.status().is_success();
        Ok((fine, self.whole(response).await?))
    }

    /// `GET` of a path outside of the API.
    ///
    /// # Errors
    /// Refused, or not reached.
    pub async fn get_root(&self, path: &[&str]) -> Result<Body, CliError> {
        self.answer(self.http.get(self.url.at(path.iter().copied()))).await
    }

    /// As [`Self::get`]; `None` where the gate's certificate is not believed.
    ///
    /// # Errors
    /// Refused, or not reached.
    pub async fn get_if_believed(&self, path: &[&str]) -> Result<Option<Body>, CliError> {
        match self.send(self.http.get(self.api(path))).await {
            Ok(response) => self.read(response).await.map(Some),
            Err(error) if problem::is_distrust(&error) => Ok(None),
            Err(error) => Err(problem::unreached(&self.url, &error)),
        }
    }

    fn api(&self, path: &[&str]) -> ::url::Url {
        self.url.at(["api", "v1"].into_iter().chain(path.iter().copied()))
    }

    async fn stream(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Response, CliError> {
        let request = self.http.get(self.api(path)).query(query);
        let response = self.send(request).await.map_err(|error| problem::unreached(&self.url, &error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        self.read(response).await.and(Err(CliError::failed("the gate refused without saying why")))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Body, CliError> {
        let response = self.send(request).await.map_err(|error| problem::unreached(&self.url, &error))?;
        self.read(response).await
    }

    async fn send(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        let request = match &self.token {
            Some(token) => match HeaderValue::from_str(&format!("Bearer {}", token.reveal())) {
                Ok(mut value) => {
                    value.set_sensitive(true);
                    request.header(AUTHORIZATION, value)
                }
                // A file that holds no token: the gate will say that nobody is signed in.
                Err(_) => request,
            },
            None => request,
        };
        request.send().await
    }

    async fn read(&self, response: Response) -> Result<Body, CliError> {
        let status = response.status();
        let body = self.whole(response).await?;
        if status.is_success() { Ok(body) } else { Err(problem::refused(&self.url, status, &body.0)) }
    }

    async fn whole(&self, mut response: Response) -> Result<Body, CliError> {
        let mut body = Vec::new();
        while let Some(bytes) =
            response.chunk().await.map_err(|error| problem::unreached(&self.url, &error))?
        {
            if body.len() + bytes.len() > BODY_MAX {
                return Err(CliError::failed(
                    "the gate's answer is longer than 32 MiB, which can't be right",
                ));
            }
            body.extend_from_slice(&bytes);
        }
        Ok(Body(body))
    }
}

#[derive(serde::Deserialize)]
struct Page {
    items: Vec<serde_json::Value>,
    #[serde(default)]
    next: Option<String>,
}

/// An answer of the gate, as it came.
#[derive(Clone, Debug)]
pub struct Body(Vec<u8>);

impl Body {
    /// The bytes, for `--json`.
    pub fn raw(&self) -> &[u8] {
        &self.0
    }

    /// The answer as the shape that the API promises.
    ///
    /// # Errors
    /// It has another shape: a gate of another version, or no gate at all.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, CliError> {
        serde_json::from_slice(&self.0).map_err(|error| not_understood(&error))
    }
}

/// All items of a list.
#[derive(Clone, Debug)]
pub struct Listing(Vec<serde_json::Value>);

impl Listing {
    /// The items as the shape that the API promises.
    ///
    /// # Errors
    /// One has another shape.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Vec<T>, CliError> {
        self.0.iter().map(|item| T::deserialize(item).map_err(|error| not_understood(&error))).collect()
    }

    /// As one JSON document, for `--json`: `{"items":[…],"next":null}`.
    pub fn json(&self) -> Vec<u8> {
        serde_json::json!({ "items": self.0, "next": null }).to_string().into_bytes()
    }
}

fn not_understood(error: &serde_json::Error) -> CliError {
    CliError::failed(format!("the gate's answer is not understood: {error}"))
        .hint("is this curfew as new as the gate? `curfew --version` tells")
}
