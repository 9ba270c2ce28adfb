//! What one does about a grant: ask for more time, return it, revoke it.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use curfew_adapter::GrantId;
use serde::Deserialize;

use super::act::said;
use crate::api::body::{PathId, none};
use crate::api::page::PageError;
use crate::api::problem::Problem;
use crate::api::who::SentForm;
use crate::app::App;
use crate::audit::Digest;
use crate::grant::{Caller, Fault, GrantState, GrantView, GrantsError};
use crate::store::Once;

/// The fields of all three forms.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    reason: Option<String>,
    /// The key of the form: sent twice, it asks once.
    once: Option<String>,
}

/// POST /grants/ID/ACTION
pub(super) async fn act(
    State(app): State<App>,
    Path((id, action)): Path<(String, String)>,
    SentForm { browser, fields }: SentForm<Fields>,
) -> Result<Response, PageError> {
    let around = browser.shell("");
    let done = async {
        let id = GrantId::read(&id).ok_or_else(none::<GrantId>)?;
        let caller = Caller::from(&browser);
        let before = app.grants.grant(&caller, &id).await?;
        let to = match did(&app, &caller, &before, &action, fields).await {
            Ok(Some(to)) => to,
            Ok(None) => return Err(Problem::not_found("There is no such page.")),
            Err(error)
                if error.fault() == Fault::Conflict && is_done(&app, &caller, &id, &action).await? =>
            {
                to(&before, &action)
            }
            Err(error) => return said(&app, &browser, &before.request, error).await,
        };
        Ok(Redirect::to(&to).into_response())
    };
    done.await.map_err(|problem| PageError::from(problem).within(&around))
}

/// Does it, and says where to go then.
async fn did(
    app: &App,
    caller: &Caller,
    grant: &GrantView,
    action: &str,
    fields: Fields,
) -> Result<Option<String>, GrantsError> {
    let reason = fields.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    match action {
        "extend" => {
            let body = Digest::of_parts(&[b"extend ", grant.id.as_str().as_bytes()]);
            let once = fields.once.filter(|key| !key.is_empty()).map(|key| Once { key, body });
            let asked = app.grants.extend(caller, &grant.id, reason, once).await?;
            Ok(Some(format!("/requests/{}?done=asked", asked.id)))
        }
        "return" => {
            app.grants.give_back(caller, &grant.id).await?;
            Ok(Some(to(grant, action)))
        }
        "revoke" => {
            app.grants.revoke(caller, &grant.id, reason.unwrap_or_default()).await?;
            Ok(Some(to(grant, action)))
        }
        _ => Ok(None),
    }
}

fn to(grant: &GrantView, action: &str) -> String {
    let word = if action == "return" { "returned" } else { "revoked" };
    format!("/requests/{}?done={word}", grant.request)
}

/// Whether the grant is how this act would have made it: the same button was pressed twice.
async fn is_done(app: &App, caller: &Caller, id: &GrantId, action: &str) -> Result<bool, Problem> {
    let now = app.grants.grant(caller, id).await?;
    let me = Some(&caller.identity.email);
    Ok(match action {
        "return" => now.state == GrantState::Returned,
        "revoke" => now.state == GrantState::Revoked && now.ended_by.as_ref() == me,
        _ => false,
    })
}
