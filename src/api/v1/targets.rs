//! What the caller may reach or ask for.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::list::{List, slice};
use crate::api::body::Wanted;
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::grant::TargetView;

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Targets that one may reach or ask for
///
/// With the contracts to ask under, and the grant that opens an account already. Comes in one piece.
#[utoipa::path(
    get, path = "/api/v1/targets", tag = "requests",
    params(("limit" = Option<u32>, Query, description = "taken, and not needed"),
           ("cursor" = Option<String>, Query, description = "taken, and not needed")),
    responses((status = 200, body = List<TargetView>))
)]
pub async fn targets(
    State(app): State<App>,
    caller: Caller,
    Wanted(query): Wanted<Query>,
) -> Result<Json<List<TargetView>>, Problem> {
    slice(query.limit, query.cursor.as_deref())?;
    Ok(Json(List::whole(app.grants.offers(&(&caller).into()).await?)))
}
