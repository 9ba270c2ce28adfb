//! Asking for access on a page.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::ask_form::{Fields, Wrong};
use super::home::Held;
use super::words::{Length, span};
use crate::api::next::Next;
use crate::api::page::{Page, PageError, Shell};
use crate::api::problem::Problem;
use crate::api::who::{Browser, SentForm};
use crate::app::App;
use crate::audit::Digest;
use crate::contract::PersonKey;
use crate::grant::{Caller, GrantsError, Offer, TargetView};
use crate::identity::random_text;
use crate::store::Once;

#[derive(Template)]
#[template(path = "pages/ask.html")]
struct AskPage {
    shell: Shell,
    here: &'static str,
    form: AskForm,
    /// The access that is there already.
    held: Option<Held>,
    /// A request for the same that waits.
    pending: Option<String>,
}

/// The form, for one account on one target: on its own page, and on that of a sign-in link.
#[derive(Debug, Template)]
#[template(path = "pages/ask_form.html")]
pub(in crate::api) struct AskForm {
    csrf: String,
    fields: Fields,
    wrong: Wrong,
    offers: Vec<Offer>,
    lengths: Vec<Length>,
}

impl AskForm {
    /// The form that leads back to `next`; `None` where no contract gives this account to this browser's person.
    pub(in crate::api) async fn leading_to(
        app: &App,
        browser: &Browser,
        target: &str,
        account: &str,
        next: String,
    ) -> Result<Option<Self>, Problem> {
        let (target, account) = (target.to_owned(), account.to_owned());
        let fields = Fields { target, account, once: random_text(), next, ..Fields::default() };
        let all = app.grants.offers(&Caller::from(browser)).await?;
        let accounts =
            all.into_iter().find(|target| target.name == fields.target).map(|target| target.accounts);
        let account = accounts.into_iter().flatten().find(|account| account.name == fields.account);
        let offers = account.map(|account| account.contracts).filter(|offers| !offers.is_empty());
        Ok(offers.map(|offers| Self::new(browser, fields, Wrong::default(), offers)))
    }

    fn new(browser: &Browser, fields: Fields, wrong: Wrong, offers: Vec<Offer>) -> Self {
        Self { csrf: browser.csrf().to_owned(), lengths: fields.lengths(&offers), fields, wrong, offers }
    }

    /// The form as it stands on a page.
    pub(in crate::api) fn html(&self) -> askama::Result<String> {
        self.render()
    }

    fn meant(&self, offer: &Offer) -> bool {
        self.offers.len() == 1 || self.fields.contract == offer.name
    }

    fn at_most(&self, offer: &Offer) -> String {
        span(offer.max_seconds)
    }

    fn reason_required(&self) -> bool {
        self.offers.iter().all(|offer| offer.reason_required)
    }

    /// What tickets look like, where one is needed.
    fn ticket(&self) -> Option<&str> {
        self.offers.iter().find_map(|offer| offer.ticket.as_deref())
    }

    fn ticket_required(&self) -> bool {
        self.offers.iter().all(|offer| offer.ticket.is_some())
    }

    fn needs_approval(&self) -> bool {
        self.offers.iter().any(|offer| offer.needs_approval)
    }
}

#[derive(Template)]
#[template(path = "pages/accounts.html")]
struct AccountsPage {
    shell: Shell,
    here: &'static str,
    target: TargetView,
}

/// GET /requests/new
pub(super) async fn form(
    State(app): State<App>,
    Query(fields): Query<Fields>,
    browser: Browser,
) -> Result<Response, PageError> {
    let around = browser.shell("Ask for access");
    if fields.target.is_empty() {
        return Ok(Redirect::to("/targets").into_response());
    }
    let fields = Fields { once: random_text(), ..fields };
    let page = page(&app, &browser, fields, Wrong::default()).await;
    page.map_err(|problem| PageError::from(problem).within(&around))
}

/// POST /requests
pub(super) async fn send(
    State(app): State<App>,
    SentForm { browser, fields }: SentForm<Fields>,
) -> Result<Response, PageError> {
    let around = browser.shell("Ask for access");
    let done = async {
        let ask = match fields.ask() {
            Ok(ask) => ask,
            Err(wrong) => return page(&app, &browser, fields, *wrong).await,
        };
        let said = format!(
            "ask {} {} {} {} {} {} {}",
            fields.target,
            fields.account,
            fields.contract,
            fields.duration,
            fields.starts_at,
            fields.ticket,
            fields.reason
        );
        let key = Some(fields.once.clone()).filter(|key| !key.is_empty());
        let once = key.map(|key| Once { key, body: Digest::of(said.as_bytes()) });
        match app.grants.ask(&Caller::from(&browser), ask, once).await {
            Ok(asked) => {
                let page = format!("/requests/{}?done=asked", asked.id);
                let to = Next::parse(&fields.next).map_or(page, |next| next.as_str().to_owned());
                Ok(Redirect::to(&to).into_response())
            }
            // The form was changed and sent once more from the same page: a wish of its own.
            Err(GrantsError::KeyReused) => {
                let other = Some("This form was sent before. Send it again to ask once more.".to_owned());
                page(
                    &app,
                    &browser,
                    Fields { once: random_text(), ..fields },
                    Wrong { other, ..Wrong::default() },
                )
                .await
            }
            Err(
                error @ (GrantsError::Store(_)
                | GrantsError::Unreadable { .. }
                | GrantsError::NoTarget { .. }),
            ) => Err(error.into()),
            Err(error) => {
                let wrong = Wrong::of(&error);
                page(&app, &browser, fields, wrong).await
            }
        }
    };
    done.await.map_err(|problem| PageError::from(problem).within(&around))
}

async fn page(app: &App, browser: &Browser, mut fields: Fields, wrong: Wrong) -> Result<Response, Problem> {
    let caller = Caller::from(browser);
    let unknown = || GrantsError::NoTarget { target: fields.target.clone() };
    let all = app.grants.offers(&caller).await?;
    let target = all.into_iter().find(|target| target.name == fields.target).ok_or_else(unknown)?;
    let account = match target.accounts.as_slice() {
        [only] if fields.account.is_empty() => only.clone(),
        accounts => match accounts.iter().find(|account| account.name == fields.account) {
            Some(account) => account.clone(),
            None => {
                let shell = browser.shell(format!("Ask for {}", target.name));
                return Ok(Page(AccountsPage { shell, here: "/targets", target }).into_response());
            }
        },
    };
    fields.account = account.name;
    let held = match &account.grant {
        Some(id) => app.grants.grant(&caller, id).await.ok().map(|grant| Held::new(app, grant)),
        None => None,
    };
    let person: PersonKey = caller.person();
    let waiting = app.grants.pending_requests(&person, &fields.target, &fields.account).await?;
    let status = if wrong.any() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = AskPage {
        shell: browser.shell(format!("Ask for {}", fields.target)),
        here: "/targets",
        held,
        pending: waiting.first().map(|stored| stored.record.id.to_string()),
        form: AskForm::new(browser, fields, wrong, account.contracts),
    };
    Ok((status, Page(page)).into_response())
}
