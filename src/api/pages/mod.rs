//! The pages for people: their access, what they may ask for, requests and what to decide about them.
//!
//! Server-rendered, made for a phone, without scripts but one that copies. They do what the API does, by the same services, and say it in
//! plain words. Every change is a form that carries the browser's proof.

mod act;
mod ask;
mod ask_form;
mod grant_act;
mod home;
mod keys;
mod list;
mod request;
mod target;
#[cfg(test)]
mod tests;
mod words;

pub(super) use ask::AskForm;

use axum::Router;
use axum::extract::Path;
use axum::response::Redirect;
use axum::routing::get;

use crate::app::App;

/// The routes of the pages.
pub fn router() -> Router<App> {
    Router::new()
        .route("/", get(home::home))
        .route("/targets", get(home::targets))
        .route("/targets/{name}", get(target::show))
        .route("/targets/{name}/credential", get(target::again).post(target::credential))
        .route("/requests", get(list::list).post(ask::send))
        .route("/requests/new", get(ask::form))
        .route("/requests/{id}", get(request::show))
        .route("/requests/{id}/{action}", get(back).post(act::act))
        .route("/grants/{id}/{action}", get(home_again).post(grant_act::act))
        .route("/keys/remove", get(home_again).post(keys::remove))
}

/// Somebody who had to sign in before they could send a form, or who reloads: to the page that has it.
async fn back(Path((id, _)): Path<(String, String)>) -> Redirect {
    match curfew_adapter::RequestId::parse(&id) {
        Some(id) => Redirect::to(&format!("/requests/{id}")),
        None => Redirect::to("/requests"),
    }
}

async fn home_again() -> Redirect {
    Redirect::to("/")
}
