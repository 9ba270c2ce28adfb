//! The endpoints of Curfew as an authorization server, and the page on which a person consents.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::address::ClientAddress;
use super::headers::policy_with_form_to;
use super::next::Next;
use super::page::{Page, PageError, Shell};
use super::problem::Problem;
use super::who::{Browser, SentForm};
use crate::app::App;
use crate::identity::oauth::{
    CLIENT_ID, DEVICE_SECONDS, Granted, POLL_SECONDS, TokenError, Wanted, WantedError,
};
use crate::identity::{TokenKind, actor};

/// What the tokens of Postgres clients are for: all of them, so whatever they ask for, they get this.
const SCOPE: &str = "postgres";

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// GET /.well-known/oauth-authorization-server and /.well-known/openid-configuration (RFC 8414). Curfew vouches for
/// nobody towards others, so there is no more of OpenID here than the place where libpq 18 looks by RFC 7628.
pub(super) async fn metadata(State(app): State<App>) -> Json<Value> {
    let at = |path: &str| app.site.absolute(path);
    Json(json!({
        "issuer": app.site.origin(),
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "device_authorization_endpoint": at("/oauth/device_authorization"),
        "revocation_endpoint": at("/oauth/revoke"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", DEVICE_GRANT],
        "scopes_supported": [SCOPE],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

#[derive(Template)]
#[template(path = "authorize.html")]
struct AuthorizePage {
    shell: Shell,
    wanted: Wanted,
    email: String,
}

/// GET /oauth/authorize
pub(super) async fn authorize(
    State(app): State<App>,
    Query(wanted): Query<Wanted>,
    browser: Result<Browser, PageError>,
) -> Result<Response, PageError> {
    let back = match check(&app, &wanted)? {
        Ok(back) => back,
        Err(answer) => return Ok(answer),
    };
    let browser = browser?;
    if app.identities.stale(&browser.viewer.signin) {
        // The client's sign-in ends with the browser's: it should have a day's work before it.
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", &wanted.response_type),
                ("client_id", &wanted.client_id),
                ("redirect_uri", &wanted.redirect_uri),
                ("code_challenge", &wanted.code_challenge),
                ("code_challenge_method", &wanted.code_challenge_method),
                ("state", &wanted.state),
            ])
            .finish();
        let next = Next::or_home(Some(&format!("/oauth/authorize?{query}")));
        return Ok(Redirect::to(&format!("/signin?again=1&next={}", next.encoded())).into_response());
    }
    let email = browser.viewer.identity.email.clone();
    let page = Page(AuthorizePage { shell: browser.shell("Sign in the command line"), wanted, email });
    let mut answer = page.into_response();
    if let Some(policy) = policy_with_form_to(&back.origin().ascii_serialization()) {
        answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(answer)
}

/// What the person says, with the request that they say it to.
#[derive(Debug, Deserialize)]
pub(super) struct Consent {
    action: String,
    #[serde(flatten)]
    wanted: Wanted,
}

/// POST /oauth/authorize
pub(super) async fn consent(
    State(app): State<App>,
    SentForm { browser, fields }: SentForm<Consent>,
) -> Result<Response, PageError> {
    let Consent { action, wanted } = fields;
    let around = browser.shell("");
    let back = match check(&app, &wanted).map_err(|error| error.within(&around))? {
        Ok(back) => back,
        Err(answer) => return Ok(answer),
    };
    let issuer = app.site.origin();
    let to = if action == "yes" {
        let code = app.identities.give_code(&browser.viewer, &wanted).await;
        let code = code.map_err(|error| PageError::from(Problem::from(error)).within(&around))?;
        wanted.answer(back, &issuer, "code", &code)
    } else {
        wanted.answer(back, &issuer, "error", "access_denied")
    };
    Ok(Redirect::to(to.as_str()).into_response())
}

/// The address to go back to; or the answer that says there what is wrong; or a page that says it here.
fn check(app: &App, wanted: &Wanted) -> Result<Result<url::Url, Response>, PageError> {
    match wanted.check() {
        Ok(back) => Ok(Ok(back)),
        Err(WantedError::Here(why)) => {
            let problem = Problem::bad_request(format!("{}.", super::sentence(why)));
            Err(problem.hint("Type `curfew login` again, and open the address that it prints.").into())
        }
        Err(WantedError::Back(code, _)) => {
            let back = url::Url::parse(&wanted.redirect_uri).map_err(Problem::internal)?;
            let to = wanted.answer(back, &app.site.origin(), "error", code);
            Ok(Err(Redirect::to(to.as_str()).into_response()))
        }
    }
}

/// The form of the token endpoint.
#[derive(Default, Deserialize)]
pub(super) struct TokenForm {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    code_verifier: String,
    #[serde(default)]
    device_code: String,
    digits: Option<String>,
}

/// POST /oauth/token
pub(super) async fn token(
    State(app): State<App>,
    ClientAddress(client): ClientAddress,
    Form(form): Form<TokenForm>,
) -> Response {
    let (ours, digits) = (form.client_id == CLIENT_ID, form.digits.as_deref());
    let granted = match form.grant_type.as_str() {
        "authorization_code" if ours => {
            app.identities.redeem_code(&form.code, &form.redirect_uri, &form.code_verifier, client).await
        }
        DEVICE_GRANT => {
            app.identities.redeem_device(&form.device_code, &form.client_id, digits, client).await
        }
        "authorization_code" => return error("invalid_client", "there is no such client"),
        _ => return error("unsupported_grant_type", "only authorization_code and device_code are known"),
    };
    match granted {
        Ok(Granted { token, seconds }) => {
            let mut answer = serde_json::Map::new();
            answer.insert("access_token".to_owned(), token.reveal().into());
            answer.insert("token_type".to_owned(), "Bearer".into());
            answer.insert("expires_in".to_owned(), seconds.into());
            if token.kind() == TokenKind::Postgres {
                // It may have asked for another (RFC 6749, 5.1).
                answer.insert("scope".to_owned(), SCOPE.into());
            }
            Json(answer).into_response()
        }
        Err(refused) => refusal(refused),
    }
}

/// The form of the device authorization endpoint.
#[derive(Deserialize)]
pub(super) struct DeviceForm {
    #[serde(default)]
    client_id: String,
}

/// POST /oauth/device_authorization (RFC 8628, 3.1). There is no `verification_uri_complete`: a code that is prefilled
/// is a code that somebody else sent.
pub(super) async fn device(
    State(app): State<App>,
    ClientAddress(client): ClientAddress,
    Form(form): Form<DeviceForm>,
) -> Response {
    match app.identities.start_device(&form.client_id, client).await {
        Ok(start) => Json(json!({
            "device_code": start.device_code,
            "user_code": start.user_code,
            "verification_uri": app.site.absolute("/device"),
            "expires_in": DEVICE_SECONDS,
            "interval": POLL_SECONDS,
        }))
        .into_response(),
        Err(refused) => refusal(refused),
    }
}

/// The form of the revocation endpoint.
#[derive(Deserialize)]
pub(super) struct RevokeForm {
    #[serde(default)]
    token: String,
}

/// POST /oauth/revoke (RFC 7009): 200 whether or not there was such a token.
pub(super) async fn revoke(
    State(app): State<App>,
    ClientAddress(client): ClientAddress,
    Form(form): Form<RevokeForm>,
) -> Response {
    let done = app.identities.revoke_token(&form.token, |of| actor(&of.identity, Some(client))).await;
    match done {
        Ok(()) => StatusCode::OK.into_response(),
        Err(cause) => refusal(TokenError::Store(cause)),
    }
}

fn refusal(refused: TokenError) -> Response {
    match refused {
        TokenError::Told(code, why) => error(code, &why),
        TokenError::Store(cause) => {
            tracing::error!(
                cause = crate::store::with_causes(&cause),
                "the store did not do what a client needs"
            );
            let body = json!({ "error": "temporarily_unavailable", "error_description": cause.sentence() });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

/// RFC 6749, 5.2.
fn error(code: &str, why: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": code, "error_description": why }))).into_response()
}
