//! Sign-in through a browser on this machine: the code comes back to a port on loopback (RFC 8252, 7.3).
//!
//! Owns that listener, for one answer. An answer without our `state` changes nothing: any page in the browser could
//! send one.

use std::process::{Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use curfew_adapter::{Secret, random_bytes};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::oauth::{self, Answer, CLIENT_ID, Metadata, Pkce};
use crate::cli::CliError;
use crate::cli::client::Client;
use crate::cli::output::{Output, clean};

/// How long a person has, as long as a sign-in link lives.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How long the browser has to fetch the last page.
const LAST_PAGE: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Waiting {
    state: String,
    issuer: String,
    answers: mpsc::Sender<Callback>,
}

#[derive(Default, Deserialize)]
struct Callback {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Signs in and gives the token.
///
/// # Errors
/// Refused, not reached, or nobody came back in time.
pub async fn sign_in(
    client: &Client,
    metadata: &Metadata,
    out: &mut Output,
    browser: bool,
) -> Result<Secret, CliError> {
    let port = |error| CliError::failed(format!("no port on loopback can be had: {error}"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(port)?;
    let redirect = format!("http://{}/callback", listener.local_addr().map_err(port)?);
    let (pkce, state) = (Pkce::random(), data_encoding::HEXLOWER.encode(&random_bytes::<16>()));
    let mut address = metadata.authorization_endpoint.clone();
    address.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", &redirect),
        ("code_challenge", &pkce.challenge),
        ("code_challenge_method", "S256"),
        ("state", &state),
    ]);
    let (answers, mut answer) = mpsc::channel(1);
    let waiting = Waiting { state, issuer: metadata.issuer.clone(), answers };
    let (done, finished) = oneshot::channel::<()>();
    let router = Router::new().route("/callback", get(callback)).with_state(waiting);
    let mut server = std::pin::pin!(async move {
        let finished = async { drop(finished.await) };
        axum::serve(listener, router).with_graceful_shutdown(finished).await
    });

    out.note("Open this address in a browser on this machine to sign in:\n")?;
    out.note(format!("  {address}\n"))?;
    if browser && !open(address.as_str()) {
        out.note("(No browser was found. On a machine without one, type `curfew login URL --device`.)")?;
    }
    let callback = tokio::select! {
        answer = answer.recv() => answer,
        _ = &mut server => None,
        () = tokio::time::sleep(PATIENCE) => {
            return Err(CliError::failed("nobody signed in within 15 minutes").hint("type `curfew login` to begin again"));
        }
    };
    let Some(callback) = callback else {
        return Err(CliError::failed("the port on loopback was closed before anybody signed in"));
    };
    drop(done);
    let exchange = exchange(client, metadata, callback, &redirect, &pkce);
    let last_page = tokio::time::timeout(LAST_PAGE, server);
    // Whether the browser saw the page does not change what the gate says.
    let (token, _) = tokio::join!(exchange, last_page);
    token
}

async fn exchange(
    client: &Client,
    metadata: &Metadata,
    callback: Callback,
    redirect: &str,
    pkce: &Pkce,
) -> Result<Secret, CliError> {
    let Some(code) = callback.code else {
        let description = clean(&callback.error_description.unwrap_or_default());
        return Err(oauth::refusal(&callback.error.unwrap_or_default(), &description));
    };
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", redirect),
        ("client_id", CLIENT_ID),
        ("code_verifier", pkce.verifier.reveal()),
    ];
    match oauth::token(client, metadata, &fields).await? {
        Answer::Token(token) => Ok(token),
        Answer::Error(code, description) => Err(oauth::refusal(&code, &description)),
    }
}

/// The browser comes back.
async fn callback(State(waiting): State<Waiting>, Query(callback): Query<Callback>) -> impl IntoResponse {
    let ours = callback.state.as_deref() == Some(&waiting.state);
    // RFC 9207: an answer that another server mixed in names another issuer.
    let same_issuer = callback.iss.as_deref().is_none_or(|issuer| issuer == waiting.issuer);
    let answered = callback.code.is_some() || callback.error.is_some();
    let (status, text) = if !(ours && same_issuer && answered) {
        (StatusCode::BAD_REQUEST, "This is not the answer that curfew waits for. Go back to the terminal.")
    } else {
        let text = match callback.code {
            Some(_) => "Done. You can close this page and go back to the terminal.",
            None => "You are not signed in. Go back to the terminal.",
        };
        // A second answer finds the queue full, or nobody there: the first one counts.
        let _ = waiting.answers.try_send(callback);
        (StatusCode::OK, text)
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Curfew</title><p>{text}</p></html>"
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONNECTION, "close"),
    ];
    (status, headers, Html(page))
}

/// Opens a browser where there is a screen to open it on.
fn open(address: &str) -> bool {
    let screen = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if screen("DISPLAY") || screen("WAYLAND_DISPLAY") {
        "xdg-open"
    } else {
        return false;
    };
    Command::new(program)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .is_ok()
}
