//! How one connects to a target, for each kind of program; and a button that makes a credential, which is shown once.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use curfew_adapter::Protocol;
use serde::Deserialize;

use super::words::When;
use crate::api::assets;
use crate::api::headers::POLICY;
use crate::api::page::{Page, PageError, Shell};
use crate::api::problem::Problem;
use crate::api::v1::credentials::{offered, refused};
use crate::api::who::{Browser, SentForm};
use crate::app::App;
use crate::grant::{AccountView, Caller, TargetView};
use crate::ways::{self, Place};

/// Without a file on the client's machine, the exchange of the password is what proves the gate: it is bound to the
/// gate's certificate, and the gate proves that it knows the secret (RFC 5802, section 6).
const BOUND: [(&str, &str); 2] = [("sslmode", "require"), ("channel_binding", "require")];

/// As much as pgjdbc knows in every version.
const REQUIRED: [(&str, &str); 1] = [("sslmode", "require")];

/// One account, and how to connect as it.
struct Account {
    view: AccountView,
    /// Nothing to install: one is signed in by link.
    plain: String,
    /// With the certificate of `curfew login`.
    service: Option<String>,
}

/// A credential that has just been made.
struct Made {
    account: String,
    user: String,
    password: String,
    uri: String,
    jdbc: String,
    ends: When,
}

#[derive(Template)]
#[template(path = "pages/target.html")]
struct TargetPage {
    shell: Shell,
    here: &'static str,
    script: String,
    target: String,
    host: String,
    port: u16,
    accounts: Vec<Account>,
    made: Option<Made>,
}

/// GET /targets/NAME
pub(super) async fn show(
    State(app): State<App>,
    browser: Browser,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    let around = browser.shell("");
    let read = async {
        let offers = app.grants.offers(&Caller::from(&browser)).await?;
        page(&app, &browser, find(offers, &name)?, None)
    };
    read.await.map_err(|problem: Problem| PageError::from(problem).within(&around))
}

/// Which account a credential is for.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    account: String,
}

/// POST /targets/NAME/credential
pub(super) async fn credential(
    State(app): State<App>,
    Path(name): Path<String>,
    SentForm { browser, fields }: SentForm<Fields>,
) -> Result<Response, PageError> {
    let around = browser.shell("");
    let making = async {
        let offers = app.grants.offers(&Caller::from(&browser)).await?;
        let only = offered(&offers, &name, &fields.account)?;
        let made = app.identities.make_credential(&browser.viewer, &only, Some(browser.address)).await;
        page(&app, &browser, find(offers, &name)?, Some(made.map_err(refused)?))
    };
    making.await.map_err(|problem: Problem| PageError::from(problem).within(&around))
}

/// GET /targets/NAME/credential: somebody who reloads, or who had to sign in first.
pub(super) async fn again(Path(name): Path<String>) -> Redirect {
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    Redirect::to(&format!("/targets/{name}"))
}

fn find(offers: Vec<TargetView>, name: &str) -> Result<TargetView, Problem> {
    offers.into_iter().find(|offer| offer.name == name).ok_or_else(|| {
        Problem::not_found(format!("There is no target {name} that you may reach or ask for."))
            .hint("See what there is under Ask for access.")
    })
}

fn page(
    app: &App,
    browser: &Browser,
    target: TargetView,
    made: Option<(crate::identity::CredentialRecord, curfew_adapter::Secret)>,
) -> Result<Response, Problem> {
    let postgres = target.protocol == Protocol::Postgres.as_str();
    let listener = app.gate.listeners.iter().find(|listener| listener.protocol == target.protocol);
    let (host, port) = listener
        .and_then(|listener| ways::host_port(&listener.address))
        .ok_or_else(|| Problem::internal(format!("no address for {}", target.protocol)))?;
    let place = Place { host, port, database: &target.name };
    let made = made.map(|(made, secret)| {
        let (user, password) = (made.name, secret.reveal().to_owned());
        Made {
            uri: place.uri(&user, &password, &BOUND).unwrap_or_default(),
            jdbc: place.jdbc(&user, &password, &REQUIRED).unwrap_or_default(),
            ends: When::new(made.ends_at, app.clock.wall()),
            account: made.account,
            user,
            password,
        }
    });
    let folder = ways::gate_folder(app.site.url());
    let account = |view: AccountView| {
        let (plain, service) = if postgres {
            let parameters = parameters(&place, &view.name, &folder);
            let name = target.name.as_str();
            let plain = format!("psql -h {host} -p {port} -d {name} -U {}", view.name);
            (plain, Some(ways::service(name, &parameters)))
        } else {
            (format!("ssh -p {port} {}%{}@{host}", view.name, target.name), None)
        };
        Account { view, plain, service }
    };
    let page = TargetPage {
        shell: browser.shell(&target.name),
        here: "/targets",
        script: assets::script_url(),
        host: host.to_owned(),
        port,
        accounts: target.accounts.into_iter().map(account).collect(),
        made,
        target: target.name.clone(),
    };
    let mut answer = Page(page).into_response();
    // The one page with a script: ours, which copies.
    let policy = format!("{POLICY}; script-src 'self'");
    let policy = HeaderValue::from_str(&policy).map_err(Problem::internal)?;
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(answer)
}

/// With the files that `curfew login` leaves.
fn parameters(place: &Place<'_>, account: &str, folder: &str) -> Vec<(&'static str, String)> {
    let file = |name: &str| format!("~/.config/curfew/{folder}/{name}");
    vec![
        ("host", place.host.to_owned()),
        ("port", place.port.to_string()),
        ("dbname", place.database.to_owned()),
        ("user", account.to_owned()),
        ("sslmode", "verify-full".to_owned()),
        ("sslrootcert", file("ca.pem")),
        ("sslcert", file("client.crt")),
        ("sslkey", file("client.key")),
    ]
}
