//! The page of a sign-in link: what is connecting, as whom, and the consent.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use curfew_adapter::LinkId;
use serde::Deserialize;

use super::address::ClientAddress;
use super::page::{Page, PageError, Shell};
use super::pages::AskForm;
use super::problem::Problem;
use super::who::{Browser, SentForm};
use crate::app::App;
use crate::audit::Actor;
use crate::grant::{Caller, RequestState, RequestView, Scope};
use crate::identity::link::{LinkError, LinkView};
use crate::identity::{Connecting, Method};
use crate::store::Slice;

/// How often the page reloads itself while a request waits, in seconds.
const REFRESH: u32 = 3;

/// Among so many of one's last requests the one for this account is looked for.
const LATEST: u32 = 50;

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    shell: Shell,
    about: Arc<Connecting>,
    name: String,
    email: String,
    /// The browser's address, where it is not the client's.
    elsewhere: Option<String>,
    used: bool,
    /// What to type into the program.
    digits: Option<String>,
    access: Access,
}

/// Where the access stands, once the program is signed in.
#[derive(Debug)]
enum Access {
    /// There is a grant: the program goes on.
    Granted,
    /// A request waits.
    Waiting(Box<RequestView>),
    /// There is none: the form that asks, and the last request, where it was denied.
    Form(Box<AskForm>, Option<Box<RequestView>>),
    /// The program has not said yet what it wants.
    Later,
    /// No contract would give it.
    Nothing,
}

/// GET /link/ID
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    ClientAddress(address): ClientAddress,
    browser: Result<Browser, PageError>,
) -> Result<Response, PageError> {
    let id = link_id(&id)?;
    // The address before the sign-in: nobody should sign in for nothing.
    let link = match app.links.look(&id, address) {
        Err(error @ LinkError::WrongAddress { first: true, .. }) => {
            let stranger = Actor::Stranger { address: Some(address) };
            app.identities
                .refused(stranger, Method::Link, &error.to_string())
                .await
                .map_err(Problem::from)?;
            return Err(problem(error));
        }
        other => other.map_err(problem)?,
    };
    let browser = browser?;
    let page = page(&app, &id, &browser, link).await.map_err(|error| error.within(&browser.shell("")))?;
    Ok(Page(page).into_response())
}

async fn page(app: &App, id: &LinkId, browser: &Browser, link: LinkView) -> Result<LinkPage, PageError> {
    let me = &browser.viewer.identity;
    if link.used_by.as_ref().is_some_and(|by| *by != me.id) {
        return Err(problem(LinkError::Gone));
    }
    let used = link.used_by.is_some();
    let access = if used { access(app, id, browser, &link.about).await? } else { Access::Nothing };
    let shell = browser.shell(match link.about.target.as_str() {
        "" => link.about.program.clone(),
        target => format!("{} to {target}", link.about.program),
    });
    Ok(LinkPage {
        shell: if matches!(access, Access::Waiting(_)) { shell.refresh(REFRESH) } else { shell },
        access,
        name: me.name.clone(),
        email: me.email.clone(),
        elsewhere: link.elsewhere.map(|address| address.to_string()),
        used,
        digits: link.digits,
        about: link.about,
    })
}

/// What the person holds of what the program asks for, or what can be done about it.
async fn access(app: &App, id: &LinkId, browser: &Browser, about: &Connecting) -> Result<Access, Problem> {
    if about.target.is_empty() {
        return Ok(Access::Later);
    }
    let caller = Caller::from(browser);
    let person = caller.person();
    let now = app.clock.wall();
    if !app.grants.active_grants(&person, &about.target, &about.account, now).await?.is_empty() {
        return Ok(Access::Granted);
    }
    let slice = Slice { after: None, limit: LATEST };
    let mine = app.grants.requests(&caller, Scope::Mine, None, &slice).await?.items;
    let last = mine.into_iter().find(|r| r.target == about.target && r.account == about.account);
    let denied = match last {
        Some(request) if request.state == RequestState::Pending => {
            return Ok(Access::Waiting(Box::new(request)));
        }
        last => last.filter(|request| request.state == RequestState::Denied).map(Box::new),
    };
    let back = format!("/link/{}", id.as_str());
    let form = AskForm::leading_to(app, browser, &about.target, &about.account, back).await?;
    Ok(form.map_or(Access::Nothing, |form| Access::Form(Box::new(form), denied)))
}

/// What the person says.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    action: String,
}

/// POST /link/ID
pub(super) async fn answer(
    State(app): State<App>,
    Path(id): Path<String>,
    SentForm { browser, fields }: SentForm<Answer>,
) -> Result<Response, PageError> {
    let around = browser.shell("");
    let done = async {
        let id = link_id(&id)?;
        match fields.action.as_str() {
            "yes" => app.links.consent(&id, &browser.viewer, browser.address).await.map_err(problem)?,
            "no" => {
                app.links.refuse(&id, browser.address).map_err(problem)?;
                let why = "the person who opened the link said that the connection is not theirs";
                app.identities.refused(browser.actor(), Method::Link, why).await.map_err(Problem::from)?;
                let told =
                    Problem::forbidden("The program was told that it is not yours, and was not signed in.")
                        .hint("If somebody sent you this link, tell whoever looks after security here.");
                return Err(told.into());
            }
            _ => return Err(Problem::bad_request("This page has no such button.").into()),
        }
        Ok(Redirect::to(&format!("/link/{}", id.as_str())).into_response())
    };
    done.await.map_err(|error: PageError| error.within(&around))
}

fn link_id(text: &str) -> Result<LinkId, PageError> {
    LinkId::parse(text).ok_or_else(|| problem(LinkError::Gone))
}

fn problem(error: LinkError) -> PageError {
    let sentence = format!("{}.", super::sentence(&error.to_string()));
    let problem = match error {
        LinkError::Gone => Problem::not_found(sentence).hint("Connect again for a new link."),
        LinkError::WrongAddress { .. } => Problem::forbidden(sentence).hint(
            "Open it in a browser on the machine or network where the program runs. If somebody sent you this link, \
             don't: whoever gets you to sign in by it has your access.",
        ),
        LinkError::Signin(error) => Problem::forbidden(sentence).hint(match error {
            crate::identity::SigninError::Store(_) => "Try again in a moment.",
            _ => "Sign in again.",
        }),
    };
    problem.into()
}
