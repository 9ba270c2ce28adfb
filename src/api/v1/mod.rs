//! The API under /api/v1: what the command line, scripts and other programs use.
//!
//! Owns the paths, their shapes and the document that describes them (docs/openapi.json). Decides nothing itself:
//! the services do, and what one may not see answers like what is not there.

mod audit;
mod certificates;
mod contracts;
pub(in crate::api) mod credentials;
mod document;
mod gate;
mod grants;
mod identities;
mod list;
mod reads;
mod recordings;
mod requests;
mod search;
mod session_view;
mod sessions;
mod signins;
mod ssh;
mod targets;
#[cfg(test)]
mod tests;
mod whoami;

pub use document::document;
pub use gate::{GateFacts, ListenerFact};
pub use reads::Reads;
pub use search::Searches;
pub use sessions::LiveSessions;
pub use ssh::SshFacts;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Every route of the API.
pub fn router() -> Router<App> {
    described().split_for_parts().0
}

/// The routes with their descriptions.
fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::head())
        .routes(routes!(whoami::whoami))
        .routes(routes!(targets::targets))
        .routes(routes!(requests::list, requests::ask))
        .routes(routes!(requests::one))
        .routes(routes!(requests::approve))
        .routes(routes!(requests::deny))
        .routes(routes!(requests::cancel))
        .routes(routes!(grants::list))
        .routes(routes!(grants::one))
        .routes(routes!(grants::extend))
        .routes(routes!(grants::give_back))
        .routes(routes!(grants::revoke))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::one))
        .routes(routes!(recordings::events))
        .routes(routes!(recordings::recording))
        .routes(routes!(sessions::kill))
        .routes(routes!(search::search))
        .routes(routes!(audit::lines))
        .routes(routes!(audit::checkpoints))
        .routes(routes!(contracts::list))
        .routes(routes!(contracts::explained))
        .routes(routes!(signins::list))
        .routes(routes!(signins::revoke))
        .routes(routes!(signins::signout))
        .routes(routes!(identities::list))
        .routes(routes!(identities::disable))
        .routes(routes!(identities::enable))
        .routes(routes!(certificates::certify))
        .routes(routes!(credentials::list, credentials::make))
        .routes(routes!(credentials::revoke))
        .routes(routes!(ssh::certify))
        .routes(routes!(ssh::keys))
        .routes(routes!(ssh::revoke))
        .routes(routes!(ssh::facts))
        .routes(routes!(gate::authority))
        .routes(routes!(gate::keys))
        .routes(routes!(gate::gate))
        .routes(routes!(gate::openapi))
}
