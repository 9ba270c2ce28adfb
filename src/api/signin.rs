//! Signing in and out: the choice of a provider, the way there, and the way back.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::address::ClientAddress;
use super::cookies::Cookie;
use super::next::Next;
use super::page::{Page, PageError, Shell};
use super::problem::Problem;
use super::who::{MaybeBrowser, SentForm};
use crate::app::App;
use crate::audit::Actor;
use crate::identity::oidc::{Back, OidcError};
use crate::identity::{EndWhy, Method, SigninError};

/// The query of the sign-in pages.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wish {
    next: Option<String>,
    /// Just signed out: don't sign in again by oneself.
    out: Option<String>,
    /// Sign in again, although one is signed in.
    again: Option<String>,
}

#[derive(Template)]
#[template(path = "signin.html")]
struct SigninPage {
    shell: Shell,
    providers: Vec<String>,
    next: Next,
    out: bool,
}

/// GET /signin
pub(super) async fn choose(
    State(app): State<App>,
    MaybeBrowser(browser): MaybeBrowser,
    Query(wish): Query<Wish>,
) -> Response {
    let next = Next::or_home(wish.next.as_deref());
    if browser.is_some() && wish.again.is_none() {
        return Redirect::to(next.as_str()).into_response();
    }
    let out = wish.out.is_some();
    let providers: Vec<String> = app.oidc.names().into_iter().map(str::to_owned).collect();
    if let ([only], false) = (providers.as_slice(), out) {
        return Redirect::to(&format!("/signin/{only}?next={}", next.encoded())).into_response();
    }
    Page(SigninPage { shell: Shell::anonymous("Sign in"), providers, next, out }).into_response()
}

/// GET /signin/PROVIDER
pub(super) async fn leave(
    State(app): State<App>,
    Path(provider): Path<String>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let next = Next::or_home(wish.next.as_deref());
    let before = Cookie::Login.read(&app.site, &headers);
    let away = app.oidc.begin(&provider, before, &next).await.map_err(|error| problem(&error, &next))?;
    let cookie = Cookie::Login.set(&app.site, &away.browser, away.seconds);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&away.url)).into_response())
}

/// POST /oidc/callback/PROVIDER, for `response_mode=form_post`. The form comes from another site, so no cookie of ours
/// is with it: the browser is sent to the same address with what it brought, and then has its cookies.
pub(super) async fn back_by_form(Path(provider): Path<String>, Form(back): Form<Back>) -> Response {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in
        [("code", back.code), ("state", back.state), ("error", back.error), ("iss", back.iss)]
    {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    let provider: String = url::form_urlencoded::byte_serialize(provider.as_bytes()).collect();
    Redirect::to(&format!("/oidc/callback/{provider}?{}", query.finish())).into_response()
}

/// GET /oidc/callback/PROVIDER
pub(super) async fn back(
    State(app): State<App>,
    Path(provider): Path<String>,
    Query(back): Query<Back>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let browser = Cookie::Login.read(&app.site, &headers);
    let (who, next) = match app.oidc.finish(&provider, browser, &back).await {
        Ok(vouched) => vouched,
        Err(error) => {
            if matches!(error, OidcError::Declined { .. } | OidcError::Untrusted(_) | OidcError::NoEmail(_)) {
                let stranger = Actor::Stranger { address: Some(address) };
                app.identities
                    .refused(stranger, Method::Browser, &error.to_string())
                    .await
                    .map_err(Problem::from)?;
            }
            return Err(problem(&error, &Next::home()));
        }
    };
    let (_, token) = app.identities.welcome(&who, Some(address)).await.map_err(|error| match error {
        SigninError::Store(error) => Problem::from(error),
        refused => Problem::forbidden(format!("{refused}.")),
    })?;
    let cookie = Cookie::Signin.set(&app.site, token.reveal(), app.identities.lifetime_seconds());
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(next.as_str())).into_response())
}

/// The fields of the sign-out form.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// POST /signout
pub(super) async fn out(
    State(app): State<App>,
    SentForm { browser, fields: Nothing {} }: SentForm<Nothing>,
) -> Result<Response, PageError> {
    let by = browser.actor();
    app.identities.end_signin(&browser.viewer.signin.id, EndWhy::Logout, by).await.map_err(Problem::from)?;
    let clear = Cookie::Signin.clear(&app.site);
    Ok(([(header::SET_COOKIE, clear)], Redirect::to("/signin?out=1")).into_response())
}

fn problem(error: &OidcError, next: &Next) -> PageError {
    let sentence = format!("{}.", super::sentence(&error.to_string()));
    let again = format!("Try again from the page that you came from, or at {}.", next.as_str());
    let problem = match error {
        OidcError::NoProvider => Problem::not_found(sentence),
        OidcError::Down(_) => Problem::unavailable(sentence).hint("Try again in a moment."),
        OidcError::NotBegunHere => Problem::bad_request(sentence).hint(again),
        OidcError::Declined { .. } => Problem::forbidden(sentence).hint(again),
        OidcError::Untrusted(_) => Problem::new(StatusCode::BAD_GATEWAY, "Bad answer", sentence)
            .hint("Ask whoever runs Curfew to look at its log: the cause is there."),
        OidcError::NoEmail(_) => Problem::forbidden(sentence),
        OidcError::Busy => Problem::too_many(sentence),
        OidcError::Store(cause) => {
            tracing::error!(cause = crate::store::with_causes(cause), "a sign-in failed at the store");
            Problem::unavailable(sentence)
        }
    };
    problem.into()
}
