//! Who makes a request: a browser with its cookie, or a client with a bearer token.
//!
//! Each kind of token counts in its own place only. The API takes the cookie for reading, never for a change.

use axum::extract::{FromRequest, FromRequestParts, OriginalUri, Request};
use axum::http::request::Parts;
use axum::http::{Method, header};
use std::net::IpAddr;

use super::address::ClientAddress;
use super::cookies::Cookie;
use super::next::Next;
use super::page::{PageError, Shell};
use super::problem::Problem;
use super::{BODY_MAX, csrf};
use crate::app::App;
use crate::audit::Actor;
use crate::identity::{TokenKind, Viewer, WhoError};

/// A signed-in browser; as an extractor, it sends others to the sign-in page.
#[derive(Clone, Debug)]
pub struct Browser {
    /// Who.
    pub viewer: Viewer,
    /// Where the browser is.
    pub address: IpAddr,
    csrf: String,
}

/// A browser that may or may not be signed in.
#[derive(Clone, Debug)]
pub struct MaybeBrowser(pub Option<Browser>);

/// Who calls the API.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub viewer: Viewer,
    /// Where from.
    pub address: IpAddr,
}

/// The fields of a form that a page of ours sent, from the browser that it was made for.
#[derive(Debug)]
pub struct SentForm<T> {
    /// Whose browser.
    pub browser: Browser,
    /// The fields, without the proof.
    pub fields: T,
}

impl Browser {
    /// What surrounds a page for this browser.
    pub fn shell(&self, title: impl Into<String>) -> Shell {
        Shell {
            title: title.into(),
            who: Some(self.viewer.identity.email.clone()),
            csrf: self.csrf.clone(),
            refresh: None,
        }
    }

    /// The value of the hidden field `csrf` in every form.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// The person, as the one who does something.
    pub fn actor(&self) -> Actor {
        self.viewer.actor(Some(self.address))
    }
}

impl Caller {
    /// The person or program, as the one who does something.
    pub fn actor(&self) -> Actor {
        self.viewer.actor(Some(self.address))
    }
}

impl From<WhoError> for Problem {
    fn from(error: WhoError) -> Self {
        match error {
            WhoError::Nobody => Self::unauthorized("You are not signed in, or your sign-in is over.")
                .hint("Sign in, for example with `curfew login`."),
            WhoError::Disabled => {
                Self::forbidden("Your identity was disabled.").hint("Ask an admin of Curfew.")
            }
            WhoError::Store(error) => error.into(),
        }
    }
}

impl FromRequestParts<App> for MaybeBrowser {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, app).await?;
        let Some(token) = Cookie::Signin.read(&app.site, &parts.headers) else { return Ok(Self(None)) };
        match app.identities.viewer(token, TokenKind::Browser).await {
            Ok(viewer) => Ok(Self(Some(Browser { viewer, address, csrf: csrf::proof(token) }))),
            Err(WhoError::Nobody) => Ok(Self(None)),
            Err(error) => Err(Problem::from(error).into()),
        }
    }
}

impl FromRequestParts<App> for Browser {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let MaybeBrowser(browser) = MaybeBrowser::from_request_parts(parts, app).await?;
        browser.ok_or_else(|| PageError::SignIn(next(parts)))
    }
}

/// Where to come back to: the same page, if it was only looked at.
fn next(parts: &Parts) -> Next {
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
    let page = (parts.method == Method::GET).then(|| uri.path_and_query()).flatten();
    Next::or_home(page.map(|page| page.as_str()))
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, app).await?;
        if let Some(authorization) = parts.headers.get(header::AUTHORIZATION) {
            let token = authorization.to_str().ok().and_then(|text| text.split_once(' '));
            let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            let (_, token) = token.ok_or(WhoError::Nobody)?;
            return Ok(Self { viewer: app.identities.viewer(token.trim(), TokenKind::Api).await?, address });
        }
        let reads = parts.method == Method::GET || parts.method == Method::HEAD;
        match Cookie::Signin.read(&app.site, &parts.headers) {
            Some(token) if reads => {
                Ok(Self { viewer: app.identities.viewer(token, TokenKind::Browser).await?, address })
            }
            _ => Err(WhoError::Nobody.into()),
        }
    }
}

impl<T: serde::de::DeserializeOwned> FromRequest<App> for SentForm<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &App) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        if !csrf::same_site(&app.site, &parts.headers) {
            return Err(forged().into());
        }
        let browser = Browser::from_request_parts(&mut parts, app).await?;
        let around = browser.shell("");
        let read = async {
            let body = axum::body::to_bytes(body, BODY_MAX)
                .await
                .map_err(|_| Problem::too_large("What you sent is too long."))?;
            let proof = url::form_urlencoded::parse(&body).find(|(name, _)| name == csrf::FIELD);
            let token = Cookie::Signin.read(&app.site, &parts.headers).unwrap_or_default();
            if !proof.is_some_and(|(_, proof)| csrf::holds(token, &proof)) {
                return Err(forged());
            }
            let sent = Request::from_parts(parts, body.into());
            axum::Form::<T>::from_request(sent, &())
                .await
                .map(|form| form.0)
                .map_err(|error| Problem::bad_request(format!("The form could not be read: {error}.")))
        };
        match read.await {
            Ok(fields) => Ok(Self { browser, fields }),
            Err(problem) => Err(PageError::from(problem).within(&around)),
        }
    }
}

fn forged() -> Problem {
    Problem::forbidden("This form was not sent by a page that Curfew made for you, so nothing was done.")
        .hint("Open the page again, and send it from there.")
}
