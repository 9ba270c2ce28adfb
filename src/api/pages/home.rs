//! What one has, and what one may ask for.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use curfew_adapter::Protocol;

use super::keys::Key;
use super::words::When;
use crate::api::page::{Page, PageError, Shell};
use crate::api::problem::Problem;
use crate::api::who::Browser;
use crate::app::App;
use crate::grant::{Caller, GrantState, GrantView, Scope, TargetView};
use crate::identity::random_text;
use crate::store::Slice;

/// How often the page of one's own access counts down, in seconds.
const COUNT: u32 = 30;

/// A grant that one has.
pub(super) struct Held {
    pub(super) grant: GrantView,
    pub(super) starts: When,
    pub(super) ends: When,
    /// How to connect.
    pub(super) connect: Option<String>,
    /// The key of the form that asks for more time.
    pub(super) once: String,
}

impl Held {
    pub(super) fn new(app: &App, grant: GrantView) -> Self {
        let now = app.clock.wall();
        let connect = (grant.state == GrantState::Active).then(|| connect(app, &grant)).flatten();
        let (starts, ends) = (When::new(grant.starts_at, now), When::new(grant.ends_at, now));
        Self { starts, ends, connect, once: random_text(), grant }
    }

    pub(super) fn can(&self, what: &str) -> bool {
        self.grant.can.contains(&what)
    }

    pub(super) fn active(&self) -> bool {
        self.grant.state == GrantState::Active
    }
}

/// The command with which the holder connects: nothing to install.
fn connect(app: &App, grant: &GrantView) -> Option<String> {
    let protocol = grant.protocol?;
    let listener = app.gate.listeners.iter().find(|listener| listener.protocol == protocol.as_str())?;
    let (host, port) = listener.address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match protocol {
        Protocol::Postgres => {
            Some(format!("psql -h {host} -p {port} -d {} -U {}", grant.target, grant.account))
        }
        Protocol::Ssh => Some(format!("ssh -p {port} {}%{}@{host}", grant.account, grant.target)),
    }
}

#[derive(Template)]
#[template(path = "pages/home.html")]
struct HomePage {
    shell: Shell,
    here: &'static str,
    held: Vec<Held>,
    waiting: usize,
    targets: Vec<TargetView>,
    keys: Vec<Key>,
}

/// GET /
pub(super) async fn home(State(app): State<App>, browser: Browser) -> Result<Response, PageError> {
    let shell = browser.shell("My access").refresh(COUNT);
    let read = async {
        let caller = Caller::from(&browser);
        let mut held = Vec::new();
        for state in [GrantState::Active, GrantState::Scheduled] {
            let page = app.grants.grants(&caller, Scope::Mine, Some(state), &Slice::default()).await?;
            held.extend(page.items);
        }
        // What is on record may lag behind by a moment; and of a grant that one asked for another, it is theirs.
        held.retain(|grant| grant.can.contains(&"return"));
        held.sort_by_key(|grant| (grant.state != GrantState::Active, grant.ends_at));
        let held = held.into_iter().map(|grant| Held::new(&app, grant)).collect();
        let waiting = app.grants.to_approve(&caller).await?.len();
        let targets = app.grants.offers(&caller).await?;
        let keys = Key::all(&app, &browser).await?;
        let page = HomePage { shell: shell.clone(), here: "/", held, waiting, targets, keys };
        Ok::<_, Problem>(Page(page).into_response())
    };
    read.await.map_err(|problem| PageError::from(problem).within(&shell))
}

#[derive(Template)]
#[template(path = "pages/targets.html")]
struct TargetsPage {
    shell: Shell,
    here: &'static str,
    targets: Vec<TargetView>,
}

/// GET /targets
pub(super) async fn targets(State(app): State<App>, browser: Browser) -> Result<Response, PageError> {
    let shell = browser.shell("Ask for access");
    match app.grants.offers(&Caller::from(&browser)).await {
        Ok(targets) => Ok(Page(TargetsPage { shell, here: "/targets", targets }).into_response()),
        Err(error) => Err(PageError::from(Problem::from(error)).within(&shell)),
    }
}
