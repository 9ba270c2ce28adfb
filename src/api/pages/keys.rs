//! The SSH keys that sign one in: a notice of each new one, and a button that takes it away.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::words::When;
use crate::api::page::PageError;
use crate::api::problem::Problem;
use crate::api::who::{Browser, SentForm};
use crate::app::App;
use crate::identity::KeyRecord;
use crate::store::StoreError;

/// How long a key is news to its person.
const NEW: SignedDuration = SignedDuration::from_hours(1);

/// A key that is bound to a sign-in of one's own.
pub(super) struct Key {
    /// `SHA256:…`
    pub(super) fingerprint: String,
    pub(super) bound: When,
    pub(super) ends: When,
    /// Where the client that proved it was.
    pub(super) address: String,
    /// Whether its person should hear of it.
    pub(super) new: bool,
}

impl Key {
    /// All of them, newest first.
    ///
    /// # Errors
    /// The store can't be read.
    pub(super) async fn all(app: &App, browser: &Browser) -> Result<Vec<Self>, StoreError> {
        let now = app.clock.wall();
        let bound = app.identities.keys(Some(&browser.viewer.identity)).await?;
        Ok(bound.into_iter().map(|key| Self::new(key, now)).collect())
    }

    fn new(key: KeyRecord, now: Timestamp) -> Self {
        Self {
            fingerprint: key.fingerprint,
            bound: When::new(key.made_at, now),
            ends: When::new(key.ends_at, now),
            address: key.address.map(|address| address.to_string()).unwrap_or_default(),
            new: now.duration_since(key.made_at) < NEW,
        }
    }
}

/// Which key.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    fingerprint: String,
}

/// POST /keys/remove
///
/// One that is gone already, or never was one's own, changes nothing: the page shows what is there.
pub(super) async fn remove(
    State(app): State<App>,
    SentForm { browser, fields }: SentForm<Fields>,
) -> Result<Response, PageError> {
    let around = browser.shell("");
    let me = &browser.viewer.identity;
    let removed = app.identities.remove_key(&fields.fingerprint, Some(me), browser.actor()).await;
    removed.map_err(|error| PageError::from(Problem::from(error)).within(&around))?;
    Ok(Redirect::to("/").into_response())
}
