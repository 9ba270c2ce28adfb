//! The contracts in force, and why they say what they say.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::list::{List, slice};
use crate::api::acting::auditors_only;
use crate::api::body::Wanted;
use crate::api::problem::Problem;
use crate::api::who::Caller;
use crate::app::App;
use crate::contract::{Explanation, PersonKey, TargetFacts, Wanted as Asked, explain, may_ask};
use crate::grant::GrantsError;
use crate::identity::person_key;

/// A contract in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractView {
    /// Its name.
    name: String,
    /// What it is for.
    description: String,
    /// The SHA-256 of its file.
    version: String,
}

/// The query of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// The question to all contracts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    who: Option<String>,
    target: String,
    account: Option<String>,
    database: Option<String>,
    at: Option<Timestamp>,
}

/// The contracts in force
///
/// By name, in one piece.
#[utoipa::path(
    get, path = "/api/v1/contracts", tag = "contracts",
    params(("limit" = Option<u32>, Query, description = "taken, and not needed"),
           ("cursor" = Option<String>, Query, description = "taken, and not needed")),
    responses((status = 200, body = List<ContractView>))
)]
pub async fn list(
    State(app): State<App>,
    _caller: Caller,
    Wanted(query): Wanted<Query>,
) -> Result<Json<List<ContractView>>, Problem> {
    slice(query.limit, query.cursor.as_deref())?;
    let set = app.grants.contracts().current();
    let views = set.iter().map(|contract| ContractView {
        name: contract.name.clone(),
        description: contract.description.clone(),
        version: contract.hash().to_string(),
    });
    Ok(Json(List::whole(views.collect())))
}

/// What each contract says
///
/// To a person who wants a target: which contracts give it, which don't and why, who could approve now. About
/// oneself, and about a target that one may know of; about anybody and anything for auditors and admins.
#[utoipa::path(
    get, path = "/api/v1/contracts/explain", tag = "contracts",
    params(("who" = Option<String>, Query, description = "an email; left out: the caller"),
           ("target" = String, Query, description = "the target's name"),
           ("account" = Option<String>, Query, description = "left out: any that a contract offers"),
           ("database" = Option<String>, Query, description = "left out: none in particular"),
           ("at" = Option<String>, Query, description = "an instant (RFC 3339); left out: now")),
    responses((status = 200, body = serde_json::Value))
)]
pub async fn explained(
    State(app): State<App>,
    caller: Caller,
    Wanted(question): Wanted<Question>,
) -> Result<Json<Explanation>, Problem> {
    let me = &caller.viewer.identity;
    let who = PersonKey::new(question.who.as_deref().map_or_else(|| me.person.clone(), person_key));
    if who.as_str() != me.person {
        auditors_only(&caller.viewer)?;
    }
    let people = app.grants.everyone().await?;
    let nobody = || Problem::not_found("Nobody with this email ever signed in, or they are disabled.");
    let person = people.find(&who).ok_or_else(nobody)?;
    let set = app.grants.contracts().current();
    let unknown = || GrantsError::NoTarget { target: question.target.clone() };
    let target = app.grants.target(&question.target).ok_or_else(unknown)?;
    let wanted = asked(&target, None, None);
    let known = set.iter().any(|contract| may_ask(contract, person, &wanted).is_match());
    if !known && !caller.viewer.roles.reads_everything() {
        return Err(unknown().into());
    }
    let wanted = asked(&target, question.account.as_deref(), question.database.as_deref());
    let at = question.at.unwrap_or_else(|| app.clock.wall());
    Ok(Json(explain(&set, &people, person, &wanted, at)))
}

fn asked<'a>(target: &'a TargetFacts, account: Option<&'a str>, database: Option<&'a str>) -> Asked<'a> {
    Asked { target, account, database }
}
