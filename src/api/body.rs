//! What a call of the API brings: its JSON body, its query and its ids, read strictly.
//!
//! What is not understood is refused with the reason, never skipped: a misspelt field would be a wish unheard.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, OriginalUri, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::app::App;
use crate::audit::Digest;
use crate::store::Once;

/// The header that makes a repeated creating call create only once.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A JSON body. One that is empty counts as `{}`.
#[derive(Debug)]
pub struct Sent<T>(pub T);

/// The JSON body of a call that creates something, and the caller's key.
#[derive(Debug)]
pub struct Creating<T> {
    /// The body.
    pub value: T,
    /// The key with the digest of path and body; the same key with another digest is a mistake.
    pub once: Option<Once>,
}

/// The query. A parameter that there is not is refused.
#[derive(Debug)]
pub struct Wanted<T>(pub T);

/// An id in the path. Whatever can't be one is not found.
#[derive(Debug)]
pub struct At<T>(pub T);

/// Ids that stand in paths.
pub trait PathId: Sized {
    /// Reads one.
    fn read(text: &str) -> Option<Self>;
    /// What to say where there is none.
    const NONE: &'static str;
}

macro_rules! path_ids {
    ($($id:ident = $none:literal;)*) => {$(
        impl PathId for curfew_adapter::$id {
            fn read(text: &str) -> Option<Self> {
                Self::parse(text)
            }
            const NONE: &'static str = $none;
        }
    )*};
}

path_ids! {
    RequestId = "There is no such request, or you may not see it: `curfew requests` lists yours.";
    GrantId = "There is no such grant, or you may not see it: `curfew grants` lists yours.";
    SessionId = "There is no such session, or you may not see it: `curfew sessions` lists yours.";
    SigninId = "There is no such sign-in, or you may not see it: `curfew signins` lists yours.";
    IdentityId = "There is no such identity, or you may not see it.";
}

/// What is said of a thing of this kind that is not there, or not for these eyes.
pub fn none<I: PathId>() -> Problem {
    Problem::not_found(I::NONE)
}

impl<T: DeserializeOwned> FromRequest<App> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, bytes) = taken(request, app).await?;
        read(&parts.headers, &bytes).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Creating<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (parts, bytes) = taken(request, app).await?;
        let value = read(&parts.headers, &bytes)?;
        let key = key(&parts.headers)?;
        let path = parts.extensions.get::<OriginalUri>().map_or(parts.uri.path(), |uri| uri.0.path());
        let once = key.map(|key| Once { key, body: Digest::of_parts(&[path.as_bytes(), b"\n", &bytes]) });
        Ok(Self { value, once })
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Wanted<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, app).await;
        query.map(|query| Self(query.0)).map_err(|error| {
            let text = error.body_text();
            let why = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            Problem::bad_request(format!("The query was not understood: {why}."))
        })
    }
}

impl<T: PathId + Send> FromRequestParts<App> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, app).await.map_err(|_| none::<T>())?;
        T::read(&path.0).map(Self).ok_or_else(none::<T>)
    }
}

async fn taken(request: Request, app: &App) -> Result<(Parts, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    // The parts go along, for the limit that the router put into them.
    let whole = Request::from_parts(parts.clone(), body);
    match Bytes::from_request(whole, app).await {
        Ok(bytes) => Ok((parts, bytes)),
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let most = super::BODY_MAX / 1024;
            Err(Problem::too_large(format!("A body has {most} KiB at most: send less.")))
        }
        Err(error) => Err(Problem::bad_request(format!("The body could not be read: {error}."))),
    }
}

fn read<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return parsed(b"{}");
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "The body must be JSON, sent as Content-Type: application/json.";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Not JSON", detail));
    }
    parsed(bytes)
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        if error.is_data() {
            Problem::unprocessable(format!("The body was not understood: {error}."))
        } else {
            Problem::bad_request(format!("The body is not JSON: {error}."))
        }
    })
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => match key.to_str() {
            Ok(key) => Ok(Some(key.to_owned())),
            Err(_) => Err(Problem::bad_request("An Idempotency-Key is printable ASCII.")),
        },
        (Some(_), Some(_)) => Err(Problem::bad_request("A call has one Idempotency-Key at most.")),
    }
}
