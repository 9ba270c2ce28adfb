//! One thing of the gate's, found by how its id begins, and something done to it.

use serde::Serialize;

use super::client::Body;
use super::context::{Common, Context};
use super::ids::Thing;
use super::{CliError, ids};

/// What was done, with more to be said about it.
#[derive(Debug)]
pub struct Done {
    /// The thing's whole id.
    pub id: String,
    /// The gate's answer.
    pub body: Body,
}

/// Does `verb` to the thing whose id begins with `id`: `POST /api/v1/THINGS/ID/VERB` with `ask`. `None` where JSON was asked
/// for: that has been shown, and there is nothing left to say.
///
/// # Errors
/// Refused, or not reached; no thing, or several, with such an id.
pub async fn act(
    cx: &mut Context,
    common: &Common,
    (thing, id): (Thing, &str),
    verb: &str,
    ask: &(impl Serialize + Sync),
) -> Result<Option<Done>, CliError> {
    let client = cx.client(common)?;
    let id = ids::complete(&client, thing, id).await?;
    let body = client.post(&[thing.path, &id, verb], ask).await?;
    if common.json {
        cx.out.raw(body.raw())?;
        return Ok(None);
    }
    Ok(Some(Done { id, body }))
}
